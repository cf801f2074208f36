import io
import struct

import pytest
from PIL import Image

from shutterless.dataset.exif import UNKNOWN, Shot, read_shot


def jpeg(taken: str = "", fraction: str = "", camera: str = "") -> bytes:
    exif = Image.Exif()
    if camera:
        exif[0x0110] = camera
    exif.get_ifd(0x8769).update({tag: text for tag, text in ((0x9003, taken), (0x9291, fraction)) if text})
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, format="JPEG", exif=exif)
    return stream.getvalue()


def test_time_and_camera_are_those_that_the_camera_wrote():
    shot = read_shot(jpeg("1970:01:02 00:00:01", "25", "Phone 7"))
    assert shot == Shot(86401.25, "Phone 7")


@pytest.mark.parametrize("taken", ["", "0000:00:00 00:00:00", "yesterday"])
def test_a_time_that_is_none_is_unknown(taken):
    assert read_shot(jpeg(taken, camera="Phone")) == Shot(None, "Phone")


def test_a_photo_without_exif_data_says_nothing():
    assert read_shot(b"\xff\xd8no picture") == UNKNOWN


def test_damaged_exif_data_never_raises():
    whole = jpeg("2024:01:31 09:30:00", "5", "Phone")
    for end in range(len(whole)):
        read_shot(whole[:end])
    for place in range(20, 120):
        read_shot(whole[:place] + b"\xff\xff\xff\xff" + whole[place + 4 :])


def test_a_directory_of_endless_entries_ends():
    entry = struct.pack("<HHLL", 0x0110, 2, 2**32 - 1, 8)
    tiff = b"II*\0" + struct.pack("<L", 8) + struct.pack("<H", 2**16 - 1) + entry * 5000
    assert read_shot(b"\xff\xd8Exif\0\0" + tiff) == UNKNOWN


@pytest.mark.parametrize("kind", ["HEIF", "AVIF", "JPEG"])
def test_time_and_camera_are_read_in_every_format_of_phones(kind):
    exif = Image.Exif()
    exif[0x0110] = "Phone 7"
    exif.get_ifd(0x8769)[0x9003] = "1970:01:02 00:00:01"
    stream = io.BytesIO()
    picture = Image.new("RGB", (64, 64), "red")
    if kind == "HEIF":
        heif = pytest.importorskip("pillow_heif").from_pillow(picture)
        heif.save(stream, exif=exif.tobytes())
    else:
        picture.save(stream, kind, exif=exif)
    assert read_shot(stream.getvalue()) == Shot(86401.0, "Phone 7")
