"""Compare the answers of two models to the same labelled photos."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np
import numpy.typing as npt

from shutterless.dataset import Photo, label_indices
from shutterless.evaluation.comparison.answers import Answers
from shutterless.evaluation.comparison.paired import (
    Difference,
    McNemar,
    accuracy_difference,
    mcnemar,
    mean_difference,
)
from shutterless.evaluation.holdout import explain
from shutterless.evaluation.metrics import Acceptance, Metrics, log_losses, measure
from shutterless.runtime.json_types import JsonObject


@dataclass(frozen=True)
class ModelAnswer:
    """A model's answer to one photo.

    Attributes:
        label: The most probable label.
        confidence: Its score, 0 to 1.
        accepted: Whether the answer is accepted; None for a run, which has no threshold.
        novelty: How unlike the training photos the photo is, 0 to 1; None if the model can't tell.
    """

    label: str
    confidence: float
    accepted: bool | None
    novelty: float | None


@dataclass(frozen=True)
class AnswerChange:
    """A photo to which two models give different labels.

    Attributes:
        path: The photo's path in its data set.
        label: The true label.
        a: The first model's answer.
        b: The second model's answer.
        effect: `better` if only the second is right, `worse` if only the first is, `neither` if both are
            wrong.
    """

    path: str
    label: str
    a: ModelAnswer
    b: ModelAnswer
    effect: str


@dataclass(frozen=True)
class ComparedModel:
    """One of two models, and its metrics.

    Attributes:
        name: The folder that was given, or the name of the model's class.
        kind: `bundle`, `run` or `model`.
        metrics: Measured on the compared photos; `acceptance` also counts unfamiliar photos as not accepted.
        unfamiliar: Number of compared photos taken for none of the labels; None if the model can't tell.
        splits: Split → number of compared photos that were in it when this model was trained; `new` for
            photos that it didn't have.
        bytes: Size of a bundle's model; None for a run, whose file also holds the state of the training.
        parameters: Number of a run's parameters; None for a bundle.
        milliseconds: Processor time of one photo on this machine: on one core for a bundle, of all cores
            for a run. The median of several, in turn with the other model.
    """

    name: str
    kind: str
    metrics: Metrics
    unfamiliar: int | None = None
    splits: Mapping[str, int] = field(default_factory=dict)
    bytes: int | None = None
    parameters: int | None = None
    milliseconds: float | None = None


@dataclass(frozen=True)
class LabelChange:
    """How the answers to the photos of one label changed.

    Attributes:
        photos: Number of photos with this label.
        a: Number of them that the first model classifies correctly.
        b: Number of them that the second model classifies correctly.
        better: Number of them that only the second model classifies correctly.
        worse: Number of them that only the first model classifies correctly.
    """

    photos: int
    a: int
    b: int
    better: int
    worse: int


@dataclass(frozen=True)
class UnsharedLabel:
    """A label that only one of the models knows. Its photos are not part of the comparison.

    Attributes:
        known_to: `a` or `b`.
        photos: Number of photos with this label.
        right: Number of them that this model classifies correctly.
    """

    known_to: str
    photos: int
    right: int


@dataclass(frozen=True)
class ModelComparison:
    """Two models' answers to the same photos, of labels that both know.

    Attributes:
        a: The first model.
        b: The second model.
        photos: Number of photos.
        same: Number of photos with the same answer.
        both_right: Number of photos that both classify correctly.
        better: Number of photos that only the second model classifies correctly.
        worse: Number of photos that only the first model classifies correctly.
        both_wrong: Number of photos that neither classifies correctly.
        accuracy: Second accuracy minus first, -1 to 1.
        loss: Second log loss minus first, in nats; negative is better.
        test: McNemar's test of the changes.
        changes: The photos whose answers differ: worse ones first, then better ones, each by confidence.
        per_label: Label → how its answers changed, for labels that both know and that have photos.
        unshared: Label → its photos, for labels that only one model knows.
        splits: Split → number of photos; a photo that either model was trained on counts as train.
        left_out: Split → number of photos of the folder that were not compared.
        root: The folder that the photos' paths are relative to.
    """

    a: ComparedModel
    b: ComparedModel
    photos: int
    same: int
    both_right: int
    better: int
    worse: int
    both_wrong: int
    accuracy: Difference
    loss: Difference
    test: McNemar
    changes: tuple[AnswerChange, ...]
    per_label: dict[str, LabelChange]
    unshared: dict[str, UnsharedLabel]
    splits: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    root: str = ""

    @property
    def agreement(self) -> float:
        """Share of photos with the same answer, 0 to 1."""
        return self.same / self.photos

    def to_json(self) -> JsonObject:
        """Return the attributes as a JSON object."""
        return {**asdict(self), "agreement": self.agreement}

    def notes(self) -> list[str]:
        """Return notes on what the compared photos mean for the figures, one per line."""
        return [*explain(self.splits, self.left_out), *self._advantages()]

    def _advantages(self) -> Iterator[str]:
        """Yield a note for each use of the photos that only one model made, or made more of."""
        uses = {"train": "was trained on", "validation": "chose its best epoch on"}
        for split, use in uses.items():
            counts = {"A": self.a.splits.get(split, 0), "B": self.b.splits.get(split, 0)}
            if self.a.splits and self.b.splits and counts["A"] != counts["B"]:
                favoured, other = sorted(counts, key=lambda name: -counts[name])
                yield (
                    f"{favoured} {use} {counts[favoured]:,} of the {self.photos:,} compared photos, "
                    f"{other} on {counts[other]:,}: this favours {favoured}"
                )


def compare_answers(
    photos: Sequence[Photo],
    a: Answers,
    b: Answers,
) -> ModelComparison:
    """Compare two models' answers to the same photos.

    Args:
        photos: The photos, each with a label that at least one model knows, and its group, if any.
        a: The first model's answers.
        b: The second model's answers.

    Raises:
        ValueError: No photo has a label that both models know.
    """
    shared = {*a.labels} & {*b.labels}
    indices = np.array([index for index, photo in enumerate(photos) if photo.label in shared], np.int64)
    if not len(indices):
        raise ValueError("no photo has a label that both models know")
    unshared = {**_unshared("a", photos, a, shared), **_unshared("b", photos, b, shared)}
    sample = [photos[index] for index in indices]
    a, b = a.at(indices), b.at(indices)
    groups = [photo.group or photo.path for photo in sample]
    right_a, right_b = _is_right(sample, a), _is_right(sample, b)
    gains = right_b.astype(np.int64) - right_a
    return ModelComparison(
        a=ComparedModel("A", "model", _measure(sample, a, groups), _count_unfamiliar(a)),
        b=ComparedModel("B", "model", _measure(sample, b, groups), _count_unfamiliar(b)),
        photos=len(sample),
        same=sum(one == other for one, other in zip(a.guesses, b.guesses, strict=True)),
        both_right=int((right_a & right_b).sum()),
        better=int((gains > 0).sum()),
        worse=int((gains < 0).sum()),
        both_wrong=int((~right_a & ~right_b).sum()),
        accuracy=accuracy_difference(gains, groups),
        loss=mean_difference(_losses(sample, b) - _losses(sample, a), groups),
        test=mcnemar(gains, groups),
        changes=_changes(sample, a, b),
        per_label=_per_label(sample, right_a, right_b),
        unshared=dict(sorted(unshared.items())),
    )


def _losses(photos: Sequence[Photo], answers: Answers) -> npt.NDArray[np.float64]:
    return log_losses(label_indices(photos, answers.labels), answers.probabilities)


def _is_right(photos: Sequence[Photo], answers: Answers) -> npt.NDArray[np.bool_]:
    return np.array([photo.label == guess for photo, guess in zip(photos, answers.guesses, strict=True)])


def _measure(photos: Sequence[Photo], answers: Answers, groups: Sequence[str]) -> Metrics:
    """Return a model's metrics; what it accepts also depends on whether photos are familiar."""
    truth = label_indices(photos, answers.labels)
    metrics = measure(truth, answers.probabilities, answers.labels, None, groups)
    if answers.accepted is None:
        return metrics
    count = int(answers.accepted.sum())
    hits = int(_is_right(photos, answers)[answers.accepted].sum())
    precision = hits / count if count else None
    return replace(
        metrics, acceptance=Acceptance(answers.threshold, count / len(photos), precision, count, hits)
    )


def _count_unfamiliar(answers: Answers) -> int | None:
    return None if answers.familiar is None else int((~answers.familiar).sum())


def _unshared(
    name: str, photos: Sequence[Photo], answers: Answers, shared: set[str]
) -> dict[str, UnsharedLabel]:
    """Return the labels that only this model knows, with their photos."""
    right = _is_right(photos, answers)
    result = {}
    for label in {*answers.labels} - shared:
        has_label = np.array([photo.label == label for photo in photos])
        result[label] = UnsharedLabel(name, int(has_label.sum()), int((has_label & right).sum()))
    return result


def _per_label(
    photos: Sequence[Photo], right_a: npt.NDArray[np.bool_], right_b: npt.NDArray[np.bool_]
) -> dict[str, LabelChange]:
    labels = np.array([photo.label for photo in photos])
    result = {}
    for label in sorted({*labels.tolist()}):
        a, b = right_a[labels == label], right_b[labels == label]
        result[label] = LabelChange(
            len(a), int(a.sum()), int(b.sum()), int((b & ~a).sum()), int((a & ~b).sum())
        )
    return result


def _changes(photos: Sequence[Photo], a: Answers, b: Answers) -> tuple[AnswerChange, ...]:
    """Return the photos with different answers: worse ones first, then better ones, each by confidence."""
    changes = []
    for photo, one, other in zip(photos, _answers(a), _answers(b), strict=True):
        if one.label != other.label:
            effects = {one.label: "worse", other.label: "better"}
            changes.append(
                AnswerChange(photo.path, photo.label, one, other, effects.get(photo.label, "neither"))
            )
    order = ("worse", "better", "neither")
    return tuple(sorted(changes, key=lambda change: (order.index(change.effect), -change.b.confidence)))


def _answers(answers: Answers) -> list[ModelAnswer]:
    count = len(answers.probabilities)
    accepted: list[bool | None] = [None] * count if answers.accepted is None else answers.accepted.tolist()
    novelty: list[float | None] = [None] * count if answers.novelty is None else answers.novelty.tolist()
    confidence: list[float] = answers.confidence.tolist()
    return [*map(ModelAnswer, answers.guesses, confidence, accepted, novelty)]
