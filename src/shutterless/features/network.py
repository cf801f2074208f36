"""A Keras model without its head, as a network that gives features."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import keras
import numpy as np
import numpy.typing as npt

from shutterless.runtime.image.decoder import InputSpec


@dataclass(frozen=True)
class Network:
    """A Keras model that ends before its head.

    Attributes:
        name: What messages call it.
        model: uint8[n, height, width, 3] → features float32[n, d].
        input: Size and resizing of its input.
    """

    name: str
    model: keras.Model
    input: InputSpec

    @cached_property
    def identity(self) -> str:
        """A hash that changes with everything that changes the features.

        It is a hash of the weights, the input, and the features of a picture of noise. So whatever differs
        between two networks of the same weights, such as scaling, the last layer or pooling, need not be
        described, and features from another kind of processor, which rounds differently, are not used.
        """
        digest = hashlib.sha256(repr(self.input).encode())
        for array in self.model.get_weights():
            digest.update(repr((array.shape, array.dtype.str)).encode())
            digest.update(np.ascontiguousarray(array).data)
        shape = (1, self.input.height, self.input.width, 3)
        noise = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
        digest.update(self.features(noise).tobytes())
        return digest.hexdigest()

    def features(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return the features float32[n, d] of uint8[n, height, width, 3]."""
        return np.asarray(self.model.predict_on_batch(pixels), np.float32)
