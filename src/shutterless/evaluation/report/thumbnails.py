"""Thumbnails that a page carries as data: URIs, and heat maps laid over photos."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from shutterless.dataset import Photo, read_pixels
from shutterless.runtime.image.decoder import InputSpec
from shutterless.utils import html

SIDE = 224  # pixels
QUALITY = 75


def read_thumbnails(root: Path, photos: Sequence[Photo]) -> list[npt.NDArray[np.uint8]]:
    """Return each photo as uint8[height, width, 3] in its own proportions, its longer side `SIDE` pixels.

    Raises:
        DatasetError: A photo is gone or broken since the scan.
    """
    thumbnails = []
    for pixels in read_pixels(root, photos, InputSpec(SIDE, SIDE, "pad")):
        rows, columns = (np.flatnonzero(pixels.any(axis=axes)) for axes in ((1, 2), (0, 2)))
        if len(rows):  # not a black photo: cut off the black borders that made it square
            pixels = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        thumbnails.append(pixels)
    return thumbnails


def data_uri(pixels: npt.NDArray[np.uint8]) -> str:
    """Return uint8[height, width, 3] as a JPEG in a data: URI."""
    return html.data_uri(pixels, QUALITY)


def overlay(pixels: npt.NDArray[np.uint8], heat: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Lay a heat map over a photo, more opaque where it is hotter.

    Args:
        pixels: uint8[height, width, 3].
        heat: float32[h, w], 0 to 1; NaN counts as 0.

    Returns:
        uint8[height, width, 3].
    """
    from matplotlib import colormaps

    height, width, _ = pixels.shape
    small = np.nan_to_num(np.asarray(heat, np.float32)).clip(0, 1)
    large = np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BILINEAR))[..., None]
    colours = colormaps["inferno"](large[..., 0])[..., :3] * 255
    opacity = 0.75 * large
    return np.rint(pixels * (1 - opacity) + colours * opacity).astype(np.uint8)
