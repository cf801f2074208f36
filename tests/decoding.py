"""The decoder's pictures as arrays, which tests compare."""

import numpy as np
import numpy.typing as npt

from shutterless.runtime.image import decoder


def decode(data: bytes, spec: decoder.InputSpec) -> npt.NDArray[np.uint8]:
    """Decode a picture file to uint8[height, width, 3]."""
    return np.asarray(decoder.decode(data, spec))
