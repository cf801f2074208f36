"""What one photo is, in figures: format, size, perceptual hash, contrast."""

from dataclasses import dataclass

import imagehash
import numpy as np
import numpy.typing as npt
from PIL import Image

from shutterless.runtime import pixels

# pHash keeps the signs of the 16x16 lowest frequencies of a grey picture of 64x64 pixels. Its usual
# 8x8 cannot tell two plain T-shirts on one background apart: of the 40 pairs of the clothing photos
# within 6 of 64 bits, at most 3 show the same garment.
HASH_SIDE = 16
SPEC = pixels.InputSpec(4 * HASH_SIDE, 4 * HASH_SIDE)


@dataclass(frozen=True)
class Look:
    """What was seen of one photo.

    size: bytes. width, height: pixels, upright. bits: its pHash, uint64[4]. contrast: the standard
    deviation of its grey values, 0 to 128.
    """

    size: int
    format: str
    width: int
    height: int
    bits: npt.NDArray[np.uint64]
    contrast: float

    @property
    def aspect(self) -> float:
        """Return the longer side divided by the shorter."""
        return max(self.width, self.height) / min(self.width, self.height)


def look(data: bytes) -> Look:
    """Return what there is to see in the bytes of a picture file, decoded once.

    Raises `Problem` if it cannot be decoded.
    """
    header = pixels.header(data)
    picture = pixels.decode(data, SPEC)
    signs = imagehash.phash(Image.fromarray(picture), hash_size=HASH_SIDE).hash
    return Look(
        size=len(data),
        format=header.format,
        width=header.width,
        height=header.height,
        bits=np.packbits(signs).view(np.uint64),
        contrast=float(picture.mean(axis=2).std()),
    )
