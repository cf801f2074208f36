import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from shutterless.dataset import load_dataset, load_labelled
from shutterless.dataset.inspect.inspection import inspect_dataset
from shutterless.dataset.scan import scan_photos
from shutterless.dataset.sources.records import NO_LABEL, TWO_LABELS, require_whole_groups
from shutterless.dataset.sources.table import list_photos
from shutterless.dataset.types import Photo
from shutterless.errors import DatasetError
from shutterless.utils.progress import silent

WriteTable = Callable[[str], Path]
ROWS = (("a.jpg", "hat", "train", "g"), ("b/c.jpg", "hat", "", "g"), ("d.jpg", "dress", "val", ""))
PHOTOS = [
    Photo("a.jpg", "hat", "train"),
    Photo("b/c.jpg", "hat", "train"),
    Photo("d.jpg", "dress", "validation"),
]


@pytest.fixture
def table(tmp_path) -> WriteTable:
    def write(text: str) -> Path:
        (tmp_path / "photos.csv").write_bytes(text.encode())
        return tmp_path / "photos.csv"

    return write


def refusal(source: Path) -> DatasetError:
    with pytest.raises(DatasetError) as caught:
        load_dataset(source)
    assert caught.value.hint
    return caught.value


def as_csv(delimiter: str) -> str:
    return "".join(delimiter.join(row) + "\r\n" for row in (("path", "label", "split", "group"), *ROWS))


@pytest.mark.parametrize(
    "text", [as_csv(","), "\ufeff" + as_csv(";"), as_csv("\t").replace("path", " Path ")]
)
def test_a_csv_file_gives_path_label_split_and_group(table, tmp_path, text):
    listing = list_photos(table(text))
    assert listing.photos == PHOTOS  # a photo without a split goes with its group
    assert (listing.root, listing.table) == (tmp_path, tmp_path / "photos.csv")
    assert listing.groups == {"a.jpg": "g", "b/c.jpg": "g"}


def test_json_lines_and_parquet_give_the_same(tmp_path):
    rows = [dict(zip(("file_name", "label", "split", "group"), row, strict=True)) for row in ROWS]
    (tmp_path / "photos.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "photos.parquet")
    assert list_photos(tmp_path / "photos.jsonl").photos == PHOTOS
    assert list_photos(tmp_path / "photos.parquet").photos == PHOTOS


def test_labels_that_are_numbers_or_indices_of_names_are_read(tmp_path):
    paths = pa.array(["a.jpg", "b.jpg", "c.jpg"])
    pq.write_table(pa.table({"path": paths, "label": [3.0, 4.0, None]}), tmp_path / "numbers.parquet")
    listing = list_photos(tmp_path / "numbers.parquet")
    assert [photo.label for photo in listing.photos] == ["3", "4"]
    assert listing.skipped == {NO_LABEL: ["c.jpg"]}
    features = {"info": {"features": {"label": {"names": ["dress", "hat"], "_type": "ClassLabel"}}}}
    names = pa.table({"path": paths, "label": [1, 0, 1]}).replace_schema_metadata(
        {"huggingface": json.dumps(features)}
    )
    pq.write_table(names, tmp_path / "names.parquet")
    labels = [photo.label for photo in list_photos(tmp_path / "names.parquet").photos]
    assert labels == ["hat", "dress", "hat"]


def test_a_photo_under_two_labels_is_left_out_and_other_is_no_label(table):
    text = "path,label\na.jpg,hat\na.jpg,hat\nb.jpg,hat\nb.jpg,dress\nc.jpg,_other\n'=d.jpg,'=sum\n"
    listing = list_photos(table(text))
    assert [(photo.path, photo.label) for photo in listing.photos] == [("a.jpg", "hat"), ("=d.jpg", "=sum")]
    assert [photo.path for photo in listing.other] == ["c.jpg"]
    assert listing.skipped == {TWO_LABELS: ["b.jpg"]}


def test_absolute_and_windows_paths_below_the_folder_are_relative_to_it(table, tmp_path):
    listing = list_photos(table(f"path,label\n{tmp_path}/x/a.jpg,hat\nx\\b.jpg,hat\nx/../c.jpg,hat\n"))
    assert [photo.path for photo in listing.photos] == ["x/a.jpg", "x/b.jpg", "c.jpg"]


@pytest.mark.parametrize(
    ("text", "code", "value"),
    [
        ("", "missing-column", "photos.csv"),
        ("path;label,x\na.jpg;hat\n", "missing-column", "label"),
        ("file,label\na.jpg,hat\n", "missing-column", "file"),
        ("path,label,label\na.jpg,hat,hat\n", "unreadable-table", "label"),
        ("path,label\na.jpg,hat,extra\n", "unreadable-table", "row 2"),
        ('path,label\n"a.jpg,hat\n', "unreadable-table", "photos.csv"),
        (f"path,label\n{'a' * 6000},hat\n", "unreadable-table", "6,000"),
        ("path,label,split\na.jpg,hat,holiday\n", "unknown-split", "holiday"),
        ("path,label,split\na.jpg,hat,train\na.jpg,hat,test\n", "contradictory-rows", "a.jpg"),
        ("path,label\nhttps://example.com/a.jpg,hat\n", "remote-photo", "https://example.com/a.jpg"),
        ("path,label\ns3://bucket/a.jpg,hat\n", "remote-photo", "row 1"),
        ("path,label\n/etc/a.jpg,hat\n", "path-outside-root", "/etc/a.jpg"),
        ("path,label\nx/../../a.jpg,hat\n", "path-outside-root", "x/../../a.jpg"),
        ("path,label\nC:\\a.jpg,hat\n", "path-outside-root", "C:\\a.jpg"),
        ("path,label\n..\\a.jpg,hat\n", "path-outside-root", "..\\a.jpg"),
        ("path,label\na\0.jpg,hat\n", "path-outside-root", "row 1"),
    ],
)
def test_a_table_that_is_malformed_or_leads_elsewhere_is_refused(table, text, code, value):
    error = refusal(table(text))
    assert error.code == code
    assert value in error.message


def test_a_table_that_is_no_text_or_is_not_there_is_refused(tmp_path):
    (tmp_path / "photos.csv").write_bytes("path,label\n".encode("utf-16"))
    (tmp_path / "deep.jsonl").write_text("[" * 100_000)
    (tmp_path / "list.jsonl").write_text("[1]\n")
    (tmp_path / "text.parquet").write_text("path,label\n")
    for name in ("photos.csv", "deep.jsonl", "list.jsonl", "text.parquet", "missing.csv"):
        assert refusal(tmp_path / name).code == "unreadable-table"


def test_lists_of_labels_are_refused(tmp_path):
    (tmp_path / "photos.jsonl").write_text('{"file_name": "a.jpg", "label": ["hat", "dress"]}\n')
    pq.write_table(pa.table({"path": ["a.jpg"], "label": [["hat"]]}), tmp_path / "photos.parquet")
    for name in ("photos.jsonl", "photos.parquet"):
        assert refusal(tmp_path / name).code == "multi-label"


def test_parquet_of_another_type_or_of_too_many_rows_is_refused(tmp_path, monkeypatch):
    pq.write_table(pa.table({"path": ["a.jpg"], "label": [b"hat"]}), tmp_path / "bytes.parquet")
    assert refusal(tmp_path / "bytes.parquet").code == "unreadable-table"
    # A megabyte a row, which Parquet saves once.
    same = pa.DictionaryArray.from_arrays(pa.array([0] * 100_000, pa.int32()), ["x" * 1_000_000])
    pq.write_table(pa.table({"path": ["a.jpg"] * 100_000, "label": same}), tmp_path / "bomb.parquet")
    assert (tmp_path / "bomb.parquet").stat().st_size < 100_000
    assert refusal(tmp_path / "bomb.parquet").code == "unreadable-table"
    monkeypatch.setattr("shutterless.dataset.sources.rows.MAX_ROWS", 2)
    pq.write_table(pa.table({"path": list("abc"), "label": list("xyz")}), tmp_path / "long.parquet")
    assert refusal(tmp_path / "long.parquet").code == "unreadable-table"


def test_parquet_without_pyarrow_is_refused_with_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    assert refusal(tmp_path / "photos.parquet").code == "needs-pyarrow"


def write_rows(table: Path, rows: list[dict[str, str]]) -> Path:
    with table.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, ["path", "label", "split", "group"])
        writer.writeheader()
        writer.writerows(rows)
    return table


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    """Return a folder of twelve pictures, of which the last four repeat the first."""
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(12):
        Image.new("RGB", (6, 6), (number % 8 * 9, 80, 99)).save(folder / f"{number}.png")
    return folder


def row(number: int, named: bool) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "path": st.just(f"{number}.png"),
            "label": st.sampled_from(["hat", "hat", "dress", "_other"]),
            "split": st.sampled_from(["", "", "train", "val", "test"] if named else [""]),
            "group": st.sampled_from(["", "", "one", "two", "0.png"]),
        }
    )


TABLES = st.booleans().flatmap(lambda named: st.tuples(*(row(number, named) for number in range(12))))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=TABLES, seed=st.integers(0, 9))
def test_a_group_is_never_divided_or_the_table_is_refused(pictures, rows, seed):
    splits: dict[str, set[str]] = {}
    for each in rows:
        if each["group"] and each["split"]:
            splits.setdefault(each["group"], set()).add(each["split"])
    listing = list_photos(write_rows(pictures / "photos.csv", list(rows)))
    if any(len(parts) > 1 for parts in splits.values()):
        with pytest.raises(DatasetError) as caught:
            require_whole_groups(listing)
        assert caught.value.code == "divided-group"
        return
    require_whole_groups(listing)
    if not listing.photos:
        return
    scan = scan_photos(listing, seed=seed, group_by="auto", progress=silent, what="")
    split_of = {photo.path: photo.split for photo in (*scan.photos, *scan.other)}
    assert set(split_of.values()) <= {"train", "validation", "test"}
    for group in ("one", "two", "0.png"):
        assert len({split_of[each["path"]] for each in rows if each["group"] == group}) <= 1
    for each in rows:
        if each["split"] in ("val", "test"):
            assert split_of[each["path"]] == each["split"].replace("val", "validation")


def test_a_table_is_loaded_evaluated_and_inspected_like_a_folder(pictures):
    rows = [
        {"path": f"{n}.png", "label": "hat" if n % 2 else "dress", "split": "", "group": ""} for n in range(8)
    ]
    rows.append({"path": "missing.png", "label": "hat", "split": "", "group": ""})
    table = write_rows(pictures / "whole.csv", rows)
    dataset = load_dataset(table)
    assert (dataset.root, dataset.source, dataset.labels) == (pictures, table, ("dress", "hat"))
    assert dataset.counts() == {label: {"train": 2, "validation": 1, "test": 1} for label in ("dress", "hat")}
    assert [file.path for file in dataset.unreadable] == ["missing.png"]
    selection = load_labelled(table, labels=["dress", "hat"])
    assert {photo.split for photo in selection.dataset.photos} == {"new"}
    assert selection.dataset.root == pictures
    document = inspect_dataset(table).to_json()
    assert (document["path"], document["photos"]) == (str(table), 8)


def test_a_table_that_divides_a_group_is_refused_unless_groups_are_ignored(pictures):
    rows = [
        {"path": f"{n}.png", "label": "hat" if n % 2 else "dress", "split": "train", "group": ""}
        for n in range(8)
    ]
    rows[0] |= {"split": "val", "group": "one"}
    rows[2] |= {"group": "one"}
    table = write_rows(pictures / "divided.csv", rows)
    error = refusal(table)
    assert error.code == "divided-group"
    assert "'one'" in error.message
    assert len(load_dataset(table, group_by="none").of("validation")) == 1
    assert "leakage" in {finding.kind for finding in inspect_dataset(table).findings}


def test_groups_in_a_folder_are_read_by_themselves(tmp_path, make_photos):
    for label in ("dress", "hat"):
        make_photos(label, 10)
    rows = "".join(f"hat/{n:03}.png,all\n" for n in range(9))
    (tmp_path / "groups.csv").write_text(f"path,group\n{rows}")
    splits = {photo.path: photo.split for photo in load_dataset(tmp_path).photos}
    assert len({splits[f"hat/{n:03}.png"] for n in range(9)}) == 1
    (tmp_path / "groups.csv").write_text("photo,group\n")
    assert refusal(tmp_path).code == "missing-column"
