"""Accuracy, log loss, calibration error and confusion matrix of a classifier."""

from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
import numpy.typing as npt
from sklearn import metrics

from shutterless.evaluation.holdout import explain
from shutterless.evaluation.intervals import effective_photos, rounded, standard_error, wilson_interval
from shutterless.runtime.json_types import JsonObject
from shutterless.utils.messages import plural

# The calibration error averages this many gaps, each measured on at least this many photos.
CALIBRATION_BINS, PHOTOS_PER_BIN = 10, 20
MIN_CALIBRATION_PHOTOS = CALIBRATION_BINS * PHOTOS_PER_BIN


@dataclass(frozen=True)
class LabelMetrics:
    """Precision, recall and F1 of one label.

    Attributes:
        precision: Share of the photos predicted as this label that have it, 0 to 1; 0 if there are none.
        recall: Share of the photos with this label that were predicted as it, 0 to 1.
        f1: Harmonic mean of precision and recall.
        photos: Number of photos with this label.
        predicted: Number of photos predicted as this label.
        right: Number of photos that are both.
    """

    precision: float
    recall: float
    f1: float
    photos: int
    predicted: int
    right: int


@dataclass(frozen=True)
class Confusion:
    """One kind of mistake: an off-diagonal cell of the confusion matrix.

    Attributes:
        label: The true label.
        predicted: The predicted label.
        photos: Number of photos.
        share: Their share of all photos with the true label, 0 to 1.
    """

    label: str
    predicted: str
    photos: int
    share: float


@dataclass(frozen=True)
class Acceptance:
    """Which answers a confidence threshold accepts.

    Attributes:
        threshold: Confidence from which an answer is accepted, 0 to 1.
        coverage: Share of the answers that are accepted, 0 to 1.
        precision: Share of the accepted answers that are correct, 0 to 1; None if none is accepted.
        photos: Number of accepted answers.
        right: Number of accepted answers that are correct.
    """

    threshold: float
    coverage: float
    precision: float | None
    photos: int
    right: int


@dataclass(frozen=True)
class ConditionMetrics:
    """Accuracy on photos under one condition, such as blur; see `evaluation.robustness`.

    Attributes:
        photos: Number of photos.
        right: Number of photos whose most probable label is the true one.
        accuracy: `right` / `photos`.
        accuracy_interval: Its 95 % interval.
    """

    photos: int
    right: int
    accuracy: float
    accuracy_interval: tuple[float, float]


@dataclass(frozen=True)
class ForeignPhoto:
    """A picture of something else, and what it was taken for.

    Attributes:
        path: Path below the folder of foreign pictures.
        label: The predicted label.
        confidence: Its confidence, 0 to 1.
        novelty: 1 - p-value, 0 to 1; see `Prediction`.
        familiar: Whether it was taken for a picture of one of the labels.
    """

    path: str
    label: str
    confidence: float
    novelty: float
    familiar: bool


@dataclass(frozen=True)
class ForeignMetrics:
    """How well pictures of other things are noticed.

    Attributes:
        photos: Number of pictures.
        noticed: Number of pictures that are not familiar.
        share: `noticed` / `photos`.
        share_interval: Its 95 % interval.
        auroc: Probability that one of them is stranger than one of the measured photos, 0 to 1.
        most_familiar: The pictures that look most familiar, up to ten, the most familiar first.
    """

    photos: int
    noticed: int
    share: float
    share_interval: tuple[float, float]
    auroc: float
    most_familiar: tuple[ForeignPhoto, ...]


@dataclass(frozen=True)
class Metrics:
    """How well a classifier does on a set of photos.

    Attributes:
        photos: Number of photos.
        right: Number of photos whose most probable label is the true one.
        accuracy: Top-1 accuracy, `right` / `photos`.
        accuracy_interval: Its 95 % interval, see `wilson_interval`.
        effective_photos: Effective sample size; below `photos` if they are in groups.
        loss: Log loss: mean cross-entropy in nats, without label smoothing or class weights.
        loss_error: Standard error of the log loss.
        calibration_error: Mean gap between confidence and accuracy, see `calibration_error`.
        labels: The labels in the order of the confusion matrix.
        per_label: Label → its precision, recall and F1.
        confusion: Confusion matrix: `confusion[i][j]` photos of `labels[i]` were predicted as `labels[j]`.
        acceptance: What the model's threshold accepts; None for a model without one.
        splits: Split → number of measured photos; empty if unknown.
        left_out: Split → number of photos in the same folder that were not measured.
        robustness: Condition, such as blur → accuracy under it, on some of the photos; the photos as they
            are come first, as "unchanged". Empty if it was not measured.
        foreign: How many pictures of other things are noticed; None if there were none.
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
    splits: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    robustness: dict[str, ConditionMetrics] = field(default_factory=dict)
    foreign: ForeignMetrics | None = None

    def to_json(self) -> JsonObject:
        """Return the attributes, and all `confusions`, as a JSON object."""
        return {**asdict(self), "confusions": [asdict(confusion) for confusion in self.confusions()]}

    def notes(self) -> list[str]:
        """Return notes on what the measured photos mean for the figures, one per line."""
        return explain(self.splits, self.left_out)

    def confusions(self) -> list[Confusion]:
        """Return every kind of mistake, the most frequent first."""
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
    """Compare a model's scores with the true labels.

    Args:
        truth: Index of each photo's true label, int64[photos].
        probabilities: The model's scores, float32[photos, labels].
        labels: The labels in output order.
        threshold: Confidence from which the model's answers are accepted, if it has one.
        groups: Group of each photo, a unique one for a photo in no group; by default none is in one.
    """
    guesses = probabilities.argmax(axis=1)
    confidence, right = probabilities.max(axis=1), guesses == truth
    losses = log_losses(truth, probabilities)
    confusion = metrics.confusion_matrix(truth, guesses, labels=range(len(labels)))
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
        per_label=dict(zip(labels, _label_metrics(truth, guesses, confusion), strict=True)),
        confusion=tuple(tuple(int(count) for count in row) for row in confusion),
        acceptance=None if threshold is None else accept(confidence, right, threshold),
    )


def log_losses(
    truth: npt.NDArray[np.int64], probabilities: npt.NDArray[np.float32]
) -> npt.NDArray[np.float64]:
    """Return the log loss of each photo in nats, float64[photos].

    Args:
        truth: Index of each photo's true label, int64[photos].
        probabilities: The model's scores, float32[photos, labels].
    """
    # A true label with a score of 0 would cost infinitely much; float32 resolves nothing smaller than this.
    scores = np.clip(probabilities.astype(np.float64), np.finfo(np.float32).eps, 1)
    losses: npt.NDArray[np.float64] = -np.log(scores[np.arange(len(truth)), truth])
    return losses


def _label_metrics(
    truth: npt.NDArray[np.int64], guesses: npt.NDArray[np.int64], confusion: npt.NDArray[np.int64]
) -> list[LabelMetrics]:
    figures = metrics.precision_recall_fscore_support(
        truth, guesses, labels=range(len(confusion)), zero_division=0
    )
    return [
        LabelMetrics(float(precision), float(recall), float(f1), int(support), int(guesses), int(right))
        for precision, recall, f1, support, guesses, right in zip(
            *figures, confusion.sum(axis=0), confusion.diagonal(), strict=True
        )
    ]


def accept(confidence: npt.NDArray[np.float32], right: npt.NDArray[np.bool_], threshold: float) -> Acceptance:
    """Return what a confidence threshold accepts.

    Args:
        confidence: float32[photos].
        right: bool[photos], whether each answer is correct.
        threshold: Confidence from which an answer is accepted.
    """
    is_accepted = confidence >= threshold
    photos, hits = int(is_accepted.sum()), int(right[is_accepted].sum())
    precision = hits / photos if photos else None
    return Acceptance(float(threshold), float(np.mean(is_accepted)), precision, photos, hits)


def calibration_error(confidence: npt.NDArray[np.float32], right: npt.NDArray[np.bool_]) -> float:
    """Return the expected calibration error (ECE), with bins of equal size.

    The photos are sorted by confidence into bins that hold equally many. In each bin, the gap between mean
    confidence and accuracy is taken; the gaps are averaged, weighted by the number of photos (Guo et al.,
    "On Calibration of Modern Neural Networks", 2017, there with bins of equal width).

    A good classifier is confident about nearly all photos, so most of 15 bins of equal width would hold a
    photo or two and measure noise (Roelofs et al., "Mitigating Bias in Calibration Error Estimation",
    2022). Equal confidences share a bin.

    Args:
        confidence: float32[photos].
        right: bool[photos], whether each answer is correct.

    Returns:
        0 (confidence equals accuracy) to 1.
    """
    bins = calibration_bins(confidence)
    gaps = np.bincount(bins, weights=confidence.astype(np.float64) - right)
    return float(np.abs(gaps).sum() / len(confidence))


def calibration_bins(confidence: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """Return each photo's bin by its confidence, int64[photos], from the lowest; bins are equally large.

    Args:
        confidence: float32[photos].
    """
    bins = min(CALIBRATION_BINS, max(1, len(confidence) // PHOTOS_PER_BIN))
    edges = np.quantile(confidence, np.arange(1, bins) / bins)
    return np.searchsorted(edges, confidence, side="right").astype(np.int64)


def calibration_text(error: float, right: int, photos: int) -> str:
    """Format a calibration error with the digits that the number of photos supports.

    With fewer than `MIN_CALIBRATION_PHOTOS` it would measure noise, and the text says so.

    Args:
        error: The calibration error.
        right: Number of correct answers.
        photos: Number of answers.
    """
    if photos < MIN_CALIBRATION_PHOTOS:
        count = plural(photos, "photo is", "photos are")
        return f"unknown ({count} too few; {MIN_CALIBRATION_PHOTOS} needed)"
    return rounded(error, standard_error(right, photos))
