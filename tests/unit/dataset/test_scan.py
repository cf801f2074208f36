import os
from pathlib import Path

import pytest

from shutterless.dataset.layout import NOT_A_SPLIT, OUTSIDE_LABELS
from shutterless.dataset.scan import SPLITS, Unreadable, load_dataset
from shutterless.errors import ShutterlessError
from shutterless.runtime.image import decoder


@pytest.fixture
def two_labels(make_photos):
    """A flat folder of ten photos of each of two labels."""
    make_photos("dress", 10)
    make_photos("hat", 10)


def refusal(root: Path) -> ShutterlessError:
    with pytest.raises(ShutterlessError) as caught:
        load_dataset(root)
    assert caught.value.hint
    return caught.value


def test_a_folder_of_labels_is_split_80_10_10_by_label(tmp_path, two_labels):
    dataset = load_dataset(tmp_path)
    assert dataset.labels == ("dress", "hat")
    assert dataset.counts() == {
        "dress": {"train": 8, "validation": 1, "test": 1},
        "hat": {"train": 8, "validation": 1, "test": 1},
    }
    assert [photo.path for photo in dataset.photos] == sorted(photo.path for photo in dataset.photos)


def test_the_seed_decides_the_split(tmp_path, two_labels):
    assert load_dataset(tmp_path, seed=1).photos == load_dataset(tmp_path, seed=1).photos
    assert load_dataset(tmp_path, seed=1).photos != load_dataset(tmp_path, seed=2).photos


@pytest.mark.parametrize("validation", ["validation", "val", "valid", "Validation"])
def test_folders_by_split_are_taken_as_they_are(tmp_path, make_photos, validation):
    for label in ("dress", "hat"):
        make_photos(f"train/{label}", 3)
        make_photos(f"{validation}/{label}", 2)
        make_photos(f"test/{label}", 1)
    dataset = load_dataset(tmp_path)
    assert dataset.counts()["hat"] == {"train": 3, "validation": 2, "test": 1}
    assert dataset.warnings == ()
    assert [len(dataset.of(split)) for split in SPLITS] == [6, 4, 2]


def test_without_a_validation_folder_a_tenth_of_training_is_held_back(tmp_path, make_photos):
    for label in ("dress", "hat"):
        make_photos(f"train/{label}", 20)
        make_photos(f"test/{label}", 1)
    assert load_dataset(tmp_path).counts()["dress"] == {"train": 18, "validation": 2, "test": 1}


def test_photos_in_folders_below_a_label_count_to_it(tmp_path, two_labels, make_photos):
    make_photos("hat/straw/old", 2)
    assert sum(load_dataset(tmp_path).counts()["hat"].values()) == 12


def test_labels_may_have_spaces_and_any_script(tmp_path, make_photos):
    make_photos("T-shirt à manches", 3)
    make_photos("帽子", 3, suffix=".JPG")
    assert load_dataset(tmp_path).labels == ("T-shirt à manches", "帽子")


def test_files_without_a_picture_suffix_and_hidden_ones_are_passed_over(tmp_path, two_labels):
    for name in (".DS_Store", "Thumbs.db", "notes.txt", "._000.jpg"):
        (tmp_path / "hat" / name).write_bytes(b"no picture")
    (tmp_path / ".cache").mkdir()
    dataset = load_dataset(tmp_path)
    assert dataset.unreadable == ()
    assert dataset.labels == ("dress", "hat")


def test_unreadable_files_are_named_with_a_reason_and_left_out(tmp_path, two_labels):
    hat = tmp_path / "hat"
    (hat / "empty.jpg").touch()
    (hat / "text.jpg").write_text("not a picture")
    (hat / "cut.png").write_bytes((hat / "000.png").read_bytes()[:40])
    (hat / "folder.jpg").mkdir()
    (hat / "lost.jpg").symlink_to(tmp_path / "nowhere.jpg")
    os.mkfifo(hat / "pipe.jpg")
    dataset = load_dataset(tmp_path)
    names = ["cut.png", "empty.jpg", "folder.jpg", "lost.jpg", "pipe.jpg", "text.jpg"]
    assert [one.path for one in dataset.unreadable] == [f"hat/{name}" for name in names]
    assert all(one.reason for one in dataset.unreadable)
    assert len(dataset.photos) == 20


def test_a_file_that_may_not_be_read_is_left_out(tmp_path, two_labels, monkeypatch):
    honest = decoder.read

    def read(path: Path) -> bytes:
        if path.name == "003.png":
            raise PermissionError(13, "Permission denied")
        return honest(path)

    monkeypatch.setattr(decoder, "read", read)
    reasons = {one.path: one.reason for one in load_dataset(tmp_path).unreadable}
    assert reasons == {"dress/003.png": "Permission denied", "hat/003.png": "Permission denied"}


def test_a_name_that_is_not_utf8_is_left_out(tmp_path, two_labels):
    source = (tmp_path / "hat" / "000.png").read_bytes()
    Path(os.fsdecode(bytes(tmp_path / "hat") + b"/\xff.png")).write_bytes(source)
    dataset = load_dataset(tmp_path)
    assert dataset.unreadable == (Unreadable("hat/\\xff.png", "the name is not valid UTF-8"),)


def test_a_linked_folder_is_followed_and_a_loop_of_links_ends(tmp_path, make_photos):
    root = tmp_path / "photos"
    make_photos("elsewhere", 4)
    make_photos("photos/dress", 4)
    (root / "hat").symlink_to(tmp_path / "elsewhere")
    (root / "dress" / "again").symlink_to(root / "dress")
    (root / "dress" / "all").symlink_to(root)
    counts = load_dataset(root).counts()
    assert {label: sum(splits.values()) for label, splits in counts.items()} == {"dress": 4, "hat": 4}


def test_a_label_that_validation_or_test_lacks_is_a_warning(tmp_path, make_photos):
    for label in ("dress", "hat"):
        make_photos(f"train/{label}", 2)
    make_photos("validation/dress")
    make_photos("test/hat")
    dataset = load_dataset(tmp_path)
    assert dataset.warnings == ("no photo of 'hat' in validation", "no photo of 'dress' in test")


def test_photos_and_folders_outside_the_layout_are_counted(tmp_path, make_photos):
    for split in ("train", "validation"):
        make_photos(f"{split}/dress", 2)
        make_photos(f"{split}/hat", 2)
    make_photos("train")
    make_photos("raw/dress")
    skipped = {one.reason: one.examples for one in load_dataset(tmp_path).skipped}
    assert skipped == {OUTSIDE_LABELS: ("train/000.png",), NOT_A_SPLIT: ("raw",)}


def test_progress_is_told_how_many_photos_there_are(tmp_path, two_labels):
    steps = []
    load_dataset(tmp_path, progress=lambda *step: steps.append(step))
    steps = [step[1:] for step in steps if step[0] == "checking photos"]
    assert steps == [(done, 20) for done in range(21)]


def test_no_folder_is_refused(tmp_path):
    assert refusal(tmp_path / "nowhere").code == "not-found"


def test_a_file_is_refused(tmp_path):
    (tmp_path / "photo.jpg").touch()
    assert refusal(tmp_path / "photo.jpg").code == "not-a-folder"


def test_a_folder_without_photos_is_refused(tmp_path):
    assert refusal(tmp_path).code == "no-photos"


def test_photos_without_label_folders_are_refused(tmp_path, make_photos):
    make_photos(".", 3)
    error = refusal(tmp_path)
    assert error.code == "no-photos"
    assert OUTSIDE_LABELS in error.hint


def test_a_folder_where_nothing_can_be_read_is_refused(tmp_path):
    (tmp_path / "hat").mkdir()
    (tmp_path / "hat" / "a.jpg").touch()
    error = refusal(tmp_path)
    assert error.code == "no-readable-photos"
    assert "hat/a.jpg" in error.hint


def test_one_label_is_refused(tmp_path, make_photos):
    make_photos("hat", 5)
    error = refusal(tmp_path)
    assert error.code == "single-label"
    assert "'hat'" in error.message


def test_a_label_without_a_readable_photo_is_refused(tmp_path, two_labels):
    (tmp_path / "skirt").mkdir()
    error = refusal(tmp_path)
    assert error.code == "label-without-training-photos"
    assert "'skirt'" in error.message


@pytest.mark.parametrize("split", ["validation", "test"])
def test_a_label_that_training_lacks_is_refused(tmp_path, make_photos, split):
    for folder in ("train/dress", "train/hat", "validation/hat", f"{split}/skirt"):
        make_photos(folder, 2)
    error = refusal(tmp_path)
    assert error.code == "label-without-training-photos"
    assert "'skirt'" in error.message


def test_folders_by_split_without_train_are_refused(tmp_path, make_photos):
    make_photos("validation/dress")
    make_photos("test/dress")
    assert refusal(tmp_path).code == "no-training-photos"


def test_two_folders_for_one_split_are_refused(tmp_path, make_photos):
    for folder in ("train", "val", "valid"):
        make_photos(f"{folder}/dress")
    error = refusal(tmp_path)
    assert error.code == "duplicate-split"
    assert "val/" in error.message and "valid/" in error.message


def test_a_data_set_that_leaves_nothing_for_validation_is_refused(tmp_path, make_photos):
    make_photos("dress")
    make_photos("hat")
    assert refusal(tmp_path).code == "no-validation-photos"


def test_photos_in_other_fit_no_label_and_are_kept_apart(tmp_path, two_labels, make_photos):
    before = load_dataset(tmp_path)
    make_photos("_other", 10)
    make_photos("_other/textures", 10)
    dataset = load_dataset(tmp_path)
    assert (dataset.labels, dataset.photos) == (before.labels, before.photos)
    assert {photo.label for photo in dataset.other} == {""}
    assert dataset.other[0].path == "_other/000.png"
    counts = {split: sum(photo.split == split for photo in dataset.other) for split in SPLITS}
    assert counts == {"train": 16, "validation": 2, "test": 2}
    assert all(photo.sha256 for photo in dataset.other)
    assert dataset.fingerprint != before.fingerprint
    assert dataset.warnings == ()


def test_other_in_a_split_has_that_split_and_beside_the_splits_is_divided(tmp_path, make_photos):
    for split in ("train", "val"):
        for label in ("dress", "hat"):
            make_photos(f"{split}/{label}", 3)
        make_photos(f"{split}/_other", 2)
    make_photos("_other", 10)
    dataset = load_dataset(tmp_path)
    assert dataset.counts() == {label: {"train": 3, "validation": 3} for label in ("dress", "hat")}
    splits = {split: [photo.path for photo in dataset.other if photo.split == split] for split in SPLITS}
    assert {"train/_other/000.png", "train/_other/001.png"} <= set(splits["train"])
    assert {"val/_other/000.png", "val/_other/001.png"} <= set(splits["validation"])
    assert {split: len(paths) for split, paths in splits.items()} == {"train": 10, "validation": 3, "test": 1}


def test_a_copy_of_a_labelled_photo_in_other_stays_in_its_split_and_is_a_conflict(tmp_path, make_photos):
    for split in ("train", "val"):
        for label in ("dress", "hat"):
            make_photos(f"{split}/{label}", 3)
    (tmp_path / "_other").mkdir()
    (tmp_path / "_other/copy.png").write_bytes((tmp_path / "val/hat/000.png").read_bytes())
    dataset = load_dataset(tmp_path)
    assert [photo.split for photo in dataset.other] == ["validation"]
    assert ["val/hat/000.png" in warning for warning in dataset.warnings] == [True]


def test_other_alone_is_no_data_set(tmp_path, make_photos):
    make_photos("_other", 3)
    assert refusal(tmp_path).code == "no-photos"
