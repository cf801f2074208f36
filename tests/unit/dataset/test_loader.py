import numpy as np
import pytest
from PIL import Image

from shutterless.dataset.loader import PhotoReader, index_chunks, label_indices, read_pixels
from shutterless.dataset.types import Decoded, Photo
from shutterless.errors import DatasetError
from shutterless.runtime import host_resources
from shutterless.runtime.image.decoder import InputSpec

SPEC = InputSpec(height=4, width=5)


@pytest.fixture
def photos(tmp_path) -> list[Photo]:
    """Three photos of one grey each: 10, 20 and 30."""
    for grey in (10, 20, 30):
        Image.new("RGB", (8, 8), (grey, grey, grey)).save(tmp_path / f"{grey}.png")
    return [Photo(f"{grey}.png", "hat", "train") for grey in (10, 20, 30)]


def test_photos_are_read_in_their_order_and_size(tmp_path, photos):
    pixels = read_pixels(tmp_path, photos, SPEC)
    assert (pixels.shape, pixels.dtype) == ((3, 4, 5, 3), np.uint8)
    assert pixels[:, 0, 0, 0].tolist() == [10, 20, 30]


def test_no_photos_are_an_empty_array(tmp_path):
    assert read_pixels(tmp_path, [], SPEC).shape == (0, 4, 5, 3)


@pytest.mark.parametrize("memory_limit", [None, 0])
def test_a_reader_gives_the_photos_asked_for_whether_it_keeps_them_or_not(tmp_path, photos, memory_limit):
    reader = PhotoReader(tmp_path, photos, SPEC, memory_limit)
    assert len(reader) == 3
    assert reader[np.array([2, 0])][:, 0, 0, 0].tolist() == [30, 10]


def test_a_reader_keeps_the_photos_only_within_its_limit(tmp_path, photos):
    size = 3 * 4 * 5 * 3
    keeping, forgetting = (PhotoReader(tmp_path, photos, SPEC, limit) for limit in (size, size - 1))
    (tmp_path / "10.png").unlink()
    assert keeping[np.array([0])].shape == (1, 4, 5, 3)
    with pytest.raises(DatasetError) as caught:
        forgetting[np.array([0])]
    assert caught.value.code == "unreadable-photo"
    assert "10.png" in caught.value.message


def test_a_photo_that_broke_since_the_scan_is_an_error_that_names_it(tmp_path, photos):
    (tmp_path / "20.png").write_bytes(b"broken")
    with pytest.raises(DatasetError) as caught:
        read_pixels(tmp_path, photos, SPEC)
    assert caught.value.code == "unreadable-photo"
    assert "20.png" in caught.value.message


def test_labels_become_their_places(photos):
    assert label_indices(photos, ("dress", "hat")).tolist() == [1, 1, 1]


def test_windows_which_has_no_sysconf_reads_photos_too(tmp_path, photos, monkeypatch):
    monkeypatch.setattr(host_resources, "CGROUP", tmp_path)
    monkeypatch.delattr(host_resources.os, "sysconf")
    (tmp_path / "memory.max").write_text("max")
    assert host_resources.memory() == 4 << 30
    assert PhotoReader(tmp_path, photos, SPEC)[np.array([1])][0, 0, 0, 0] == 20


def test_a_reader_takes_what_is_already_decoded_for_its_input_and_reads_no_file(tmp_path, photos):
    arrays = {photo.path: np.full((4, 5, 3), number, np.uint8) for number, photo in enumerate(photos)}
    reader = PhotoReader(tmp_path / "gone", photos, SPEC, decoded=Decoded(SPEC, arrays))
    assert reader[np.array([2, 0])][:, 0, 0, 0].tolist() == [2, 0]
    assert reader[np.array([], int)].shape == (0, 4, 5, 3)
    other = PhotoReader(tmp_path, photos, InputSpec(4, 5, "pad"), decoded=Decoded(SPEC, arrays))
    assert other[np.array([2])].max() == 30


def test_indices_come_in_chunks_of_which_the_last_may_be_smaller():
    assert [chunk.tolist() for chunk in index_chunks(5, 2)] == [[0, 1], [2, 3], [4]]
    assert [*index_chunks(0, 2)] == []
