import pytest

from shutterless.dataset.groups.file_names import FileName, parse_file_name
from shutterless.dataset.types import Photo


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("hat/hat-0001.jpg", FileName("", "hat", 1, True)),
        ("hat/IMG0012.JPG", FileName("", "IMG", 12, False)),
        ("train/hat/straw/milk_07_03.jpg", FileName("straw", "milk_07", 3, True)),
        ("hat/picture (2).png", FileName("", "picture", 2, True)),
        ("hat/picture.png", FileName("", "picture", None, True)),
        ("hat/cap_3_jpg.rf.0aF9.jpg", FileName("", "cap_3", None, True)),
        (
            "hat/009b3c31-fb62-45c0-be9a-37a5c238cb88.jpg",
            FileName("", "009b3c31-fb62-45c0-be9a-37a5c238cb", 88),
        ),
    ],
)
def test_a_name_is_taken_apart_into_folder_series_and_number(path, name):
    assert parse_file_name(Photo(path, "hat", "train")) == name


@pytest.mark.parametrize(
    "stem",
    ["IMG_19700102_000001", "PXL_19700102_000001123.MP", "WhatsApp Image 1970-01-02 at 00.00.01 (1)"],
)
def test_the_time_in_a_phone_s_file_name_is_read_and_is_no_series(stem):
    assert parse_file_name(Photo(f"hat/{stem}.jpg", "hat", "train")) == FileName("", stem, seconds=86401.0)


def test_digits_that_are_no_time_are_none():
    assert parse_file_name(Photo("hat/IMG_20249999_999999.jpg", "hat", "train")).seconds is None
