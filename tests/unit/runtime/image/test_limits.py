import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFile

from shutterless.runtime.image import limits
from shutterless.runtime.image.decoder import InputSpec, check, read_header
from shutterless.runtime.image.opener import open_picture
from shutterless.runtime.image.work import OVERHEAD, Work, estimate
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


def work(data: bytes) -> Work:
    return estimate(open_picture(data))


@pytest.fixture
def undecoded(monkeypatch):
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: pytest.fail("it was decoded"))


# What phones and cameras call 48, 50, 61, 102, 108 and 200 megapixels.
PHONES = [(8064, 6048), (8160, 6144), (8192, 6144), (8688, 5792), (9504, 6336), (11648, 8736), (12000, 9000)]


@pytest.mark.parametrize(("width", "height"), [*PHONES, (16320, 12240)])
def test_a_jpeg_is_judged_by_what_decoding_it_takes(width, height):
    assert read_header(jpeg(width, height)) == ("JPEG", width, height)
    assert work(jpeg(width, height)).seconds < 1.2


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


def test_samples_times_scans_are_bounded(undecoded):
    scans = jpeg(7071, 7071, "L", progressive=True)
    at = scans.index(b"\xff\xda")
    more = scans[:at] + b"\xff\xda\0\x08\1\1\0\0\0\x10" * 10 + scans[at:]
    assert work(more).seconds - work(scans).seconds == pytest.approx(10 * 7071 * 7071 * 1e-9, rel=0.01)
    assert problem(more[:at] + b"\xff\xda\0\x08\1\1\0\0\0\x10" * 70 + more[at:]) == "too-large"


def test_a_progressive_jpeg_s_coefficients_take_memory_even_if_it_has_one_scan():
    scans = jpeg(14_000, 14_000, progressive=True).split(b"\xff\xda", 2)
    assert work(b"\xff\xda".join(scans[:2])).memory > 14_000 * 14_000 * 1.5 * 2


@pytest.mark.parametrize(("subsampling", "samples"), [("4:2:0", 1.5), ("4:4:4", 3)])
def test_a_progressive_jpeg_s_coefficients_take_memory_for_each_sample(subsampling, samples, undecoded):
    baseline = work(jpeg(5000, 5000, subsampling=subsampling))
    progressive = work(jpeg(5000, 5000, progressive=True, subsampling=subsampling))
    coefficients = progressive.memory - baseline.memory
    assert coefficients == pytest.approx(25_000_000 * samples * 2 * OVERHEAD, rel=0.001)


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
    memory = work(tiled(64, 32)).memory - work(tiled(16, 16)).memory
    assert memory == pytest.approx((2048 - 256) * 5 * OVERHEAD, abs=1)  # grey, and RGB
    assert problem(tiled(20_000, 20_000)) == "too-large"


@pytest.mark.parametrize(
    ("mode", "kind", "options", "bytes_per_pixel"),
    [
        ("RGB", "PNG", {}, 4),
        ("RGBA", "PNG", {}, 8),
        ("RGB", "PNG", {"exif": b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0"}, 8),
        ("I;16", "PNG", {}, 6),
        ("L", "GIF", {}, 5),
        ("F", "TIFF", {"compression": "tiff_adobe_deflate"}, 8),
        ("RGB", "BMP", {}, 4),
        ("RGB", "WEBP", {}, 16),
        ("RGB", "AVIF", {"speed": 10}, 11),
    ],
)
def test_the_memory_of_a_picture_is_predicted_from_its_header(mode, kind, options, bytes_per_pixel):
    data = encode(Image.new(mode, (400, 300)), kind, **options)
    file_size = len(open_picture(data).picture.fp.getvalue())
    assert work(data).memory - file_size == int(120_000 * bytes_per_pixel * OVERHEAD)


def test_strips_chunks_and_the_size_of_the_file_take_time():
    grey = Image.new("L", (100, 80))
    per_strip = work(encode(grey, "TIFF", tiffinfo={278: 1})).seconds - work(encode(grey, "TIFF")).seconds
    assert per_strip / 79 == pytest.approx(9e-6, rel=0.3)
    data = encode(grey, "PNG")
    empty = b"\0\0\0\0IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    at = data.index(b"IDAT") - 4
    assert work(data[:at] + empty * 100 + data[at:]).seconds - work(data).seconds > 100 * 9e-6
    with pytest.raises(Problem):
        work(b"hello")


def test_a_progressive_jpeg_in_a_tiff_counts_with_as_many_scans_as_libtiff_permits():
    data = encode(Image.fromarray(np.zeros((16, 16, 3), np.uint8)), "TIFF", compression="jpeg")
    progressive = data.replace(b"\xff\xc0\0\x11\x08", b"\xff\xc2\0\x11\x08")
    assert work(progressive).seconds - work(data).seconds == pytest.approx(99 * 256 * 3e-9)
