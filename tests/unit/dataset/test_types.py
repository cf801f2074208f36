import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from shutterless.dataset.scan import load_dataset
from shutterless.dataset.types import NOT_A_PICTURE, Dataset, Photo, Skipped, Unreadable


def dataset(root, *photos: Photo) -> Dataset:
    return Dataset(root, ("hat",), photos, (), ())


def test_counts_name_every_label_and_every_split_in_use(tmp_path):
    photos = (Photo("a.png", "hat", "train"), Photo("b.png", "hat", "test"), Photo("c.png", "hat", "test"))
    assert dataset(tmp_path, *photos).counts() == {"hat": {"train": 1, "test": 2}}


@pytest.mark.parametrize(
    "change", [{"path": "1.png"}, {"label": "cap"}, {"split": "test"}, {"sha256": "beef"}], ids=str
)
def test_the_fingerprint_tells_path_label_split_and_content(tmp_path, change):
    photo = Photo("0.png", "hat", "train", sha256="cafe")
    first = dataset(tmp_path, photo).fingerprint
    assert len(first) == 64
    assert first != dataset(tmp_path, replace(photo, **change)).fingerprint


def test_the_fingerprint_is_that_of_the_folder_wherever_it_lies_and_needs_no_second_reading(
    tmp_path, make_photos
):
    make_photos("here/hat", 2)
    make_photos("here/cap", 2)
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    here, there = load_dataset(tmp_path / "here"), load_dataset(tmp_path / "there")
    shutil.rmtree(tmp_path / "here")
    assert here.fingerprint == there.fingerprint


def test_a_data_set_prints_as_one_line(tmp_path):
    photos = tuple(Photo(f"{number}.png", "hat", "train") for number in range(1200))
    assert repr(dataset(tmp_path, *photos, Photo("x.png", "hat", "test"))) == (
        f"Dataset('{tmp_path}': 1 label, 1,201 photos: train 1,200, test 1)"
    )
    assert repr(Dataset(tmp_path, (), (), (), ())) == f"Dataset('{tmp_path}': 0 labels, 0 photos)"


def test_a_thousand_unreadable_files_are_a_few_lines():
    reasons = ["the picture is empty", *(f"the picture has {number} pixels" for number in range(300))]
    unreadable = tuple(Unreadable(f"hat/{number:04}.jpg", reasons[number % 301]) for number in range(1000))
    lines = Dataset(Path("photos"), ("hat",), (), unreadable, ()).all_warnings()
    assert len(lines) == 6
    assert lines[0] == (
        "left out 4: the picture is empty (hat/0000.jpg, hat/0301.jpg, hat/0602.jpg and 1 more)"
    )
    assert lines[-1] == "left out 980 for 296 other reasons"


def test_a_line_about_other_files_counts_their_suffixes():
    skipped = Skipped.from_paths(NOT_A_PICTURE, ["a.txt", "b.TXT", "c.txt", "README"])
    assert str(skipped) == "left out 4: not a picture (3 .txt, 1 no suffix: a.txt, b.TXT, c.txt and 1 more)"
