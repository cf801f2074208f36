"""Find mislabelled photos by confident learning over cross-validated probabilities."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shutterless.dataset import Photo
from shutterless.dataset.folds import assign_folds
from shutterless.dataset.split import by_group

FOLDS = 5
# Principal components of the features that the classifier reads, and the inverse of its regularization.
COMPONENTS, INVERSE_REGULARIZATION = 128, 1.0
MAX_ITERATIONS = 200
MIN_RANGE = 1e-6  # features that vary less are equal

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class LabelError:
    """A photo that a classifier trained on the other photos gives another label.

    Attributes:
        index: Index of the photo.
        label: The label that the classifier gives it.
        confidence: Probability that the photo's own label is wrong, 0 to 1.
        same_as: Index of the same photo under that label, if there is one.
    """

    index: int
    label: str
    confidence: float
    same_as: int | None = None


@dataclass(frozen=True)
class CrossValidated:
    """Probabilities of each photo's labels, from a classifier that was not trained on it or its group.

    Attributes:
        labels: The labels that have photos in two folds or more.
        indices: Indices of their photos, int64[n].
        truth: Index in `labels` of each of these photos' label, int64[n].
        probabilities: float64[n, labels].
    """

    labels: tuple[str, ...]
    indices: npt.NDArray[np.int64]
    truth: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float64]


def find_label_errors(
    vectors: Vectors,
    photos: Sequence[Photo],
    *,
    duplicates: Iterable[Sequence[int]] = (),
    seed: int = 42,
) -> list[LabelError]:
    """Return the photos that are probably mislabelled, the most probable first.

    First are photos that are under two labels, as one of these is certainly wrong. For the others, confident
    learning estimates how many photos of each label belong to which other one, and takes the least probable
    ones of each (Northcutt, Jiang, Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels",
    2021, arXiv 1911.00068).

    Args:
        vectors: Features of length 1, float32[photos, d].
        photos: The photos; those of one group are never on both sides of a fold.
        duplicates: Indices of each two or more photos that are the same.
        seed: Decides the folds.
    """
    result = cross_validate_features(vectors, photos, seed=seed)
    if len(result.labels) < 2:
        return []
    from cleanlab.filter import find_label_issues  # imports pandas

    issues = find_label_issues(
        result.truth, result.probabilities, return_indices_ranked_by="self_confidence", n_jobs=1
    )
    certain = {error.index: error for group in duplicates for error in _conflicts(result, group)}
    best = result.probabilities.argmax(axis=1)
    probable = (
        LabelError(
            int(result.indices[row]),
            result.labels[best[row]],
            float(1 - result.probabilities[row, result.truth[row]]),
        )
        for row in issues
        if best[row] != result.truth[row]
    )
    return [
        *sorted(certain.values(), key=lambda error: -error.confidence),
        *(error for error in probable if error.index not in certain),
    ]


def _conflicts(result: CrossValidated, group: Sequence[int]) -> Iterator[LabelError]:
    """Yield the photos of a group of duplicates that are not under the most probable label of the group."""
    rows = np.flatnonzero(np.isin(result.indices, group))
    if not len(rows):
        return
    scores = result.probabilities[rows].mean(axis=0)
    right = max(set(result.truth[rows].tolist()), key=lambda label: (scores[label], -label))
    original = int(result.indices[rows[result.truth[rows] == right][0]])
    for row in rows[result.truth[rows] != right]:
        own = scores[result.truth[row]]
        confidence = float(scores[right] / max(scores[right] + own, 1e-12))
        yield LabelError(int(result.indices[row]), result.labels[right], confidence, original)


def cross_validate_features(vectors: Vectors, photos: Sequence[Photo], *, seed: int = 42) -> CrossValidated:
    """Return each photo's probabilities from a logistic regression on the photos of the other folds.

    Labels with photos in one fold only are left out: without them the classifier does not know them.

    Args:
        vectors: Features of length 1, float32[photos, d].
        photos: The photos.
        seed: Decides the folds.
    """
    groups = by_group(photos)
    fold_of = assign_folds(groups, min(FOLDS, len(groups)), seed)
    folds = np.array([fold_of[photo.path] for photo in photos])
    folds_by_label: dict[str, set[int]] = {}
    for photo, fold in zip(photos, folds, strict=True):
        folds_by_label.setdefault(photo.label, set()).add(int(fold))
    labels = tuple(sorted(label for label, numbers in folds_by_label.items() if len(numbers) > 1))
    indices = np.array([index for index, photo in enumerate(photos) if photo.label in labels], np.int64)
    truth = np.array([labels.index(photos[index].label) for index in indices], np.int64)
    probabilities = np.zeros((len(indices), len(labels)))
    if len(labels) > 1:
        components, folds = principal_components(vectors[indices], COMPONENTS), folds[indices]
        for fold in np.unique(folds):
            test = folds == fold
            classes, scores = _classify(components[~test], truth[~test], components[test])
            probabilities[np.ix_(test, classes)] = scores
    return CrossValidated(labels, indices, truth, probabilities)


def principal_components(vectors: Vectors, count: int) -> Vectors:
    """Return the first principal components, float32[n, up to count]."""
    from sklearn.decomposition import PCA

    count = min(count, *vectors.shape)
    if np.ptp(vectors, axis=0).max() < MIN_RANGE:
        return np.zeros((len(vectors), count), np.float32)
    components: Vectors = PCA(count, random_state=0).fit_transform(vectors).astype(np.float32)
    return components


def _classify(
    train: Vectors, truth: npt.NDArray[np.int64], test: Vectors
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Train a classifier; return the labels that it knows, and the probabilities of the test photos."""
    from sklearn.linear_model import LogisticRegression

    if len(np.unique(truth)) == 1:
        return truth[:1], np.ones((len(test), 1))
    classifier = LogisticRegression(C=INVERSE_REGULARIZATION, max_iter=MAX_ITERATIONS, tol=1e-3)
    classifier.fit(train, truth)
    return classifier.classes_, classifier.predict_proba(test)
