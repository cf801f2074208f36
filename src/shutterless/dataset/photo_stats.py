"""Measure one photo: format, size, perceptual hash, contrast, and when it was taken."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shutterless.dataset.exif import UNKNOWN, Shot, read_shot
from shutterless.runtime.image import decoder

# Weights of red, green and blue in grey: ITU-R BT.601.
LUMA = np.array([0.299, 0.587, 0.114])
# pHash keeps the signs of the 16x16 lowest frequencies of a grey picture of 64x64 pixels. Its usual
# 8x8 cannot tell two plain T-shirts on one background apart: of the 40 pairs of the clothing photos
# within 6 of 64 bits, at most 3 show the same garment.
HASH_SIDE = 16
SIDE = 4 * HASH_SIDE
SPEC = decoder.InputSpec(SIDE, SIDE)
# The lowest frequencies of the discrete cosine transform, type II, of a row.
COSINES = np.cos(np.pi / SIDE * np.outer(np.arange(HASH_SIDE), np.arange(SIDE) + 0.5))


@dataclass(frozen=True)
class PhotoStats:
    """Measurements of one photo.

    Attributes:
        size: Bytes of the file.
        format: Name of the file format, such as `JPEG`.
        width: Pixels, after the photo is turned upright.
        height: Pixels, after the photo is turned upright.
        phash: Perceptual hash, uint64[4].
        contrast: Standard deviation of the grey values, 0 to 128.
        grey: The photo in grey, uint8[64, 64].
        shot: When the photo was taken, and by which camera.
    """

    size: int
    format: str
    width: int
    height: int
    phash: npt.NDArray[np.uint64]
    contrast: float
    grey: npt.NDArray[np.uint8]
    shot: Shot = UNKNOWN

    @property
    def aspect(self) -> float:
        """Return the longer side divided by the shorter one."""
        return max(self.width, self.height) / min(self.width, self.height)


def measure_photo(data: bytes) -> PhotoStats:
    """Return the measurements of a picture file, which is decoded once.

    Args:
        data: The bytes of the file.

    Raises:
        Problem: The picture cannot be decoded.
    """
    header = decoder.read_header(data)
    grey = np.asarray(decoder.decode(data, SPEC)) @ LUMA
    return PhotoStats(
        size=len(data),
        format=header.format,
        width=header.width,
        height=header.height,
        phash=perceptual_hash(grey),
        contrast=float(grey.std()),
        grey=np.rint(grey).astype(np.uint8),
        shot=read_shot(data),
    )


def perceptual_hash(grey: npt.NDArray[np.floating]) -> npt.NDArray[np.uint64]:
    """Return the pHash of a grey picture: which of its low frequencies are above their median.

    Args:
        grey: Grey values, float[64, 64].

    Returns:
        256 bits as uint64[4].
    """
    frequencies = COSINES @ grey @ COSINES.T
    return np.packbits(frequencies > np.median(frequencies)).view(np.uint64)
