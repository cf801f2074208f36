"""Small pictures that a page carries in itself."""

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
    """Return each photo as uint8[height, width, 3] of its own proportions, its longer side `SIDE` pixels.

    Raises ShutterlessError, naming the photo, if one is gone or broken since the scan.
    """
    return [_trim(pixels) for pixels in read_pixels(root, photos, InputSpec(SIDE, SIDE, "pad"))]


def _trim(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Cut off the black borders with which a photo was made square."""
    rows, columns = (np.flatnonzero(pixels.any(axis=axes)) for axes in ((1, 2), (0, 2)))
    if not len(rows):
        return pixels  # a black photo
    return pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def data_uri(pixels: npt.NDArray[np.uint8]) -> str:
    """Return uint8[height, width, 3] as a JPEG in a data: address."""
    return html.data_uri(pixels, QUALITY)


def overlay(pixels: npt.NDArray[np.uint8], heat: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Lay a heat map float32[h, w], 0 to 1, over uint8[height, width, 3], the hotter the denser."""
    from matplotlib import colormaps

    height, width, _ = pixels.shape
    cool = np.nan_to_num(np.asarray(heat, np.float32)).clip(0, 1)
    large = np.asarray(Image.fromarray(cool).resize((width, height), Image.Resampling.BILINEAR))[..., None]
    colours = colormaps["inferno"](large[..., 0])[..., :3] * 255
    density = 0.75 * large
    return np.rint(pixels * (1 - density) + colours * density).astype(np.uint8)
