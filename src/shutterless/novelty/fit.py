"""Fit projections to the features of the training photos."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from shutterless.novelty.types import Floats, NoveltyModel, Projection, scale_to_unit_length

MAX_SIZE = 64  # numbers in an embedding
PROTOTYPES = 10  # of each label
MAX_PROTOTYPES = 500  # of all labels
# The label's usual distance counts as much as that of so many photos, as a prototype may have one photo only.
PRIOR_PHOTOS = 5
MAX_BYTES = 370_000  # of all matrices and prototypes together


def fit_novelty(
    features: Mapping[str, Floats], truth: npt.NDArray[np.int64], *, max_bytes: int = MAX_BYTES
) -> NoveltyModel:
    """Fit a distance at each of several depths of a network.

    Args:
        features: Layer → pooled features of the training photos, float32[photos, c]. The first layer's
            projection is a picture's embedding.
        truth: Index of each photo's label, int64[photos].
        max_bytes: Size of all matrices and prototypes together, as float32; it limits the size of the
            projections.
    """
    labels = len(np.unique(truth))
    prototypes = max(1, min(PROTOTYPES, MAX_PROTOTYPES // labels))
    rows = sum(each.shape[1] + labels * prototypes for each in features.values())
    size = max(1, min(MAX_SIZE, max_bytes // (4 * rows)))
    return NoveltyModel(
        tuple(fit_projection(each, truth, layer, size, prototypes) for layer, each in features.items())
    )


def fit_projection(
    features: Floats,
    truth: npt.NDArray[np.int64],
    layer: str = "",
    size: int = MAX_SIZE,
    prototypes: int = PROTOTYPES,
) -> Projection:
    """Fit a projection to the directions of the largest variance, and prototypes of each label in it.

    The distance from the nearest prototype is nearly that from the nearest training photo, by which pictures
    of another kind are found well (Sun et al., "Out-of-Distribution Detection with Deep Nearest Neighbors",
    2022, arXiv 2204.06507), at a fraction of the size. It is divided by the root of the distance that is
    usual at this prototype, so that a label of varied photos does not take in those that fit no label.

    Args:
        features: Pooled features of the training photos, float32[photos, c].
        truth: Index of each photo's label, int64[photos].
        layer: Where the features are from, see `Projection`.
        size: Numbers to project to, at most.
        prototypes: Prototypes of each label, at most.

    Returns:
        A projection whose prototypes are the means that k-means finds among the photos of each label.
    """
    units = scale_to_unit_length(features).astype(np.float64)
    mean = units.mean(axis=0)
    centred = units - mean
    matrix = _largest_directions(centred.T @ centred, min(size, len(mean)))
    embeddings = centred @ matrix
    outside = (centred**2).sum(axis=1) - (embeddings**2).sum(axis=1)
    labels = [
        _fit_prototypes(embeddings[truth == each], outside[truth == each], prototypes)
        for each in np.unique(truth)
    ]
    centres, spreads = map(np.concatenate, zip(*labels, strict=True))
    spreads = np.maximum(spreads, 1e-6)  # rounding can make it negative where no photo differs
    weights = np.sqrt(spreads.mean() / spreads)
    return Projection(layer, *(each.astype(np.float32) for each in (mean, matrix, centres, weights)))


def _fit_prototypes(
    points: npt.NDArray[np.float64], outside: npt.NDArray[np.float64], count: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return prototypes of a label, float64[n, d], and the usual squared distance from each, float64[n].

    Args:
        points: Embeddings of its photos, float64[photos, d].
        outside: Squared length of each photo's features outside the projection, float64[photos].
        count: Number of prototypes, at most.
    """
    from sklearn.cluster import KMeans

    clusters = KMeans(min(count, len(np.unique(points, axis=0))), n_init=1, random_state=0).fit(points)
    centres, nearest = clusters.cluster_centers_, clusters.labels_
    distances = ((points - centres[nearest]) ** 2).sum(axis=1) + outside
    sums = np.bincount(nearest, distances, len(centres)) + PRIOR_PHOTOS * distances.mean()
    return centres, sums / (np.bincount(nearest, minlength=len(centres)) + PRIOR_PHOTOS)


def _largest_directions(scatter: npt.NDArray[np.float64], size: int) -> npt.NDArray[np.float64]:
    """Return the eigenvectors of the largest eigenvalues, float64[c, size], in ascending order."""
    from scipy.linalg import LinAlgError, eigh

    channels = len(scatter)
    try:
        _, directions = eigh(scatter, subset_by_index=(channels - size, channels - 1))
    except LinAlgError:  # LAPACK's quick driver fails where most eigenvalues are equal
        _, directions = np.linalg.eigh(scatter)
    return np.asarray(directions[:, -size:], np.float64)
