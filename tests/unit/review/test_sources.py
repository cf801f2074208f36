"""Photos to review: from records, from a batch job, and from a data set."""

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shutterless.errors import InputError
from shutterless.review.items import Kind, find_file, find_kind
from shutterless.review.review import open_review
from tests.unit.review.conftest import LABELS, jpeg


def test_records_without_a_photo_are_left_out(make_live: Callable[..., Path]) -> None:
    live = make_live(3, photo=[None, "photos/a.jpg", "photos/b.jpg"])
    review = open_review(live)
    assert {item.name for item in review.queue.items} == {"photos/a.jpg", "photos/b.jpg"}
    assert review.queue.kind is Kind.LIVE
    assert review.queue.labels == LABELS


def test_no_photo_at_all_is_an_error(make_live: Callable[..., Path]) -> None:
    with pytest.raises(InputError) as caught:
        open_review(make_live(2, photo=[None, None]))
    assert caught.value.code == "no-photos"


def test_what_users_called_wrong_comes_first_with_their_label(make_live: Callable[..., Path]) -> None:
    scores = [(0.98, 0.01, 0.01)] * 40
    corrected: list[object] = [None] * 40
    corrected[17] = "shoes"
    review = open_review(make_live(40, scores=scores, corrected=corrected), count=10)
    item = review.items["id-17"]
    assert item.likely[0] == "shoes"


@pytest.mark.parametrize("columns", [{"scores": [(0.5, 0.5)] * 2}, {"scores": [None, (0.2, 0.2, 0.6)]}])
def test_records_whose_scores_dont_fit_the_labels_are_refused(
    make_live: Callable[..., Path], columns: dict[str, list[object]]
) -> None:
    with pytest.raises(InputError) as caught:
        open_review(make_live(2, **columns))
    assert caught.value.code == "unreadable-records"


def test_a_file_that_is_no_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "records.parquet").write_text("no table")
    with pytest.raises(InputError) as caught:
        open_review(tmp_path)
    assert caught.value.code == "unreadable-records"


@pytest.mark.parametrize("name", ["../secret.jpg", "/etc/passwd", "a/../../b", "C:\\x", ""])
def test_names_in_records_never_lead_out_of_the_folder(tmp_path: Path, name: str) -> None:
    assert find_file(tmp_path, Kind.LIVE, name) is None


def test_a_batch_job_shows_local_photos_or_thumbnails(tmp_path: Path) -> None:
    (tmp_path / "here.jpg").write_bytes(jpeg(1))
    uris = [str(tmp_path / "here.jpg"), "https://example.com/there.jpg", "broken"]
    table = {
        "uri": uris,
        "label": ["hat", "shirt", None],
        "confidence": [0.5, 0.6, None],
        "accepted": [True, True, None],
        "scores": [[0.5, 0.3, 0.2], [0.2, 0.6, 0.2], None],
    }
    metadata = {b"shutterless": json.dumps({"labels": LABELS})}
    out = tmp_path / "out"
    out.mkdir()
    pq.write_table(pa.table(table).replace_schema_metadata(metadata), out / "part-00000.parquet")
    assert find_kind(out) is Kind.BATCH
    [item] = open_review(out).queue.items
    assert item.file == tmp_path / "here.jpg"
    table["thumbnail"] = [jpeg(1), jpeg(2), None]
    pq.write_table(pa.table(table).replace_schema_metadata(metadata), out / "part-00000.parquet")
    review = open_review(out)
    assert {item.content for item in review.queue.items} == {jpeg(1), jpeg(2)}
    assert review.queue.labels_file == out / "labels.csv"
