import json
import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

from shutterless.dataset.inspect.inspection import inspect_dataset
from shutterless.dataset.scan import load_dataset
from shutterless.errors import DatasetError
from shutterless.runtime.image import decoder


@pytest.fixture
def photos(colour_photos, tmp_path) -> Path:
    """Return a copy of the colours that a test may spoil."""
    return shutil.copytree(colour_photos, tmp_path / "photos")


def kinds(inspection) -> set[str]:
    return {finding.kind for finding in inspection.findings}


def test_every_photo_is_counted_by_label_and_split(colour_photos):
    inspection = inspect_dataset(colour_photos)
    assert inspection.totals == {"train": 36, "validation": 18, "test": 9}
    assert inspection.dataset.counts()["red"] == {"train": 12, "validation": 6, "test": 3}
    assert inspection.formats == {"PNG": 63}
    assert inspection.sides["width"] == {"smallest": 40, "median": 40, "largest": 40}
    assert kinds(inspection) == {"few-photos", "small"}


def test_a_photo_of_training_in_validation_under_another_label_is_found(photos):
    shutil.copy(photos / "train" / "red" / "00.png", photos / "validation" / "blue" / "copy.png")
    inspection = inspect_dataset(photos)
    assert {"leakage", "label-conflict", "exact-duplicates"} <= kinds(inspection)
    assert inspection.findings[0].files == (("train/red/00.png", "validation/blue/copy.png"),)


def test_photos_by_label_only_are_in_the_splits_that_training_gives_them(colour_photos):
    by_label = colour_photos / "train"
    inspection = inspect_dataset(by_label, seed=3)
    assert not inspection.has_split_folders
    assert inspection.dataset.photos == load_dataset(by_label, seed=3).photos
    assert list(inspection.stats) == list(inspection.dataset.photos)


def test_what_would_stop_a_training_is_a_finding(photos):
    (photos / "train" / "empty").mkdir()
    (photos / "train" / "red" / "cut.jpg").write_bytes(b"\xff\xd8\xff")
    shutil.rmtree(photos / "test" / "red")
    inspection = inspect_dataset(photos)
    assert inspection.dataset.counts()["empty"] == {"train": 0, "validation": 0, "test": 0}
    assert {"few-photos", "unreadable", "layout"} <= kinds(inspection)


def test_without_a_train_folder_there_is_still_something_to_see(photos):
    shutil.rmtree(photos / "train")
    assert inspect_dataset(photos).totals == {"validation": 18, "test": 9}


def test_every_photo_is_decoded_once(colour_photos, monkeypatch):
    decoded, honest = [], decoder.decode

    def decode(data, spec):
        decoded.append(spec)
        return honest(data, spec)

    monkeypatch.setattr(decoder, "decode", decode)
    inspect_dataset(colour_photos)
    assert len(decoded) == 63


def test_the_json_document_can_be_written_whatever_the_names(photos):
    Path(os.fsdecode(bytes(photos / "train" / "red") + b"/\xff.png")).write_bytes(b"")
    Image.new("RGB", (9, 9)).save(photos / "train" / "red" / "帽子.png")
    document = json.loads(json.dumps(inspect_dataset(photos).to_json()))
    assert document["unreadable"][0]["path"] == r"train/red/\xff.png"
    assert document["splits_from"] == "folders"
    assert document["photos"] == 64 == sum(document["totals"].values())


def test_photos_in_other_are_counted_apart(photos):
    (photos / "train" / "_other").mkdir()
    for number in range(3):
        Image.new("RGB", (9, 9), (number, 99, 99)).save(photos / "train" / "_other" / f"{number}.png")
    before = inspect_dataset(photos).to_json()
    assert (before["other"], before["photos"]) == ({"train": 3}, 63)


def test_a_folder_without_photos_is_refused(tmp_path):
    with pytest.raises(DatasetError) as caught:
        inspect_dataset(tmp_path)
    assert caught.value.code == "no-photos"


def test_groups_are_listed_with_how_they_were_found_and_are_no_fault(colour_photos, tmp_path):
    shutil.copytree(colour_photos / "train", tmp_path / "photos")
    red = tmp_path / "photos" / "red"
    for shot in range(3):
        (red / f"0{shot}.png").rename(red / f"ball7_{shot}.png")
    inspection = inspect_dataset(tmp_path / "photos")
    (group,) = inspection.to_json()["groups"]
    assert group["found_by"] == ["name"]
    assert [one["path"] for one in group["photos"]] == [f"red/ball7_{shot}.png" for shot in range(3)]
    assert len({one["split"] for one in group["photos"]}) == 1
    assert "leakage" not in kinds(inspection)
    assert len(repr(inspection)) < 200
