import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import ExifTags, Image, PngImagePlugin

from shutterless.runtime.image import metadata
from shutterless.runtime.image.decoder import InputSpec, read_header
from shutterless.runtime.image.metadata import exif_orientation, strip_avif, strip_jpeg, strip_tiff
from shutterless.runtime.problems import Problem
from tests.decoding import decode

SPEC = InputSpec(height=12, width=16)
PIXELS = np.random.default_rng(3).integers(0, 256, (12, 16, 3), dtype=np.uint8)


def encode(kind: str, array=PIXELS, **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, kind, **options)
    return file.getvalue()


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[ExifTags.Base.Orientation] = orientation
    return tags


def problem(data: bytes) -> str:
    with pytest.raises(Problem) as caught:
        decode(data, SPEC)
    return caught.value.code


def assert_same_pixels(data: bytes, plain: bytes) -> None:
    np.testing.assert_array_equal(decode(data, SPEC), decode(plain, SPEC))


def segment(marker: int, content: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(content) + 2) + content


def chunk(name: bytes, content: bytes, crc: int | None = None) -> bytes:
    right = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", right if crc is None else crc)


MEGABYTES = bytes(1_200_000)


@pytest.mark.parametrize(
    "extra",
    [
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(MEGABYTES)),
        chunk(b"iCCP", b"icc\0\0" + zlib.compress(MEGABYTES)),
        chunk(b"iCCP", b"icc\0\7no zlib"),
        chunk(b"zTXt", b"a\0\0" + zlib.compress(MEGABYTES)),
        chunk(b"zTXt", b"\0"),
        chunk(b"tEXt", b"a\0bcde", crc=0),
        chunk(b"abCd", b"private", crc=0),
        chunk(b"gAMA", b"\0"),
        chunk(b"pHYs", b"\0\0"),
        chunk(b"acTL", b"\0"),
        chunk(b"eXIf", b"II*\0\xff\xff\xff\xff"),
    ],
)
def test_what_is_not_pixels_cannot_refuse_a_png(extra):
    plain = encode("PNG")
    assert_same_pixels(plain[:33] + extra + plain[33:], plain)
    assert_same_pixels(plain[:-12] + extra + plain[-12:], plain)


def test_a_png_that_is_cut_within_a_text_behind_its_pixels_is_whole():
    plain = encode("PNG")
    assert_same_pixels(plain[:-12] + chunk(b"tEXt", b"a\0" + bytes(500))[:100], plain)


def test_no_profile_or_text_of_a_png_is_unpacked(monkeypatch):
    monkeypatch.setattr(PngImagePlugin, "_safe_zlib_decompress", lambda _: pytest.fail("it was unpacked"))
    plain = encode("PNG")
    extra = chunk(b"iCCP", b"a\0\0" + zlib.compress(b"x")) + chunk(b"zTXt", b"a\0\0" + zlib.compress(b"x"))
    assert_same_pixels(plain[:33] + extra + plain[33:], plain)


@pytest.mark.parametrize("place", [33, -12])
def test_a_png_is_turned_wherever_its_exif_data_stand(place, monkeypatch):
    plain = encode("PNG")
    data = plain[:place] + chunk(b"eXIf", exif(6).tobytes().removeprefix(b"Exif\0\0")) + plain[place:]
    assert (decode(data, InputSpec(16, 12)) == np.rot90(PIXELS, -1)).all()
    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", lambda self: pytest.fail("it was decoded"))
    assert read_header(data) == ("PNG", 12, 16)


@pytest.mark.parametrize(
    "extra",
    [
        segment(0xE1, b"Exif\0\0II*\0\xff\xff\xff\xff"),
        segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x"),
        segment(0xE2, b"ICC_PROFILE\0"),
        segment(0xE2, b"MPF\0II*\0\xff\xff\xff\xff"),
        segment(0xED, b"Photoshop 3.0\x008BIM"),
        segment(0xEC, b""),
        segment(0xFE, b"\xff\xda\0"),
    ],
)
def test_what_is_not_pixels_cannot_refuse_a_jpeg(extra):
    plain = encode("JPEG")
    assert_same_pixels(plain[:2] + extra + plain[2:], plain)


def test_a_jpeg_keeps_what_tells_its_colours():
    cmyk = np.repeat(PIXELS[..., :1], 4, axis=2)
    file = io.BytesIO()
    Image.fromarray(cmyk, "CMYK").save(file, "JPEG")
    assert strip_jpeg(file.getvalue()).data == file.getvalue()
    assert strip_jpeg(encode("JPEG", comment=b"hello")).data == encode("JPEG")


def test_exif_segments_are_not_joined():
    plain = encode("JPEG")
    first, more = segment(0xE1, exif(6).tobytes()), segment(0xE1, b"Exif\0\0" + bytes(60_000)) * 50
    stripped = strip_jpeg(plain[:2] + first + more + plain[2:])
    assert (stripped.data, stripped.orientation) == (plain, 6)


@pytest.mark.parametrize("comment", [b"!\xfe" + b"\xffabc" * 64 * 500 + b"\0", b"!\xff\x01a\0", b"!\x01\0"])
def test_what_stands_before_a_gifs_frame_is_left_out_but_its_transparency(comment):
    plain = encode("GIF", transparency=3)
    at = plain.index(b"!\xf9")
    stripped = metadata.strip_gif(plain[:at] + comment + plain[at:])
    assert b"!\xf9" in stripped.data
    assert stripped == metadata.strip_gif(plain)


def tiff_with(tag: int, kind: int, count: int, value: bytes, order: str = "<") -> bytes:
    """Return a TIFF of PIXELS with one more tag, behind all others."""
    tags = [(256, 16), (257, 12), (258, 8), (259, 1), (262, 2), (273, 200), (277, 3), (278, 12), (279, 576)]
    entries = b"".join(struct.pack(order + "HHI", tag, 4, 1) + struct.pack(order + "I", n) for tag, n in tags)
    more = struct.pack(order + "HHI", tag, kind, count) + value.ljust(4, b"\0")
    magic = struct.pack(order + "2sHI", b"II" if order == "<" else b"MM", 42, 8)
    directory = struct.pack(order + "H", len(tags) + 1) + entries + more + bytes(4)
    return (magic + directory).ljust(200, b"\0") + PIXELS.tobytes()


@pytest.mark.parametrize(
    ("tag", "kind", "count", "value"),
    [
        (282, 5, 1, b"\xff\xff\xff\x7f"),  # a resolution beyond the file
        (282, 5, 1, bytes(4)),
        (305, 2, 10_000, bytes(4)),
        (700, 1, 400, b"\x08\0\0\0"),
        (34675, 7, 50_000_000, b"\x08\0\0\0"),
        (34665, 4, 1, b"\x08\0\0\0"),  # EXIF data that are the directory itself
        (33432, 99, 1, b"abcd"),
        (0xBC01, 4, 1, bytes(4)),
        (42113, 5, 250_001, b"\x08\0\0\0"),
    ],
)
@pytest.mark.parametrize("order", ["<", ">"])
def test_what_is_not_pixels_cannot_refuse_a_tiff_or_raise_a_warning(tag, kind, count, value, order):
    data = tiff_with(tag, kind, count, value, order)
    np.testing.assert_array_equal(decode(data, SPEC), PIXELS)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [3, 4])
def test_a_tiff_is_turned_whatever_type_its_orientation_has(order, kind):
    value = struct.pack(order + ("H" if kind == 3 else "I"), 6)
    data = tiff_with(274, kind, 1, value, order)
    np.testing.assert_array_equal(decode(data, InputSpec(16, 12)), np.rot90(PIXELS, -1))
    assert read_header(data) == ("TIFF", 12, 16)


def test_webps_profile_and_exif_data_change_no_pixel():
    plain = encode("WEBP", lossless=True)
    data = encode("WEBP", lossless=True, exif=b"Exif\0\0II*\0\xff", xmp=b"<x", icc_profile=b"no profile")
    assert_same_pixels(data, plain)


def test_an_avifs_exif_data_are_not_found_and_its_boxes_turn_it():
    tags = exif(6)
    tags[0x9999] = (1.5,) * 8
    data = encode("AVIF", exif=tags)
    assert b"Exif" not in strip_avif(data).data[: data.index(b"mdat")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Image.Exif, "load", lambda *_: pytest.fail("they were read"))
        assert decode(data, InputSpec(16, 12)).shape == (16, 12, 3)
        assert read_header(data) == ("AVIF", 12, 16)


def arithmetic(jpeg: bytes, marker: int) -> bytes:
    return jpeg.replace(b"\xff\xc0\0\x11\x08", b"\xff" + bytes([marker]) + b"\0\x11\x08")


@pytest.mark.parametrize("marker", [0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF])
def test_arithmetic_coding_is_refused_within_tiff_too(marker):
    assert problem(arithmetic(encode("JPEG"), marker)) == "unsupported-format"
    assert problem(arithmetic(encode("TIFF", compression="jpeg"), marker)) == "unsupported-format"


def test_scans_are_counted_where_there_can_be_several():
    assert strip_jpeg(encode("JPEG")).scans == 1
    assert strip_jpeg(encode("JPEG") + encode("JPEG")).scans == 1
    assert strip_jpeg(encode("JPEG", progressive=True)).scans == 10
    one_scan = encode("JPEG", progressive=True).split(b"\xff\xda", 2)
    assert strip_jpeg(b"\xff\xda".join(one_scan[:2])).scans == 2
    assert strip_tiff(encode("TIFF")).scans == 0
    tiff = encode("TIFF", compression="jpeg")
    assert strip_tiff(tiff).scans == 1
    assert strip_tiff(tiff.replace(b"\xff\xc0\0\x11\x08", b"\xff\xc2\0\x11\x08")).scans == metadata.MAX_SCANS
    assert strip_tiff(tiff.replace(b"\xff\xda\0\x0c\3", b"\xff\xda\0\x0c\1")).scans == metadata.MAX_SCANS


@pytest.mark.parametrize("compression", [(4, 7), (3, 7)])
def test_a_compression_of_any_type_is_looked_at(compression):
    kind, value = compression
    for order in "<>":
        packed = struct.pack(order + ("H" if kind == 3 else "I"), value)
        data = tiff_with(259, kind, 1, packed, order) + arithmetic(encode("JPEG"), 0xC9)
        with pytest.raises(Problem) as caught:
            strip_tiff(data)
        assert caught.value.code == "unsupported-format"


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("prefix", [b"", b"Exif\0\0"])
def test_an_orientation_is_read_from_exif_data(order, prefix):
    def tiff(value: int, kind: int = 3, code: str = "H") -> bytes:
        head = struct.pack(order + "2sHI", b"II" if order == "<" else b"MM", 42, 8)
        entry = struct.pack(order + "HHI", 0x112, kind, 1) + struct.pack(order + code, value).ljust(4, b"\0")
        return prefix + head + struct.pack(order + "H", 1) + entry

    assert [exif_orientation(tiff(value)) for value in (1, 3, 8, 0, 9)] == [1, 3, 8, 1, 1]
    assert exif_orientation(tiff(6, 4, "I")) == 6
    assert exif_orientation(tiff(6, 99)) == 1
    assert [exif_orientation(tiff(6)[:end]) for end in range(len(tiff(6)) - 4)] == [1] * (len(tiff(6)) - 4)


def test_decoding_changes_no_filter_of_warnings(monkeypatch):
    monkeypatch.setattr(warnings, "catch_warnings", lambda: pytest.fail("it changed the filters"))
    before = list(warnings.filters)
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"):
        decode(encode(kind), SPEC)
    assert warnings.filters == before
