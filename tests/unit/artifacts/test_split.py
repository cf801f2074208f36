import os
from dataclasses import replace
from pathlib import Path

import pytest

from shutterless.artifacts.split import read_split, write_split
from shutterless.dataset.split import split_photos
from shutterless.dataset.types import Dataset, Photo
from shutterless.errors import OutputError, RunError

SHARES = {"validation": 0.1, "test": 0.1}


def photos(label: str, count: int) -> list[Photo]:
    return [Photo(f"{label}/{number:03}.jpg", label, "train") for number in range(count)]


@pytest.fixture
def dataset(tmp_path) -> Dataset:
    shared = split_photos([*photos("T-shirt, weiß", 3), *photos("hat", 3)], SHARES, seed=1)
    return Dataset(tmp_path, ("T-shirt, weiß", "hat"), shared, (), ())


def test_a_written_split_reads_back_the_same_with_groups_and_hashes(dataset, tmp_path):
    first, *others = dataset.photos
    photos = (replace(first, group="hat/straw", sha256="0f" * 32), *others)
    write_split(replace(dataset, photos=photos), tmp_path / "split.csv")
    assert read_split(tmp_path / "split.csv") == photos
    assert [path.name for path in tmp_path.iterdir()] == ["split.csv"]


def test_photos_that_fit_no_label_are_recorded_without_one(dataset, tmp_path):
    other = (Photo("_other/1.jpg", "", "train", "_other/1.jpg", "0f" * 32), Photo("_other/2.jpg", "", "test"))
    write_split(replace(dataset, other=other), tmp_path / "split.csv")
    assert read_split(tmp_path / "split.csv") == (*dataset.photos, *other)


def test_a_split_of_the_first_three_columns_is_still_read(tmp_path):
    (tmp_path / "split.csv").write_text("path,label,split\nhat/1.jpg,hat,train\n")
    assert read_split(tmp_path / "split.csv") == (Photo("hat/1.jpg", "hat", "train"),)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(dataset, tmp_path, monkeypatch):
    file = tmp_path / "split.csv"
    file.write_text("old")

    def disk_full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", disk_full)
    with pytest.raises(OutputError) as caught:
        write_split(dataset, file)
    assert caught.value.code == "cannot-write"
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", "path,label,split,group,sha256"),
        ("path,label\n", "path,label,split,group,sha256"),
        ("path,label,split\na.jpg,hat\n", "row 2"),
        ("path,label,split\na.jpg,hat,\n", "row 2"),
        ("path,label,split\na.jpg,hat,holiday\n", "'holiday'"),
        ("path,label,split,group,sha256\na.jpg,hat,train\n", "row 2"),
        ("path,label,split,group,sha256\na.jpg,hat,train,,beef\n", "beef"),
        ('path,label,split\n"a.jpg,hat,train\n', "split.csv"),
        ("path,label,split\n/etc/a.jpg,hat,train\n", "/etc/a.jpg"),
        ("path,label,split\nhat/../../a.jpg,hat,train\n", "hat/../../a.jpg"),
        ("path,label,split\nhat\\..\\a.jpg,hat,train\n", "hat\\..\\a.jpg"),
        ("path,label,split\nC:\\a.jpg,hat,train\n", "C:\\a.jpg"),
    ],
)
def test_a_malformed_or_climbing_split_is_refused(tmp_path, text, value):
    (tmp_path / "split.csv").write_text(text)
    with pytest.raises(RunError) as caught:
        read_split(tmp_path / "split.csv")
    assert caught.value.code == "unreadable-split"
    assert value in caught.value.message


def test_a_split_that_is_missing_or_no_text_is_refused(tmp_path):
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00")
    for name in ("missing.csv", "bytes.csv"):
        with pytest.raises(RunError) as caught:
            read_split(tmp_path / name)
        assert caught.value.code == "unreadable-split"
        assert name in caught.value.message


def test_a_pipe_and_a_device_are_no_split(tmp_path):
    os.mkfifo(tmp_path / "split.csv")
    for file in (tmp_path / "split.csv", Path("/dev/zero")):
        with pytest.raises(RunError) as caught:
            read_split(file)
        assert caught.value.code == "unreadable-split"
