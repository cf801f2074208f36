import pytest

from shutterless.dataset.groups.file_names import Name, read_name
from shutterless.dataset.types import Photo


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("hat/hat-0001.jpg", Name("", "hat", 1, True)),
        ("hat/IMG0012.JPG", Name("", "IMG", 12, False)),
        ("train/hat/straw/milk_07_03.jpg", Name("straw", "milk_07", 3, True)),
        ("hat/picture (2).png", Name("", "picture", 2, True)),
        ("hat/picture.png", Name("", "picture", None, True)),
        ("hat/cap_3_jpg.rf.0aF9.jpg", Name("", "cap_3", None, True)),
        ("hat/009b3c31-fb62-45c0-be9a-37a5c238cb88.jpg", Name("", "009b3c31-fb62-45c0-be9a-37a5c238cb", 88)),
    ],
)
def test_a_name_is_taken_apart_into_folder_series_and_number(path, name):
    assert read_name(Photo(path, "hat", "train")) == name


@pytest.mark.parametrize(
    "stem",
    ["IMG_19700102_000001", "PXL_19700102_000001123.MP", "WhatsApp Image 1970-01-02 at 00.00.01 (1)"],
)
def test_the_time_in_a_phone_s_file_name_is_read_and_is_no_series(stem):
    assert read_name(Photo(f"hat/{stem}.jpg", "hat", "train")) == Name("", stem, seconds=86401.0)


def test_digits_that_are_no_time_are_none():
    assert read_name(Photo("hat/IMG_20249999_999999.jpg", "hat", "train")).seconds is None
