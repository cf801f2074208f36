import io
import struct

import numpy as np
import pytest
from PIL import Image

from shutterless.runtime.image.bit_depth import Depth, to_8_bits
from shutterless.runtime.image.decoder import InputSpec
from shutterless.runtime.problems import Problem
from tests.decoding import decode

# Every value that 8 bits have, so that a wrong scale cannot hide.
GREY = np.arange(256).reshape(16, 16)
SPEC = InputSpec(16, 16)
FORMATS = {"u": 1, "i": 2, "f": 3}


def tiff(values: np.ndarray, order: str = "<", **more: tuple[int, int, bytes] | int) -> bytes:
    """Return a TIFF of these samples; further tags by number, as t262=0 for a short."""
    numbers = values.astype(values.dtype.newbyteorder(order))
    content = numbers.tobytes()
    channels = 1 if values.ndim == 2 else 3
    tags = {256: 16, 257: 16, 258: values.dtype.itemsize * 8, 259: 1, 262: 1 if channels == 1 else 2}
    tags |= {273: 400, 277: channels, 278: 16, 279: len(content), 339: FORMATS[values.dtype.kind]}
    tags |= {int(name[1:]): value for name, value in more.items()}
    entries = b""
    for tag, value in sorted(tags.items()):
        kind, code = (11, "f") if isinstance(value, float) else (4, "I") if value > 65_535 else (3, "H")
        entries += struct.pack(order + "HHI", tag, kind, 1) + struct.pack(order + code, value).ljust(4, b"\0")
    magic = struct.pack(order + "2sHI", b"II" if order == "<" else b"MM", 42, 8)
    return (magic + struct.pack(order + "H", len(tags)) + entries + bytes(4)).ljust(400, b"\0") + content


def assert_grey(data: bytes, expected: np.ndarray = GREY) -> None:
    array = decode(data, SPEC)
    np.testing.assert_array_equal(array, np.repeat(expected[..., None], 3, axis=2))


def problem(data: bytes) -> str:
    with pytest.raises(Problem) as caught:
        decode(data, SPEC)
    return caught.value.code


@pytest.mark.parametrize("order", ["<", ">"])
def test_deep_grey_is_scaled_by_the_range_of_its_type(order):
    assert_grey(tiff((GREY * 257).astype(np.uint16), order))
    assert_grey(tiff(np.rint(GREY / 255 * 32_767).astype(np.int16), order))
    assert_grey(tiff((GREY * 257).astype(np.int32), order))
    assert_grey(tiff((GREY / 255).astype(np.float32), order))


@pytest.mark.parametrize("white", [1.0, 255.0, 4095.0, 32_767.0, 65_535.0, 2.0**24 - 1, 2.0**32 - 1])
def test_brightness_is_computed_in_float32_and_rounded_half_to_even(white):
    halves = (np.arange(-255, 1024) / 2 * white / 255).astype(np.float32)
    around = [np.nextafter(halves, np.float32(limit)) for limit in (-np.inf, np.inf)]
    values = np.stack([halves, *around, np.full_like(halves, np.nan)])
    grey = Image.frombytes("F", values.shape[::-1], values.tobytes())
    expected = np.rint(np.nan_to_num(values).clip(0, white) * np.float32(255 / white)).clip(0, 255)
    np.testing.assert_array_equal(np.asarray(to_8_bits(grey, Depth(white))), expected)
    np.testing.assert_array_equal(np.asarray(to_8_bits(grey, Depth(white, True))), 255 - expected)


@pytest.mark.parametrize(("mode", "kind"), [("I", "<i4"), ("I;16", "<u2"), ("I;16B", ">u2")])
def test_every_integer_of_16_bits_is_scaled_alike(mode, kind):
    values = np.arange(65_536).astype(kind).reshape(256, 256)
    grey = Image.frombytes(mode, (256, 256), values.tobytes())
    for white in (4095, 32_767, 65_535):
        expected = np.rint(values.clip(0, white).astype(np.float32) * np.float32(255 / white))
        np.testing.assert_array_equal(np.asarray(to_8_bits(grey, Depth(white))), expected)


def test_grey_of_12_bits_is_scaled_by_12():
    values = np.rint(GREY / 255 * 4095).astype(int).ravel()
    packed = bytes(
        byte
        for one, two in zip(values[::2], values[1::2], strict=True)
        for byte in (one >> 4, (one & 15) << 4 | two >> 8, two & 255)
    )
    whole = tiff(np.zeros((16, 16), np.uint16), t258=12, t279=len(packed))
    assert_grey(whole[:400] + packed)


def test_where_zero_is_white_deep_grey_is_turned_over():
    assert_grey(tiff((GREY * 257).astype(np.uint16), t262=0), 255 - GREY)
    assert_grey(tiff((GREY / 255).astype(np.float32), t262=0), 255 - GREY)


def test_the_largest_value_that_the_file_states_is_white():
    assert_grey(tiff(np.rint(GREY / 255 * 4095).astype(np.uint16), t281=4095))
    assert_grey(tiff(GREY.astype(np.int32), t341=255))
    assert_grey(tiff(GREY.astype(np.float32), t341=255.0))


def test_a_largest_value_that_is_a_mere_statistic_is_passed_over():
    assert_grey(tiff((GREY * 257).astype(np.uint16), t281=50_000))


@pytest.mark.parametrize(
    "values",
    [
        np.rint(GREY / 255 * 4095).astype(np.uint16),  # 12 bits in 16
        GREY.astype(np.uint16),
        GREY.astype(np.int32),
        (GREY * 16_843_009).astype(np.uint32),
        (GREY * 257 - 5).astype(np.int32),
        (GREY * 258).astype(np.int32),
        GREY.astype(np.float32),
        (GREY / 65_535).astype(np.float32),
        GREY / 255,  # of 64 bits
        np.full((16, 16), np.inf, np.float32),
        np.full((16, 16), np.nan, np.float32),
    ],
)
@pytest.mark.parametrize("order", ["<", ">"])
def test_a_range_that_cannot_be_known_is_refused_by_name(values, order):
    assert problem(tiff(values, order)) == "unsupported-format"


def test_a_png_of_12_bits_in_16_is_refused_too():
    file = io.BytesIO()
    Image.fromarray(np.rint(GREY / 255 * 4095).astype(np.uint16)).save(file, "PNG")
    assert problem(file.getvalue()) == "unsupported-format"


def test_floats_may_overshoot_as_a_resized_picture_does():
    values = (GREY / 255 * 1.2 - 0.1).astype(np.float32)
    values[3, 3] = np.nan
    expected = np.rint(np.nan_to_num(values).clip(0, 1) * 255).astype(int)
    assert_grey(tiff(values), expected)


def test_a_black_picture_is_black():
    assert_grey(tiff(np.zeros((16, 16), np.uint16)), np.zeros((16, 16), int))


def test_colours_of_16_bits_that_hold_12_are_refused():
    colours = np.stack([GREY, GREY.T, GREY[::-1]], axis=2)
    whole, dark = ((colours * scale).astype(np.uint16) for scale in (257, 16))
    np.testing.assert_array_equal(decode(tiff(whole), SPEC), colours)
    assert problem(tiff(dark)) == "unsupported-format"


def test_colours_of_16_bits_that_are_stored_apart_are_refused():
    colours = (np.stack([GREY, GREY.T, GREY[::-1]]) * 257).astype(np.uint16)
    assert problem(tiff(colours, t284=2)) == "unsupported-format"


def test_lab_is_refused_as_the_container_lacks_what_converts_it():
    file = io.BytesIO()
    Image.new("LAB", (16, 16), (136, 208, 195)).save(file, "TIFF")
    assert problem(file.getvalue()) == "unsupported-format"
