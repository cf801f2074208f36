"""What one photo is, in figures: format, size, perceptual hash, contrast."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shutterless.dataset.exif import UNKNOWN, Shot, read_shot
from shutterless.runtime.image import decoder

# The share of red, green and blue in grey: ITU-R BT.601.
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
class Look:
    """What was seen of one photo.

    size: bytes. width, height: pixels, upright. bits: its pHash, uint64[4]. contrast: the standard
    deviation of its grey values, 0 to 128. grey: those values, uint8[64, 64]. shot: when and by which
    camera it was taken.
    """

    size: int
    format: str
    width: int
    height: int
    bits: npt.NDArray[np.uint64]
    contrast: float
    grey: npt.NDArray[np.uint8]
    shot: Shot = UNKNOWN

    @property
    def aspect(self) -> float:
        """Return the longer side divided by the shorter."""
        return max(self.width, self.height) / min(self.width, self.height)


def look(data: bytes) -> Look:
    """Return what there is to see in the bytes of a picture file, decoded once.

    Raises `Problem` if it cannot be decoded.
    """
    header = decoder.header(data)
    picture = decoder.decode(data, SPEC)
    grey = picture @ LUMA
    return Look(
        size=len(data),
        format=header.format,
        width=header.width,
        height=header.height,
        bits=perceptual_hash(grey),
        contrast=float(grey.std()),
        grey=np.rint(grey).astype(np.uint8),
        shot=read_shot(data),
    )


def perceptual_hash(grey: npt.NDArray[np.floating]) -> npt.NDArray[np.uint64]:
    """Return the pHash, uint64[4], of grey values float[64, 64]: the low frequencies above their median."""
    frequencies = COSINES @ grey @ COSINES.T
    return np.packbits(frequencies > np.median(frequencies)).view(np.uint64)
