"""Classify photos by a head on the cached features of a frozen network."""

from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt

from shutterless.features.embedding import embed_pixels
from shutterless.features.network import Network
from shutterless.runtime.image.decoder import InputSpec


@dataclass(frozen=True)
class CachedPredictor:
    """A model whose network was not trained, so that other models share its features of the same pixels.

    Attributes:
        network: The network.
        head: Features float32[n, d] → probabilities float32[n, labels].
        labels: The labels in output order.
    """

    network: Network
    head: keras.Model
    labels: tuple[str, ...]

    @property
    def input(self) -> InputSpec:
        """Size and resizing of the model's input."""
        return self.network.input

    def probabilities(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return the probabilities float32[n, labels] of uint8[n, height, width, 3]."""
        features = embed_pixels(pixels, self.network)
        return np.asarray(self.head.predict(features, verbose=0), np.float32)
