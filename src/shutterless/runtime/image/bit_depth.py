"""Pictures with more than 8 bits per channel, as cameras, scanners and microscopes write them."""

import struct
from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from PIL import Image, ImageFile

from shutterless.runtime.problems import ImageError

# TIFF tags.
BITS, PHOTOMETRIC, PLANAR, SAMPLE_FORMAT, MAX_VALUE, MAX_SAMPLE_VALUE = 258, 262, 284, 339, 281, 341
WHITE_IS_ZERO, BY_PLANES, SIGNED = 0, 2, 2
# Below a sixteenth of the range, nobody can tell a picture of 12 bits in 16 from a black one.
DARKEST = 16
# Adding it to a float32 from 0 to 255 and subtracting it again rounds to the nearest integer, half to even:
# float32 has no fractions from here on.
ROUNDING = 2.0**23


class Depth(NamedTuple):
    """How a picture's values become brightness.

    Attributes:
        white: The value of white, or of black if `is_inverted`.
        is_inverted: Whether 0 is white.
        is_deep: Whether 8 bits are too few for its values.
    """

    white: float
    is_inverted: bool = False
    is_deep: bool = True


def read_depth(picture: ImageFile.ImageFile) -> Depth:
    """Return what the header of a picture says about its values.

    Args:
        picture: Opened, not decoded.

    Raises:
        ImageError: `unsupported-format` if it stores them in a way that Pillow reads wrongly.
    """
    tags = getattr(picture, "tag_v2", {})
    is_grey = _is_deep_grey(picture)
    is_deep = is_grey or max(tags.get(BITS, (8,))) > 8 or ";16" in str(picture.tile[:1])
    if is_deep and not is_grey and tags.get(PLANAR) == BY_PLANES:
        raise ImageError(
            "unsupported-format", "TIFFs with 16 bits per channel in separate planes are not supported"
        )
    is_inverted = is_grey and tags.get(PHOTOMETRIC) == WHITE_IS_ZERO
    return Depth(_stated_white(tags) or _usual_white(picture.mode, tags), is_inverted, is_deep)


def check_range(picture: Image.Image, depth: Depth) -> None:
    """Check that a decoded picture's values fit the range that its file states.

    Raises:
        ImageError: `unsupported-format` if they exceed it, or fill so little of it that all is black.
    """
    if not depth.is_deep:
        return
    white = depth.white if _is_deep_grey(picture) else 255
    low, high = _extremes(picture)
    slack = white if picture.mode == "F" else 0  # a resized picture overshoots
    if not -slack <= low <= high <= white + slack or 0 < high < white / DARKEST:
        raise ImageError(
            "unsupported-format",
            f"the values of the picture are {low:g} to {high:g}, but its range is 0 to {white:g}; "
            "save it with 8 bits, or scale it to the whole range",
        )


def to_8_bits(grey: Image.Image, depth: Depth) -> Image.Image:
    """Scale deep grey to 8 bits, where Pillow would clip it.

    Every step computes in float32: brightness = round(value · 255 / white), limited to 0 … 255.

    Args:
        grey: In a mode of integers or floats of more than 8 bits; NaN becomes black.
        depth: The value of white.

    Returns:
        A picture of the same size in mode L.
    """
    if grey.mode == "F":
        from PIL import ImageMath  # which only floats need

        # Comparisons with NaN are false, so the larger of NaN and 0 is 0.
        grey = ImageMath.lambda_eval(lambda math: math["max"](math["grey"], 0.0), grey=grey)
    (scale,) = struct.unpack("f", struct.pack("f", 255 / depth.white))
    brightness = grey.convert("F").point(lambda value: value * scale)
    integers = brightness.point(lambda value: value + ROUNDING).point(lambda value: value - ROUNDING)
    pixels = integers.convert("L")  # which clips
    return pixels.point(lambda value: 255 - value) if depth.is_inverted else pixels


def _is_deep_grey(picture: Image.Image) -> bool:
    return picture.mode.startswith(("I", "F"))


def _usual_white(mode: str, tags: Mapping[int, Any]) -> float:
    if mode == "F":
        return 1.0
    bits = (tags.get(BITS) or (16,))[0]
    is_signed = (tags.get(SAMPLE_FORMAT) or (1,))[0] == SIGNED
    # Integers of 32 bits hold what others store in 16, as Pillow writes them.
    return float(2 ** (min(bits, 16) - (is_signed and bits == 16)) - 1)


def _stated_white(tags: Mapping[int, Any]) -> float | None:
    """Return the largest value that a TIFF states, if it is that of so many bits and no mere statistic."""
    tag = tags.get(MAX_SAMPLE_VALUE) or tags.get(MAX_VALUE)
    value = tag[0] if isinstance(tag, tuple) and tag else tag
    if not (isinstance(value, int | float) and 1 <= value < 2**32 and value == int(value)):
        return None
    return float(value) if (int(value) + 1) & int(value) == 0 else None


def _extremes(picture: Image.Image) -> tuple[float, float]:
    """Return the smallest and the largest value, transparency apart."""
    if picture.mode == "I;16B":  # of which Pillow knows no extremes
        picture = picture.convert("I")
    extremes = cast(Any, picture.getextrema())
    bands = extremes if isinstance(extremes[0], tuple) else [extremes]
    colours = [band for band, name in zip(bands, picture.getbands(), strict=True) if name != "A"]
    return min(low for low, _ in colours), max(high for _, high in colours)
