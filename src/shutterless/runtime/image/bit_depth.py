"""Pictures of more than 8 bits a channel, as cameras, scanners and microscopes write them."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile

from shutterless.runtime.problems import ImageError, Problem

# TIFF tags.
BITS, PHOTOMETRIC, PLANAR, SAMPLE_FORMAT, MAX_VALUE, MAX_SAMPLE_VALUE = 258, 262, 284, 339, 281, 341
WHITE_IS_ZERO, BY_PLANES, SIGNED = 0, 2, 2
# Below a sixteenth of the range, nobody can tell a picture of 12 bits in 16 from a black one.
DARKEST = 16


class Depth(NamedTuple):
    """How a picture's numbers become brightness.

    white: the number that is white, or black if `inverted`. deep: whether 8 bits do not hold it.
    """

    white: float
    inverted: bool = False
    deep: bool = True


def depth(picture: ImageFile.ImageFile) -> Depth:
    """Return what the header of a picture, opened but not decoded, says of its numbers.

    Raises `Problem` if it stores them in a way that Pillow reads wrongly.
    """
    tags = getattr(picture, "tag_v2", {})
    grey = picture.mode.startswith(("I", "F"))
    deep = grey or max(tags.get(BITS, (8,))) > 8 or ";16" in str(picture.tile[:1])
    if deep and not grey and tags.get(PLANAR) == BY_PLANES:
        raise ImageError("unsupported-format", "TIFFs of 16 bits that store each colour apart are not read")
    inverted = grey and tags.get(PHOTOMETRIC) == WHITE_IS_ZERO
    return Depth(_stated_white(tags) or _usual_white(picture.mode, tags), inverted, deep)


def check_range(picture: Image.Image, depth: Depth) -> None:
    """Raise the `Problem` of a decoded picture whose numbers do not fit the range that its file states."""
    if not depth.deep:
        return
    grey = picture.mode.startswith(("I", "F"))
    white = depth.white if grey else 255
    low, high = _extremes(picture)
    slack = white if picture.mode == "F" else 0  # a resized picture overshoots
    if not -slack <= low <= high <= white + slack:
        raise _wrong_range(low, high, white)
    if 0 < high < white / DARKEST:
        raise _wrong_range(low, high, white)


def to_8_bits(grey: npt.NDArray[Any], depth: Depth) -> npt.NDArray[np.uint8]:
    """Scale deep grey to uint8, where Pillow would clip it; what is not a number is black."""
    scaled = np.nan_to_num(grey.astype(np.float32)).clip(0, depth.white) * (255 / depth.white)
    eight = np.rint(scaled).astype(np.uint8)
    return 255 - eight if depth.inverted else eight


def _usual_white(mode: str, tags: Any) -> float:
    if mode == "F":
        return 1.0
    bits = (tags.get(BITS) or (16,))[0]
    signed = (tags.get(SAMPLE_FORMAT) or (1,))[0] == SIGNED
    # Integers of 32 bits hold what others store in 16, as Pillow writes them.
    return float(2 ** (min(bits, 16) - (signed and bits == 16)) - 1)


def _stated_white(tags: Any) -> float | None:
    """Return the largest value that a TIFF states, if it is that of so many bits and no mere statistic."""
    stated = tags.get(MAX_SAMPLE_VALUE) or tags.get(MAX_VALUE)
    value = stated[0] if isinstance(stated, tuple) and stated else stated
    whole = isinstance(value, int | float) and 1 <= value < 2**32 and value == int(value)
    return float(value) if whole and (int(value) + 1) & int(value) == 0 else None


def _extremes(picture: Image.Image) -> tuple[float, float]:
    if picture.mode == "I;16B":  # of which Pillow knows no extremes
        values = np.asarray(picture)
        return float(values.min()), float(values.max())
    extremes: Any = picture.getextrema()
    bands = extremes if isinstance(extremes[0], tuple) else [extremes]
    colours = [band for band, name in zip(bands, picture.getbands(), strict=True) if name != "A"]
    return min(low for low, _ in colours), max(high for _, high in colours)


def _wrong_range(low: float, high: float, white: float) -> Problem:
    return ImageError(
        "unsupported-format",
        f"the picture's values go from {low:g} to {high:g} where 0 to {white:g} is its range; "
        "save it with 8 bits, or scale it to the whole range",
    )
