"""How good a classifier is, from its probabilities and the truth."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn import metrics

# A calibration error is the sum of so many gaps, each measured on so many photos or more.
CALIBRATION_BINS, PHOTOS_PER_BIN = 10, 20


@dataclass(frozen=True)
class LabelMetrics:
    """One label's figures; `photos` is how many truly have it. Precision is 0 if it was never guessed."""

    precision: float
    recall: float
    f1: float
    photos: int


@dataclass(frozen=True)
class Acceptance:
    """What is accepted when a confidence must reach `threshold`, all shares of 1.

    coverage: the share of photos that are accepted. precision: the share of those that are right, None
    if there are none.
    """

    threshold: float
    coverage: float
    precision: float | None


@dataclass(frozen=True)
class Metrics:
    """A classifier's figures on some photos.

    accuracy: top-1, the share of photos whose most probable label is the true one.
    accuracy_interval: its 95 % interval, see `wilson_interval`.
    loss: mean cross-entropy in nats, without label smoothing.
    calibration_error: how far confidence is from accuracy, see `calibration_error`.
    confusion: confusion[i][j] photos of labels[i] were taken for labels[j].
    acceptance: what the model's threshold accepts; None for a model without one.
    """

    photos: int
    accuracy: float
    accuracy_interval: tuple[float, float]
    loss: float
    calibration_error: float
    labels: tuple[str, ...]
    per_label: dict[str, LabelMetrics]
    confusion: tuple[tuple[int, ...], ...]
    acceptance: Acceptance | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the figures as plain values for a JSON document."""
        return asdict(self)


def measure(
    truth: npt.NDArray[np.int64],
    probabilities: npt.NDArray[np.float32],
    labels: Sequence[str],
    threshold: float | None = None,
) -> Metrics:
    """Compare probabilities float32[photos, labels] with the true places in `labels`, int64[photos].

    threshold: the confidence from which the model's answers are accepted, if it has one.
    """
    places = range(len(labels))
    guesses = probabilities.argmax(axis=1)
    confidence, right = probabilities.max(axis=1), guesses == truth
    # A photo held for impossible would cost infinitely much; float32 resolves no finer than this.
    sure = np.clip(probabilities.astype(np.float64), np.finfo(np.float32).eps, 1)
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        truth, guesses, labels=places, zero_division=0
    )
    confusion = metrics.confusion_matrix(truth, guesses, labels=places)
    return Metrics(
        photos=len(truth),
        accuracy=float(np.mean(right)),
        accuracy_interval=wilson_interval(int(right.sum()), len(truth)),
        loss=float(-np.mean(np.log(sure[np.arange(len(truth)), truth]))),
        calibration_error=calibration_error(confidence, right),
        labels=tuple(labels),
        per_label={
            label: LabelMetrics(float(precision[i]), float(recall[i]), float(f1[i]), int(support[i]))
            for i, label in enumerate(labels)
        },
        confusion=tuple(tuple(int(count) for count in row) for row in confusion),
        acceptance=None if threshold is None else accept(confidence, right, threshold),
    )


def accept(confidence: npt.NDArray[np.float32], right: npt.NDArray[np.bool_], threshold: float) -> Acceptance:
    """Return what `threshold` accepts of answers with confidences float32[photos], right bool[photos]."""
    accepted = confidence >= threshold
    precision = float(np.mean(right[accepted])) if accepted.any() else None
    return Acceptance(float(threshold), float(np.mean(accepted)), precision)


def wilson_interval(right: int, photos: int, z: float = 1.959964) -> tuple[float, float]:
    """Return the interval in which the accuracy lies that `right` of `photos` right answers speak for.

    z: quantile of the normal distribution; the default gives 95 %. Unlike the accuracy plus or minus
    twice its standard error it holds near 0 and 1 and for few photos (Wilson, "Probable inference, the
    law of succession, and statistical inference", 1927).
    """
    share, weight = right / photos, z * z / photos
    middle = (share + weight / 2) / (1 + weight)
    half = math.sqrt(share * (1 - share) * weight + weight * weight / 4) / (1 + weight)
    return max(0.0, middle - half), min(1.0, middle + half)


def calibration_error(confidence: npt.NDArray[np.float32], right: npt.NDArray[np.bool_]) -> float:
    """Return the expected calibration error of confidences float32[photos], a share of 1.

    The photos are sorted by confidence into bins of equal number; in each, the gap between mean
    confidence and accuracy is taken, and the gaps are averaged, weighted by the bins' shares (Guo et
    al., "On Calibration of Modern Neural Networks", 2017, there with bins of equal width).

    Of equal number, because a good classifier is sure of nearly all photos: of 15 bins of equal width
    most then hold a photo or two and measure chance (Roelofs et al., "Mitigating Bias in Calibration
    Error Estimation", 2022). Equal confidences share a bin.
    """
    bins = calibration_bins(confidence)
    gaps = np.bincount(bins, weights=confidence.astype(np.float64) - right)
    return float(np.abs(gaps).sum() / len(confidence))


def calibration_bins(confidence: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """Return the bin of each photo, int64[photos], by its confidence: equal numbers, lowest first."""
    bins = min(CALIBRATION_BINS, max(1, len(confidence) // PHOTOS_PER_BIN))
    edges = np.quantile(confidence, np.arange(1, bins) / bins)
    return np.searchsorted(edges, confidence, side="right").astype(np.int64)
