"""Fit projections to the features of the training photos."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from shutterless.novelty.types import Floats, NoveltyModel, Projection, scale_to_unit_length

MAX_SIZE = 64  # numbers in an embedding
MAX_BYTES = 370_000  # of all matrices and centres together


def fit_novelty(
    features: Mapping[str, Floats], truth: npt.NDArray[np.int64], *, max_bytes: int = MAX_BYTES
) -> NoveltyModel:
    """Fit a distance at each of several depths of a network.

    Args:
        features: Layer → pooled features of the training photos, float32[photos, c]. The first layer's
            projection is a picture's embedding.
        truth: Index of each photo's label, int64[photos].
        max_bytes: Size of all matrices and centres together, as float32; it limits the projections' size.
    """
    rows = sum(each.shape[1] + len(np.unique(truth)) for each in features.values())
    size = max(1, min(MAX_SIZE, max_bytes // (4 * rows)))
    return NoveltyModel(tuple(fit_projection(each, truth, layer, size) for layer, each in features.items()))


def fit_projection(
    features: Floats, truth: npt.NDArray[np.int64], layer: str = "", size: int = MAX_SIZE
) -> Projection:
    """Fit the projection behind the Mahalanobis++ distance, to the directions of the largest variance.

    The features are scaled to length 1, and the covariance within the labels, which all of them share, is
    shrunk by Ledoit and Wolf's formula (Müller and Hein, "Mahalanobis++: Improving OOD Detection via Feature
    Normalization", 2025, arXiv 2505.18032; Ledoit and Wolf, "A well-conditioned estimator for
    large-dimensional covariance matrices", 2004).

    Args:
        features: Pooled features of the training photos, float32[photos, c].
        truth: Index of each photo's label, int64[photos].
        layer: Where the features are from, see `Projection`.
        size: Numbers to project to, at most.

    Returns:
        A projection with the mean of each label as a centre.
    """
    from sklearn.covariance import ledoit_wolf

    units = scale_to_unit_length(features).astype(np.float64)
    labels, indices = np.unique(truth, return_inverse=True)
    means = np.stack([units[indices == index].mean(axis=0) for index in range(len(labels))])
    covariance, _ = ledoit_wolf(units - means[indices], assume_centered=True)
    channels = len(covariance)
    size = min(size, channels)
    variances, directions = _largest_directions(covariance, size)
    smallest = max(float(variances[-1]) * 1e-4, 1e-12)  # a network's dead channels never vary
    scales = np.sqrt(np.maximum(variances, smallest))
    outside = (np.trace(covariance) - variances.sum()) / max(1, channels - size)
    matrix, mean = directions / scales, units.mean(axis=0)
    return Projection(
        layer,
        mean.astype(np.float32),
        matrix.astype(np.float32),
        ((means - mean) @ matrix).astype(np.float32),
        scales.astype(np.float32),
        float(1 / max(outside, smallest)) if size < channels else 0.0,
    )


def _largest_directions(
    covariance: npt.NDArray[np.float64], size: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the largest eigenvalues, float64[size], ascending, and their vectors, float64[c, size]."""
    from scipy.linalg import LinAlgError, eigh

    channels = len(covariance)
    try:
        variances, directions = eigh(covariance, subset_by_index=(channels - size, channels - 1))
    except LinAlgError:  # LAPACK's quick driver fails where most variances are equal
        variances, directions = np.linalg.eigh(covariance)
    return variances[-size:], directions[:, -size:]
