import shutil

import pytest

from shutterless.dataset.records import Dataset, Photo
from shutterless.errors import ShutterlessError


def dataset(root, *photos: Photo) -> Dataset:
    return Dataset(root, ("hat",), photos, (), ())


def test_counts_name_every_label_and_every_split_in_use(tmp_path):
    photos = (Photo("a.png", "hat", "train"), Photo("b.png", "hat", "test"), Photo("c.png", "hat", "test"))
    assert dataset(tmp_path, *photos).counts() == {"hat": {"train": 1, "test": 2}}


def test_the_fingerprint_stays_when_the_data_set_is_moved(tmp_path, make_photos):
    make_photos("here")
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    photo = Photo("000.png", "hat", "train")
    assert dataset(tmp_path / "here", photo).fingerprint == dataset(tmp_path / "there", photo).fingerprint


@pytest.mark.parametrize(
    "other", [Photo("1.png", "hat", "train"), Photo("0.png", "cap", "train"), Photo("0.png", "hat", "test")]
)
def test_the_fingerprint_tells_path_label_and_split(tmp_path, other):
    for name in ("0.png", "1.png"):
        (tmp_path / name).write_bytes(b"same")
    first = dataset(tmp_path, Photo("0.png", "hat", "train")).fingerprint
    assert len(first) == 64
    assert first != dataset(tmp_path, other).fingerprint


def test_the_fingerprint_tells_content_of_the_same_size(tmp_path):
    photo = Photo("0.png", "hat", "train")
    (tmp_path / "0.png").write_bytes(b"one")
    first = dataset(tmp_path, photo).fingerprint
    (tmp_path / "0.png").write_bytes(b"two")
    assert first != dataset(tmp_path, photo).fingerprint


def test_the_fingerprint_of_a_lost_photo_is_an_error_that_names_it(tmp_path):
    with pytest.raises(ShutterlessError, match=r"lost\.png"):
        _ = dataset(tmp_path, Photo("lost.png", "hat", "train")).fingerprint
