"""Measure how well pictures that fit no label are noticed, without asking anyone for such pictures.

Each label is left out once: the distances are fitted without it, and its validation photos are asked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NotRequired, TypedDict

import numpy as np
import numpy.typing as npt

from shutterless.novelty.conformal import MIN_PHOTOS, cross_fitted_false_alarms, fit_familiarity
from shutterless.novelty.fit import fit_novelty
from shutterless.novelty.types import Floats, NoveltyModel

Truth = npt.NDArray[np.int64]

# Labels to leave out at most, evenly chosen: the more labels there are, the less one of them matters.
MAX_LABELS = 20
SPLITS = 20


class NoticedJson(TypedDict):
    """How well some pictures are told from familiar ones."""

    auroc: float
    noticed: float
    photos: int


class LeftOutJson(TypedDict):
    """How well photos of labels that were left out are noticed: the means, and each label's."""

    auroc: float
    noticed: float
    labels: dict[str, NoticedJson]


class NoveltyJson(TypedDict):
    """What a bundle records as measured about novelty; see `NoveltyMeasurement`."""

    promises: bool
    false_alarms: float | None
    left_out: LeftOutJson | None
    other: NotRequired[NoticedJson]


@dataclass(frozen=True)
class Noticed:
    """How well some pictures are told from familiar ones.

    Attributes:
        auroc: Probability that one of them is stranger than a familiar photo, 0 to 1.
        noticed: Share of them that is refused at the false-alarm rate, 0 to 1.
        photos: Number of them.
    """

    auroc: float
    noticed: float
    photos: int

    def to_json(self) -> NoticedJson:
        """Return the attributes as a JSON object."""
        return {"auroc": self.auroc, "noticed": self.noticed, "photos": self.photos}


@dataclass(frozen=True)
class NoveltyMeasurement:
    """How well a model tells pictures that fit none of its labels.

    Attributes:
        photos: Number of validation photos.
        false_alarms: Share of validation photos that is refused by a threshold from others of them, 0 to 1;
            None if there are too few.
        by_label: Label → how well its photos are noticed by a model that was fitted without it.
        other: How well photos of other things are noticed that did not choose the weights; None without.
    """

    photos: int
    false_alarms: float | None
    by_label: Mapping[str, Noticed]
    other: Noticed | None = None

    @property
    def promises(self) -> bool:
        """Whether there are enough validation photos to promise a false-alarm rate."""
        return self.photos >= MIN_PHOTOS

    @property
    def auroc(self) -> float | None:
        """Mean AUROC of the labels that were left out."""
        return float(np.mean([each.auroc for each in self.by_label.values()])) if self.by_label else None

    @property
    def noticed(self) -> float | None:
        """Mean share of photos noticed, of the labels that were left out."""
        return float(np.mean([each.noticed for each in self.by_label.values()])) if self.by_label else None

    def to_json(self) -> NoveltyJson:
        """Return the figures as a bundle records them."""
        document: NoveltyJson = {
            "promises": self.promises,
            "false_alarms": self.false_alarms,
            "left_out": None,
        }
        if self.auroc is not None and self.noticed is not None:
            labels = {label: each.to_json() for label, each in self.by_label.items()}
            document["left_out"] = {"auroc": self.auroc, "noticed": self.noticed, "labels": labels}
        if self.other:
            document["other"] = self.other.to_json()
        return document


def parse_left_out(measured: object) -> dict[str, Noticed]:
    """Return label → how well its photos are noticed by a model that was fitted without it.

    Args:
        measured: What a bundle records, see `NoveltyMeasurement.to_json`. From anything else, nothing is
            returned.
    """
    document: Any = measured  # a stranger may have written it
    try:
        labels = document["left_out"]["labels"]
        return {
            str(label): Noticed(float(figures["auroc"]), float(figures["noticed"]), int(figures["photos"]))
            for label, figures in labels.items()
        }
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return {}


def measure_novelty(
    model: NoveltyModel,
    train: Mapping[str, Floats],
    train_truth: Truth,
    validation: Mapping[str, Floats],
    validation_truth: Truth,
    labels: Sequence[str],
    *,
    other: Mapping[str, Floats] | None = None,
    seed: int = 42,
) -> NoveltyMeasurement:
    """Measure false alarms, and how well photos of left-out labels and other things are noticed.

    Args:
        model: What was fitted to all labels.
        train: Layer → features of the training photos, float32[photos, c].
        train_truth: Index of each training photo's label.
        validation: Layer → features of the validation photos.
        validation_truth: Index of each validation photo's label.
        labels: The labels.
        other: Layer → features of photos of other things.
        seed: Seed of the splits into halves.
    """
    distances = model.distances(validation)
    enough = len(validation_truth) >= MIN_PHOTOS
    return NoveltyMeasurement(
        photos=len(validation_truth),
        false_alarms=cross_fitted_false_alarms(distances, validation_truth, seed=seed) if enough else None,
        by_label=leave_one_label_out(train, train_truth, validation, validation_truth, labels),
        other=notice(distances, model.distances(other)) if other else None,
    )


def leave_one_label_out(
    train: Mapping[str, Floats],
    train_truth: Truth,
    validation: Mapping[str, Floats],
    validation_truth: Truth,
    labels: Sequence[str],
) -> dict[str, Noticed]:
    """Fit the distances without a label and ask its validation photos, for each label in turn.

    The features are those of a network that may have been trained on the label, which makes it easier to
    notice. Of more than 20 labels, 20 are left out.

    Args:
        train: Layer → features of the training photos, float32[photos, c].
        train_truth: Index of each training photo's label.
        validation: Layer → features of the validation photos.
        validation_truth: Index of each validation photo's label.
        labels: The labels.

    Returns:
        Label → how well its photos are noticed. Labels without validation photos are missing; of fewer than
        three labels, none is left out.
    """
    candidates = np.unique(validation_truth) if len(labels) >= 3 else np.array([], int)
    chosen = candidates[:: max(1, -(-len(candidates) // MAX_LABELS))]
    results = {}
    for index in map(int, chosen):
        is_known, is_familiar = train_truth != index, validation_truth != index
        known = {layer: features[is_known] for layer, features in train.items()}
        distances = fit_novelty(known, train_truth[is_known]).distances(validation)
        results[labels[index]] = notice(distances[is_familiar], distances[~is_familiar])
    return results


def notice(familiar: Floats, strange: Floats) -> Noticed:
    """Measure how well strange pictures are told from familiar ones, which set weights and threshold.

    Args:
        familiar: Distances of familiar photos, float[photos, k].
        strange: Distances of strange pictures, float[pictures, k].
    """
    familiarity = fit_familiarity(familiar)
    return Noticed(
        auroc(familiarity.score(familiar), familiarity.score(strange)),
        float(1 - familiarity.is_familiar(strange).mean()),
        len(strange),
    )


def auroc(familiar: npt.NDArray[np.float64], strange: npt.NDArray[np.float64]) -> float:
    """Return the probability that a strange picture scores higher than a familiar one; ties count half.

    Args:
        familiar: Scores of familiar photos, one or more.
        strange: Scores of strange pictures, one or more.
    """
    ordered = np.sort(familiar)
    below = np.searchsorted(ordered, strange, "left") + np.searchsorted(ordered, strange, "right")
    return float(below.mean() / 2 / len(familiar))
