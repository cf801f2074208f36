import os

import pytest
from PIL import Image

from shutterless.dataset.formats import HEAD_BYTES, begins_like_a_picture, is_picture, is_raw

FORMATS = {"JPEG": {}, "PNG": {}, "WEBP": {}, "GIF": {}, "BMP": {}, "TIFF": {}, "AVIF": {}}


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("name", ["photo", "photo.jfif", "photo.txt", "photo.PNG", "photo.jpg.1"])
def test_a_picture_is_recognised_by_its_content_whatever_it_is_called(tmp_path, kind, name):
    Image.new("RGB", (8, 6), "red").save(tmp_path / name, kind)
    assert is_picture(tmp_path / name)


@pytest.mark.parametrize("brand", [b"heic", b"mif1", b"avif"])
def test_heic_and_avif_are_pictures_and_video_is_not(brand):
    head = b"\0\0\0\x18ftyp" + brand + b"\0\0\0\0mif1"
    assert begins_like_a_picture(head[:HEAD_BYTES])
    assert not begins_like_a_picture(head.replace(brand, b"isom")[:HEAD_BYTES])


@pytest.mark.parametrize(
    "content",
    [b"", b"BM", b"BMW, black, 2019 model", b"{}", b"<svg>", b"RIFF1234WAVEfmt ", b"II", b"MM and more text"],
)
def test_other_files_are_not_pictures(tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    assert not is_picture(tmp_path / "file")


def test_a_pictures_suffix_is_enough_so_that_a_broken_photo_is_not_passed_over(tmp_path):
    (tmp_path / "empty.JPG").touch()
    assert is_picture(tmp_path / "empty.JPG")


def test_raw_files_of_cameras_are_no_pictures_though_they_begin_like_tiff(tmp_path):
    Image.new("RGB", (8, 6)).save(tmp_path / "photo.NEF", "TIFF")
    assert is_raw(tmp_path / "photo.NEF")
    assert not is_picture(tmp_path / "photo.NEF")


def test_pipes_folders_and_dead_links_are_no_pictures_and_are_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("nowhere")
    assert [name for name in ("pipe", "folder", "link") if is_picture(tmp_path / name)] == []
