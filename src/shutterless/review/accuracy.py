"""How often a model is right, by the photos that reviewers labelled in random order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shutterless.evaluation.intervals import wilson_interval
from shutterless.review.items import Item
from shutterless.review.labels_file import Answer, Choice
from shutterless.runtime.json_types import JsonObject


@dataclass(frozen=True)
class ReviewedAccuracy:
    """The share of right answers among randomly chosen photos.

    Attributes:
        photos: Number of photos.
        right: Number of those that the model answered as the reviewers did.
        interval: 95 % interval of the accuracy.
        accepted: Number of photos whose answer was accepted; None if unknown.
        accepted_right: Number of those that are right.
        skipped: Number of photos that reviewers skipped, which are left out.
    """

    photos: int
    right: int
    interval: tuple[float, float]
    accepted: int | None
    accepted_right: int | None
    skipped: int

    def to_json(self) -> JsonObject:
        """Return a JSON object."""
        return {
            "photos": self.photos,
            "right": self.right,
            "accuracy": self.right / self.photos,
            "interval": list(self.interval),
            "accepted": self.accepted,
            "accepted_right": self.accepted_right,
            "skipped": self.skipped,
        }


def measure_accuracy(
    sample: Sequence[str], items: Mapping[str, Item], answers: Mapping[str, Answer]
) -> ReviewedAccuracy | None:
    """Return the accuracy by the randomly chosen photos that have an answer, up to the first that has none.

    Where none of the labels fits, the model's answer is wrong. Photos that were labelled because they teach
    much don't count: they are harder than most.

    Args:
        sample: Ids of the photos that were chosen at random, in random order.
        items: Id → photo.
        answers: Id → answer.

    Returns:
        The accuracy; None as long as the first of them has no answer.
    """
    prefix = []
    for name in sample:
        if name not in answers:
            break
        prefix.append((items[name], answers[name]))
    pairs = [(item, answer) for item, answer in prefix if answer.choice is not Choice.SKIP]
    if not pairs:
        return None
    correct = [answer.choice is Choice.LABEL and answer.label == item.label for item, answer in pairs]
    accepted = [ok for ok, (item, _) in zip(correct, pairs, strict=True) if item.is_accepted]
    is_known = any(item.is_accepted is not None for item, _ in pairs)
    return ReviewedAccuracy(
        len(pairs),
        sum(correct),
        wilson_interval(sum(correct), len(pairs)),
        len(accepted) if is_known else None,
        sum(accepted) if is_known else None,
        len(prefix) - len(pairs),
    )
