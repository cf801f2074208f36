"""How good a classifier is, from its probabilities and the truth."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn import metrics


@dataclass(frozen=True)
class LabelMetrics:
    """One label's figures; `photos` is how many truly have it. Precision is 0 if it was never guessed."""

    precision: float
    recall: float
    f1: float
    photos: int


@dataclass(frozen=True)
class Metrics:
    """A classifier's figures on some photos.

    accuracy: top-1, the share of photos whose most probable label is the true one.
    loss: mean cross-entropy in nats, without label smoothing.
    calibration_error: how far confidence is from accuracy, see `calibration_error`.
    confusion: confusion[i][j] photos of labels[i] were taken for labels[j].
    """

    photos: int
    accuracy: float
    loss: float
    calibration_error: float
    labels: tuple[str, ...]
    per_label: dict[str, LabelMetrics]
    confusion: tuple[tuple[int, ...], ...]

    def to_json(self) -> dict[str, Any]:
        """Return the figures as plain values for a JSON document."""
        return asdict(self)


def measure(
    truth: npt.NDArray[np.int64], probabilities: npt.NDArray[np.float32], labels: Sequence[str]
) -> Metrics:
    """Compare probabilities float32[photos, labels] with the true places in `labels`, int64[photos]."""
    places = range(len(labels))
    guesses = probabilities.argmax(axis=1)
    # A photo held for impossible would cost infinitely much; float32 resolves no finer than this.
    sure = np.clip(probabilities.astype(np.float64), np.finfo(np.float32).eps, 1)
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        truth, guesses, labels=places, zero_division=0
    )
    confusion = metrics.confusion_matrix(truth, guesses, labels=places)
    return Metrics(
        photos=len(truth),
        accuracy=float(np.mean(guesses == truth)),
        loss=float(-np.mean(np.log(sure[np.arange(len(truth)), truth]))),
        calibration_error=calibration_error(probabilities.max(axis=1), guesses == truth),
        labels=tuple(labels),
        per_label={
            label: LabelMetrics(float(precision[i]), float(recall[i]), float(f1[i]), int(support[i]))
            for i, label in enumerate(labels)
        },
        confusion=tuple(tuple(int(count) for count in row) for row in confusion),
    )


def calibration_error(
    confidence: npt.NDArray[np.float32], right: npt.NDArray[np.bool_], bins: int = 15
) -> float:
    """Return the expected calibration error of confidences float32[photos], a share of 1.

    In each of `bins` equal ranges of confidence, the gap between mean confidence and accuracy, weighted
    by the range's share of the photos (Guo et al., "On Calibration of Modern Neural Networks", 2017).
    """
    ranges = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    gaps = np.bincount(ranges, weights=confidence.astype(np.float64) - right, minlength=bins)
    return float(np.abs(gaps).sum() / len(confidence))
