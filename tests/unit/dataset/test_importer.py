import csv

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from shutterless.dataset.importer import DUPLICATE, import_dataset
from shutterless.dataset.scan import load_dataset, scan_photos
from shutterless.dataset.sources.records import TWO_LABELS
from shutterless.dataset.sources.table import list_photos
from shutterless.errors import DatasetError, ShutterlessError
from shutterless.utils.progress import silent


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Return a folder of sixteen pictures, of which the last four repeat the first."""
    folder = tmp_path_factory.mktemp("source")
    (folder / "deep").mkdir()
    for number in range(16):
        picture = Image.new("RGB", (6, 6), (number % 12 * 9, 80, 99))
        picture.save(folder / ("deep" if number % 2 else ".") / f"{number // 2}.png")
    return folder


def table(folder, rows, name="photos.csv"):
    with (folder / name).open("w", newline="") as stream:
        csv.writer(stream).writerows([("path", "label", "split", "group"), *rows])
    return folder / name


def path(number: int) -> str:
    return f"deep/{number // 2}.png" if number % 2 else f"{number // 2}.png"


def code(*arguments, **options) -> str:
    with pytest.raises(ShutterlessError) as caught:
        import_dataset(*arguments, **options, progress=silent)
    assert caught.value.hint
    return caught.value.code


def test_a_table_becomes_folders_with_its_splits_and_groups(source, tmp_path):
    rows = [(path(n), "hat/cap" if n % 3 else "dress", ("train", "val", "test")[n % 3], "") for n in range(9)]
    rows += [(path(9), "_other", "", "g"), (path(10), "dress", "test", "g"), ("missing.png", "dress", "", "")]
    photos = tmp_path / "photos"
    result = import_dataset(table(source, rows), photos, progress=silent)
    assert result.counts() == {
        "dress": {"train": 3, "validation": 0, "test": 1},
        "hat/cap": {"train": 0, "validation": 3, "test": 3},
    }
    assert result.renamed == {"hat/cap": "hat-cap"}
    assert [(each.reason, each.examples) for each in result.skipped] == [
        ("there is no such file", ("missing.png",))
    ]
    assert (photos / "groups.csv").read_text() == "path,group\ntest/_other/4.png,g\ntest/dress/5.png,g\n"
    listing = list_photos(photos)
    assert {photo.path for photo in (*listing.photos, *listing.other)} == {
        photo.path for photo in result.photos
    }


def test_equal_photos_are_imported_once_and_those_under_two_labels_not_at_all(source, tmp_path):
    rows = [(path(n), "hat", "test" if n == 0 else "train", "") for n in (0, 12, 1, 2)]
    rows += [(path(13), "dress", "train", ""), (path(3), "dress", "train", "")]
    result = import_dataset(table(source, rows), tmp_path / "photos", progress=silent)
    # The copy in training stays: the one in test would be leakage.
    assert [photo.path for photo in result.photos] == [
        "train/dress/1.png",
        "train/hat/1.png",
        "train/hat/6.png",
    ]
    skipped = {each.reason: set(each.examples) for each in result.skipped}
    assert skipped == {DUPLICATE: {path(0)}, TWO_LABELS: {path(1), path(13)}}


def test_a_folder_of_labels_is_imported_and_unreadable_files_are_listed(tmp_path, make_photos):
    make_photos("in/hat", 2)
    make_photos("in/dress", 2)
    (tmp_path / "in/hat/broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    result = import_dataset(tmp_path / "in", tmp_path / "out", link=True, progress=silent)
    assert (result.format, result.counts()) == ("imagefolder", {"dress": {"new": 2}, "hat": {"new": 2}})
    assert [each.examples for each in result.skipped] == [("hat/broken.png",)]
    assert (tmp_path / "in/hat/000.png").samefile(tmp_path / "out/hat/000.png")


def test_labels_that_are_called_like_splits_are_imported_as_labels(source, tmp_path):
    rows = [(path(n), "train" if n % 2 else "bus", "", "") for n in range(12)]
    import_dataset(table(source, rows), tmp_path / "photos", progress=silent)
    assert load_dataset(tmp_path / "photos", progress=silent).labels == ("bus", "train")


def test_nothing_is_replaced_and_nothing_half_written_is_left(source, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/photo.jpg").write_text("mine")
    good = table(source, [(path(0), "hat", "", "")])
    assert code(good, tmp_path / "mine") == "not-empty"
    assert code(source, source / "out") == "output-inside-photos"
    assert code(tmp_path / "missing.csv", tmp_path / "out") == "not-found"
    assert code(good, tmp_path / "out", format="yaml") == "unknown-format"
    assert code(source, tmp_path / "out", root=source) == "useless-root"
    assert code(table(source, [("missing.png", "hat", "", "")]), tmp_path / "out") == "no-readable-photos"
    assert code(table(source, [(path(0), "", "", "")]), tmp_path / "out") == "no-photos"
    two = [(path(0), "hat", "", ""), (path(12), "dress", "", "")]
    assert code(table(source, two), tmp_path / "out") == "no-photos"
    divided = [(path(0), "hat", "train", "g"), (path(1), "hat", "test", "g")]
    assert code(table(source, divided), tmp_path / "out") == "divided-group"
    (tmp_path / "notes.txt").write_text("no photos")
    assert code(tmp_path / "notes.txt", tmp_path / "out") == "unknown-source"
    assert {each.name for each in tmp_path.iterdir()} == {"mine", "notes.txt"}


def rows_of(number: int):
    return st.tuples(
        st.just(path(number)),
        st.sampled_from(["hat", "dress", "_other", "Trousers/long"]),
        st.sampled_from(["", "", "train", "val", "test"]),
        st.sampled_from(["", "", "one", "two"]),
    )


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.tuples(*map(rows_of, range(16))))
def test_the_groups_of_a_table_are_whole_in_the_imported_folder(source, tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("imported")
    try:
        result = import_dataset(table(source, list(rows), "any.csv"), folder, progress=silent)
    except DatasetError as error:
        assert error.code in ("divided-group", "no-photos")
        return
    group_of = {photo.path: photo.group for photo in result.photos if photo.group}
    scan = scan_photos(list_photos(folder), seed=1, group_by="auto", progress=silent, what="")
    split_of = {photo.path: photo.split for photo in (*scan.photos, *scan.other)}
    assert split_of.keys() == {photo.path for photo in result.photos}
    for group in set(group_of.values()):
        assert len({split_of[path] for path, name in group_of.items() if name == group}) == 1
