import pytest

from shutterless.dataset.sources.folder_names import file_names, label_folders, safe_name
from shutterless.dataset.types import Photo


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("T-shirt/top", "T-shirt-top"),
        ("..", ""),
        (".hidden", "hidden"),
        ("a\0b\n", "a-b-"),
        ("end. ", "end"),
        ("CON", "CON_"),
        ("lpt1.txt", "lpt1.txt_"),
        ("Hüte 帽子", "Hüte 帽子"),
    ],
)
def test_labels_become_names_that_every_system_takes(label, name):
    assert safe_name(label) == name


@pytest.mark.parametrize(
    ("labels", "code"),
    [
        (["hat", "Hat"], "label-clash"),
        (["a/b", "a:b"], "label-clash"),
        (["..", "hat"], "unusable-label"),
        (["x" * 201, "hat"], "unusable-label"),
        (["_other", "hat"], "unusable-label"),
    ],
)
def test_labels_that_would_share_a_folder_or_have_none_are_refused(refusal, labels, code):
    assert refusal(lambda: label_folders(labels)) == code


def test_photos_keep_their_names_unless_two_have_the_same():
    photos = [
        Photo(path, "hat", "train") for path in ("a/1.jpg", "b/1.JPG", "b/2.jpg", "c/.3.jpg", f"{'x' * 255}")
    ]
    names = file_names(photos, {"hat": "hat"}, with_splits=True)
    assert (names["b/2.jpg"], names["c/.3.jpg"]) == ("train/hat/2.jpg", "train/hat/3.jpg")
    assert len({name.casefold() for name in names.values()}) == 5
    assert {name[:12] for name in names.values()} == {
        "train/hat/1.",
        "train/hat/2.",
        "train/hat/3.",
        "train/hat/ph",
    }
