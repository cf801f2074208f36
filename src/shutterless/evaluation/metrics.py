"""How good a classifier is, from its probabilities and the truth."""

from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn import metrics

from shutterless.evaluation.intervals import effective_photos, rounded, standard_error, wilson_interval

# A calibration error is the sum of so many gaps, each measured on so many photos or more.
CALIBRATION_BINS, PHOTOS_PER_BIN = 10, 20
MIN_CALIBRATION_PHOTOS = CALIBRATION_BINS * PHOTOS_PER_BIN


@dataclass(frozen=True)
class LabelMetrics:
    """One label's figures. Precision is 0 if the label was never predicted.

    photos: how many truly have the label. predicted: how many the model gave it to. right: how many both.
    """

    precision: float
    recall: float
    f1: float
    photos: int
    predicted: int
    right: int


@dataclass(frozen=True)
class Confusion:
    """A kind of mistake: `photos` photos of `label`, the share `share` of them, got `predicted`."""

    label: str
    predicted: str
    photos: int
    share: float


@dataclass(frozen=True)
class Acceptance:
    """What is accepted when a confidence must reach `threshold`, all shares of 1.

    coverage: the share of photos that are accepted. precision: the share of those that are right, None
    if there are none. photos: how many are accepted. right: how many of those are right.
    """

    threshold: float
    coverage: float
    precision: float | None
    photos: int
    right: int


@dataclass(frozen=True)
class Metrics:
    """A classifier's figures on some photos.

    right: how many photos have the true label as their most probable one.
    accuracy: top-1, the share `right` / `photos`.
    accuracy_interval: its 95 % interval, see `wilson_interval`.
    effective_photos: fewer than `photos` where they are in groups, see `rounding.effective_photos`.
    loss: the log loss: mean cross-entropy in nats, without label smoothing or class weights.
    loss_error: its standard error.
    calibration_error: how far confidence is from accuracy, see `calibration_error`.
    confusion: confusion[i][j] photos of labels[i] were taken for labels[j].
    acceptance: what the model's threshold accepts; None for a model without one.
    """

    photos: int
    right: int
    accuracy: float
    accuracy_interval: tuple[float, float]
    effective_photos: float
    loss: float
    loss_error: float
    calibration_error: float
    labels: tuple[str, ...]
    per_label: dict[str, LabelMetrics]
    confusion: tuple[tuple[int, ...], ...]
    acceptance: Acceptance | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the figures as plain values for a JSON document, with all confusions as a list."""
        return {**asdict(self), "confusions": [asdict(confusion) for confusion in self.confusions()]}

    def confusions(self) -> list[Confusion]:
        """Return what was mistaken for what, the most frequent mistakes first."""
        matrix = np.array(self.confusion)
        np.fill_diagonal(matrix, 0)
        totals = {label: figures.photos for label, figures in self.per_label.items()}
        mistakes = [
            Confusion(
                self.labels[true], self.labels[guess], int(count), float(count / totals[self.labels[true]])
            )
            for true, guess in np.argwhere(matrix)
            if (count := matrix[true, guess])
        ]
        return sorted(mistakes, key=lambda mistake: (-mistake.photos, -mistake.share))


def measure(
    truth: npt.NDArray[np.int64],
    probabilities: npt.NDArray[np.float32],
    labels: Sequence[str],
    threshold: float | None = None,
    groups: Sequence[Hashable] | None = None,
) -> Metrics:
    """Compare probabilities float32[photos, labels] with the true places in `labels`, int64[photos].

    threshold: the confidence from which the model's answers are accepted, if it has one.
    groups: the group that each photo is in, its own for one that is in none; by default none is in one.
    """
    places = range(len(labels))
    guesses = probabilities.argmax(axis=1)
    confidence, right = probabilities.max(axis=1), guesses == truth
    # A photo held for impossible would cost infinitely much; float32 resolves no finer than this.
    sure = np.clip(probabilities.astype(np.float64), np.finfo(np.float32).eps, 1)
    losses = -np.log(sure[np.arange(len(truth)), truth])
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        truth, guesses, labels=places, zero_division=0
    )
    confusion = metrics.confusion_matrix(truth, guesses, labels=places)
    effective = float(len(truth)) if groups is None else effective_photos(right.tolist(), groups)
    return Metrics(
        photos=len(truth),
        right=int(right.sum()),
        accuracy=float(np.mean(right)),
        accuracy_interval=wilson_interval(float(np.mean(right)) * effective, effective),
        effective_photos=effective,
        loss=float(np.mean(losses)),
        loss_error=float(np.std(losses) / np.sqrt(len(truth))),
        calibration_error=calibration_error(confidence, right),
        labels=tuple(labels),
        per_label={
            label: LabelMetrics(
                float(precision[i]),
                float(recall[i]),
                float(f1[i]),
                int(support[i]),
                int(confusion[:, i].sum()),
                int(confusion[i, i]),
            )
            for i, label in enumerate(labels)
        },
        confusion=tuple(tuple(int(count) for count in row) for row in confusion),
        acceptance=None if threshold is None else accept(confidence, right, threshold),
    )


def accept(confidence: npt.NDArray[np.float32], right: npt.NDArray[np.bool_], threshold: float) -> Acceptance:
    """Return what `threshold` accepts of answers with confidences float32[photos], right bool[photos]."""
    accepted = confidence >= threshold
    photos, hits = int(accepted.sum()), int(right[accepted].sum())
    precision = hits / photos if photos else None
    return Acceptance(float(threshold), float(np.mean(accepted)), precision, photos, hits)


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


def calibration_text(error: float, right: int, photos: int) -> str:
    """Return a calibration error as text, with the digits that `right` of `photos` right answers support.

    Fewer photos than `MIN_CALIBRATION_PHOTOS` measure chance rather than calibration, and the text says so.
    """
    if photos < MIN_CALIBRATION_PHOTOS:
        return f"unknown ({photos:,} photos are too few; {MIN_CALIBRATION_PHOTOS} needed)"
    return rounded(error, standard_error(right, photos))
