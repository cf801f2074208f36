import os
from dataclasses import replace

import pytest

from shutterless.dataset import load_dataset, locate_photos
from shutterless.dataset.integrity import content_hash
from shutterless.errors import DatasetError


@pytest.fixture
def recorded(tmp_path, make_photos):
    make_photos("dress", 10)
    make_photos("hat", 10)
    return load_dataset(tmp_path)


def test_photos_as_they_were_recorded_pass(recorded):
    assert locate_photos(recorded.root, recorded.photos) == recorded.photos


def test_photos_that_were_moved_or_removed_by_a_fix_are_found_by_their_content(recorded):
    first, second, *others = recorded.photos
    for photo, place in ((first, "coat/new.jpg"), (second, f".shutterless/removed/{second.path}")):
        (recorded.root / place).parent.mkdir(parents=True)
        (recorded.root / photo.path).rename(recorded.root / place)
    located = locate_photos(recorded.root, recorded.photos)
    assert located == (
        replace(first, path="coat/new.jpg"),
        replace(second, path=f".shutterless/removed/{second.path}"),
        *others,
    )


def test_a_photo_at_the_place_of_another_one_has_changed(recorded):
    first, second, *_ = recorded.photos
    (recorded.root / first.path).rename(recorded.root / second.path)
    with pytest.raises(DatasetError) as caught:
        locate_photos(recorded.root, recorded.photos)
    assert caught.value.code == "changed-photos"


def test_changed_photos_are_counted_and_three_named(recorded):
    for photo in recorded.photos[:5]:
        with (recorded.root / photo.path).open("ab") as stream:
            stream.write(b"!")
    with pytest.raises(DatasetError) as caught:
        locate_photos(recorded.root, recorded.photos)
    assert caught.value.code == "changed-photos"
    assert "5 of the 20" in caught.value.message
    assert f"{recorded.photos[2].path} and 2 more" in caught.value.message


def test_missing_photos_are_told_from_changed_ones(recorded):
    (recorded.root / recorded.photos[0].path).unlink()
    with pytest.raises(DatasetError) as caught:
        locate_photos(recorded.root, recorded.photos)
    assert caught.value.code == "missing-photos"
    assert recorded.photos[0].path in caught.value.message
    locate_photos(recorded.root, recorded.photos[1:])


def test_of_photos_without_a_recorded_hash_only_the_place_is_checked(recorded):
    photos = [replace(photo, sha256="") for photo in recorded.photos]
    (recorded.root / photos[0].path).write_bytes(b"other")
    locate_photos(recorded.root, photos)


def test_what_cannot_be_read_has_no_hash(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert content_hash(tmp_path / "pipe") == content_hash(tmp_path / "nothing") == ""
