"""What a model knows about its training photos: projections of its features, and the labels' centres."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Projection:
    """A whitened projection of the features at one depth of the network.

    Attributes:
        layer: Layer of the backbone whose feature map is averaged over all places; empty for the pooled
            features that the head reads.
        mean: float32[c], subtracted after the feature vector has been scaled to length 1.
        matrix: float32[c, d]. Afterwards, the photos of one label have unit variance in each direction.
        centres: float32[n, d], such as the mean of each label's training photos.
        scales: float32[d], the standard deviation of the photos of one label in each direction.
        outside_weight: One over their variance in each of the directions that the projection leaves out; 0
            if there are none.
    """

    layer: str
    mean: Floats
    matrix: Floats
    centres: Floats
    scales: Floats
    outside_weight: float

    def embed(self, features: Floats) -> Floats:
        """Project feature vectors.

        Args:
            features: float32[photos, c].

        Returns:
            float32[photos, d].
        """
        return np.asarray(self._centred(features) @ self.matrix, np.float32)

    def distances(self, features: Floats) -> Floats:
        """Return each photo's squared distance from the nearest centre, float32[photos]; larger is stranger.

        It is the squared Mahalanobis distance for a covariance that is the same in all directions outside the
        projection (Tipping and Bishop, "Probabilistic Principal Component Analysis", 1999). Most of what is
        of another kind only shows there, as in ViM (arXiv 2203.10807).

        Args:
            features: float32[photos, c].
        """
        centred = self._centred(features)
        embeddings = centred @ self.matrix
        outside = (centred**2).sum(axis=1) - ((embeddings * self.scales) ** 2).sum(axis=1)
        # |z - c|² without an array [photos, n, d], which thousands of photos and prototypes would fill.
        squares = (embeddings**2).sum(axis=1, keepdims=True) + (self.centres**2).sum(axis=1)
        nearest: Floats = (squares - 2 * embeddings @ self.centres.T).min(axis=1)
        distances = np.maximum(nearest, 0) + self.outside_weight * np.maximum(outside, 0)
        return np.asarray(distances, np.float32)

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
