import pytest

from shutterless.dataset.layout import (
    LABELS_OR_SPLITS_HINT,
    NOT_A_SPLIT,
    OUTPUT,
    OUTSIDE_LABELS,
    RAW,
    find_photos,
    find_pictures,
    find_split_folders,
)
from shutterless.dataset.types import NOT_A_PICTURE
from shutterless.errors import ShutterlessError
from shutterless.files import REPORT_MARK


def names(root):
    return {split: folder.name for split, folder in find_split_folders(root).items()}


def labels(root):
    return {split: sorted(names) for split, names in find_photos(root).labels.items()}


def refusal(root) -> ShutterlessError:
    with pytest.raises(ShutterlessError) as caught:
        find_split_folders(root)
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize(
    ("train", "other", "split"),
    [
        ("Training", "Testing", "test"),
        ("training_set", "test_set", "test"),
        ("train_data", "val_data", "validation"),
        ("train", "dev", "validation"),
        ("Train Images", "Validation Images", "validation"),
        ("trainset", "testset", "test"),
        ("images-train", "images-test", "test"),
        ("train", "hold-out", "test"),
        ("seg_train", "seg_test", "test"),
        ("flowers.train", "flowers.val", "validation"),
        ("train", "evaluation", "test"),
    ],
)
def test_the_usual_names_of_splits_are_recognised(tmp_path, make_photos, train, other, split):
    for folder in (train, other):
        make_photos(f"{folder}/glioma")
        make_photos(f"{folder}/notumor")
    assert names(tmp_path) == {"train": train, split: other}
    assert labels(tmp_path) == {part: ["glioma", "notumor"] for part in ("train", split)}


@pytest.mark.parametrize(
    "folders",
    [("bus", "car", "train"), ("valid", "expired"), ("test_tube", "flask"), ("steam_train", "steam_engine")],
)
def test_labels_that_are_called_like_splits_are_labels_where_all_hold_photos(tmp_path, make_photos, folders):
    for folder in folders:
        make_photos(folder)
    assert names(tmp_path) == {}
    assert labels(tmp_path) == {"train": sorted(folders)}


@pytest.mark.parametrize(
    ("folders", "code"),
    [
        (("test/cat", "test/dog", "cat", "dog"), "mixed-splits-and-labels"),
        (("test", "cat", "dog"), "mixed-splits-and-labels"),
        (("train/old", "train/new", "bus/old", "bus/new", "car/old"), "mixed-splits-and-labels"),
        (("Entrenamiento/cat", "Entrenamiento/dog", "Prueba/cat", "Prueba/dog"), "ambiguous-layout"),
        (("color/apple", "color/pear", "grey/apple", "grey/pear"), "ambiguous-layout"),
    ],
)
def test_what_may_be_labels_or_splits_is_refused_with_both_ways_out(tmp_path, make_photos, folders, code):
    for folder in folders:
        make_photos(folder)
    error = refusal(tmp_path)
    assert error.code == code
    assert LABELS_OR_SPLITS_HINT in error.hint


def test_the_ways_out_of_the_refusal_lead_out(tmp_path, make_photos):
    for folder in ("train/bus/old", "train/bus/new", "train/car/old", "train/train/old"):
        make_photos(f"as-labels/{folder}")
    for folder in ("train/cat", "train/dog", "test/cat", "test/dog"):
        make_photos(f"as-splits/{folder}")
    assert labels(tmp_path / "as-labels") == {"train": ["bus", "car", "train"]}
    assert names(tmp_path / "as-splits") == {"train": "train", "test": "test"}


def test_splits_whose_photos_have_no_labels_are_refused(tmp_path, make_photos):
    make_photos("train", 2)
    make_photos("test", 2)
    assert refusal(tmp_path).code == "photos-without-label"


def test_labels_with_folders_of_different_names_are_labels(tmp_path, make_photos):
    for folder in ("dress/red", "dress/blue", "hat/straw", "hat/felt"):
        make_photos(folder)
    assert labels(tmp_path) == {"train": ["dress", "hat"]}


def test_a_folder_around_the_labels_or_splits_is_looked_through(tmp_path, make_photos):
    for folder in ("seg_train/seg_train", "seg_test/seg_test"):
        make_photos(f"archive/{folder}/sea")
        make_photos(f"archive/{folder}/street")
    make_photos("archive/seg_pred")
    assert labels(tmp_path) == {"test": ["sea", "street"], "train": ["sea", "street"]}
    listing = find_photos(tmp_path)
    assert {photo.path for photo in listing.photos if photo.split == "test"} == {
        "archive/seg_test/seg_test/sea/000.png",
        "archive/seg_test/seg_test/street/000.png",
    }
    assert listing.skipped == {NOT_A_SPLIT: ["archive/seg_pred"]}


@pytest.mark.parametrize(
    "output",
    [
        {"recipe.toml": b"", "split.csv": b"", "figures/samples.png": b""},
        {"bundle.json": b'{"format_version": 1}', "model.tflite": b""},
        {"report.html": REPORT_MARK},
        {".shutterless-figures": b"samples.png\n", "samples.png": b""},
    ],
)
def test_what_shutterless_wrote_is_never_a_label(tmp_path, make_photos, output):
    make_photos("dress")
    make_photos("hat")
    for folder in ("run", "hat/run"):
        make_photos(folder)
        for name, content in output.items():
            (tmp_path / folder / name).parent.mkdir(exist_ok=True)
            (tmp_path / folder / name).write_bytes(content)
    listing = find_photos(tmp_path)
    assert listing.labels == {"train": {"dress", "hat"}}
    assert [photo.path for photo in listing.photos] == ["dress/000.png", "hat/000.png"]
    assert listing.skipped == {OUTPUT: ["run", "hat/run"]}


def test_what_is_left_out_is_counted_by_reason_and_suffix(tmp_path, make_photos):
    make_photos("dress", 4)
    (tmp_path / "dress" / "000.png").rename(tmp_path / "dress" / "000")
    (tmp_path / "dress" / "001.png").rename(tmp_path / "dress" / "001.jfif")
    for name in ("a.txt", "b.txt", "c.TXT", "d.json", "Thumbs.db", "README", ".DS_Store", "._000.jpg"):
        (tmp_path / "dress" / name).write_bytes(b"no picture")
    (tmp_path / "dress" / "photo.dng").write_bytes(b"II*\0")
    make_photos(".")
    listing = find_photos(tmp_path)
    assert [photo.path for photo in listing.photos] == [
        f"dress/{name}" for name in ("000", "001.jfif", "002.png", "003.png")
    ]
    summary = {one.reason: one for one in listing.summary()}
    assert {reason: one.count for reason, one in summary.items()} == {
        OUTSIDE_LABELS: 1,
        RAW: 1,
        NOT_A_PICTURE: 6,
    }
    assert summary[NOT_A_PICTURE].suffixes == {".txt": 3, ".db": 1, "no suffix": 1, ".json": 1}
    assert summary[NOT_A_PICTURE].examples == ("dress/README", "dress/Thumbs.db", "dress/a.txt")


def test_pictures_are_found_below_any_folder_and_the_rest_is_counted(tmp_path, make_photos):
    make_photos(".", 1)
    make_photos("a/b", 1, suffix=".jpg")
    (tmp_path / "a" / "b" / "000.jpg").rename(tmp_path / "a" / "b" / "photo")
    (tmp_path / "a" / "notes.txt").touch()
    (tmp_path / ".hidden").mkdir()
    pictures, skipped = find_pictures(tmp_path)
    assert pictures == [tmp_path / "000.png", tmp_path / "a" / "b" / "photo"]
    assert [(one.reason, one.count) for one in skipped] == [(NOT_A_PICTURE, 1)]
