import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFile

from shutterless.runtime.image import limits
from shutterless.runtime.image.decoder import InputSpec, check, cost, read_header
from shutterless.runtime.image.limits import MAX_PIXELS
from shutterless.runtime.problems import Problem
from tests.decoding import decode

SPEC = InputSpec(height=12, width=16)


def encode(picture: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def jpeg(width: int, height: int, mode: str = "RGB", **options) -> bytes:
    """Return a JPEG whose header says that it has another size."""
    data = encode(Image.new(mode, (16, 16), 128), "JPEG", **options)
    at = data.index(b"\xff\xc2" if options.get("progressive") else b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]


def png(width: int, height: int) -> bytes:
    def chunk(name: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + checksum

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def problem(data: bytes) -> str:
    with pytest.raises(Problem) as caught:
        decode(data, SPEC)
    return caught.value.code


@pytest.fixture
def undecoded(monkeypatch):
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: pytest.fail("it was decoded"))


# What phones and cameras call 48, 50, 61, 102, 108 and 200 megapixels.
PHONES = [(8064, 6048), (8160, 6144), (8192, 6144), (8688, 5792), (9504, 6336), (11648, 8736), (12000, 9000)]


@pytest.mark.parametrize(("width", "height"), [*PHONES, (16320, 12240)])
def test_a_jpeg_is_judged_by_what_decoding_it_takes(width, height):
    assert read_header(jpeg(width, height)) == ("JPEG", width, height)
    assert cost(jpeg(width, height)) == width * height // 20


def test_a_jpeg_of_more_than_50_megapixels_is_decoded():
    data = encode(Image.new("L", (8688, 5792), 77), "JPEG")
    assert (decode(data, SPEC) == 77).all()
    check(data)


def test_a_huge_jpeg_is_decoded_at_a_half_however_large_the_input_is(monkeypatch):
    data = encode(Image.new("L", (640, 640), 77), "JPEG")
    sizes = []
    load = ImageFile.ImageFile.load
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: (sizes.append(self.size), load(self))[1])
    decode(data, InputSpec(600, 600))
    monkeypatch.setattr(limits, "MAX_PIXELS", 640 * 640 - 1)
    decode(data, InputSpec(600, 600))
    decode(data, InputSpec(80, 80))
    assert list(dict.fromkeys(sizes)) == [(640, 640), (320, 320), (160, 160)]


@pytest.mark.parametrize(("width", "height"), [(14_143, 14_142), (60_000, 60_000)])
def test_a_jpeg_of_more_than_200_megapixels_is_too_large(width, height, undecoded):
    assert problem(jpeg(width, height)) == "too-large"


def test_pixels_times_scans_are_bounded(undecoded):
    scans = jpeg(7071, 7071, "L", progressive=True)
    count = scans.count(b"\xff\xda")
    assert cost(scans) == 7071 * 7071 * count // 20
    at = scans.index(b"\xff\xda")
    assert problem(scans[:at] + b"\xff\xda\0\x08\1\1\0\0\0\x10" * (21 - count) + scans[at:]) == "too-large"
    assert cost(scans[:at] + b"\xff\xda\0\x08\1\1\0\0\0\x10" * (19 - count) + scans[at:]) <= MAX_PIXELS


@pytest.mark.parametrize(("subsampling", "largest"), [("4:2:0", 133), ("4:4:4", 66)])
def test_a_progressive_jpegs_coefficients_fit_memory(subsampling, largest, monkeypatch, undecoded):
    monkeypatch.setattr(limits, "SCANS_PER_PIXEL", 1000)
    read_header(jpeg(10_000, largest * 100, progressive=True, subsampling=subsampling))
    too_large = jpeg(10_000, (largest + 1) * 100, progressive=True, subsampling=subsampling)
    assert problem(too_large) == "too-large"


@pytest.mark.parametrize(("width", "height"), [(1, 65_536), (65_536, 1), (1, 50_000_000)])
def test_no_side_is_longer_than_a_jpegs_can_be(width, height, undecoded):
    assert problem(png(width, height)) == "too-large"
    assert read_header(png(65_535, 700)) == ("PNG", 65_535, 700)


def tiled(width: int, height: int) -> bytes:
    """Return a TIFF of 16x16 pixels in tiles of the given size."""
    tags = {256: 16, 257: 16, 258: 8, 259: 8, 262: 1, 277: 1, 322: width, 323: height, 324: 8, 325: 8}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + bytes(4)


def test_a_tiffs_tile_counts_with_all_its_pixels(undecoded):
    assert cost(tiled(16, 16)) == 256
    assert cost(tiled(64, 32)) == 2048
    assert problem(tiled(20_000, 20_000)) == "too-large"


def test_what_costs_how_much_in_pixels_of_a_png():
    grey = Image.new("L", (100, 80))
    assert [cost(encode(grey, kind)) for kind in ("PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF")] == [8000] * 6
    assert cost(encode(grey, "JPEG")) == 400
    assert cost(encode(grey, "TIFF", tiffinfo={278: 1})) == 79 * 250
    assert cost(encode(grey.convert("RGB"), "TIFF", compression="jpeg")) == 8000
    with pytest.raises(Problem):
        cost(b"hello")


def test_the_pixels_of_a_progressive_tiff_count_for_as_many_scans_as_libtiff_permits():
    data = encode(Image.fromarray(np.zeros((16, 16, 3), np.uint8)), "TIFF", compression="jpeg")
    assert cost(data.replace(b"\xff\xc0\0\x11\x08", b"\xff\xc2\0\x11\x08")) == 256 * 5
