"""What a model knows about its training photos: projections of their features, and prototypes."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Projection:
    """Prototypes of the training photos' features at one depth of the network, in few dimensions.

    Attributes:
        layer: Layer of the backbone whose feature map is averaged over all places; empty for its end, which
            the head reads.
        mean: float32[c], subtracted after the feature vector has been scaled to length 1.
        matrix: float32[c, d], orthonormal columns: the directions in which the photos differ most.
        centres: float32[n, d], prototypes of the training photos in these directions.
        weights: float32[n], by which distances from each prototype are multiplied: larger where the training
            photos are closer to it.
    """

    layer: str
    mean: Floats
    matrix: Floats
    centres: Floats
    weights: Floats

    def embed(self, features: Floats) -> Floats:
        """Project feature vectors.

        Args:
            features: float32[photos, c].

        Returns:
            float32[photos, d].
        """
        return np.asarray(self._centred(features) @ self.matrix, np.float32)

    def distances(self, features: Floats) -> Floats:
        """Return each photo's weighted squared distance from the nearest prototype, float32[photos].

        Larger is stranger, and 0 or more. What lies outside the projection counts too, as most of what is of
        another kind only shows there (as in ViM, arXiv 2203.10807): with orthonormal columns,
        |z - c|² + |x|² - |z|² is |x|² + |c|² - 2 z·c.

        Args:
            features: float32[photos, c].
        """
        centred = self._centred(features)
        squares = (centred**2).sum(axis=1, keepdims=True) + (self.centres**2).sum(axis=1)
        distances = squares - 2 * (centred @ self.matrix) @ self.centres.T
        return np.asarray(np.maximum((self.weights * distances).min(axis=1), 0), np.float32)

    def _centred(self, features: Floats) -> Floats:
        return np.asarray(scale_to_unit_length(features) - self.mean, np.float32)


@dataclass(frozen=True)
class NoveltyModel:
    """Everything that the distances of a picture from the training photos are computed from.

    Attributes:
        projections: One per distance. The first one's projection is the picture's embedding.
    """

    projections: tuple[Projection, ...]

    def distances(self, features: Mapping[str, Floats]) -> Floats:
        """Return float32[photos, k], one distance per projection; larger is stranger.

        Args:
            features: Layer of each projection → float32[photos, c].
        """
        return np.stack([each.distances(features[each.layer]) for each in self.projections], axis=1)


def scale_to_unit_length(features: Floats) -> Floats:
    """Divide each row by its Euclidean length; a row of zeros stays as it is."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    units: Floats = (features / np.maximum(lengths, 1e-12)).astype(np.float32)
    return units
