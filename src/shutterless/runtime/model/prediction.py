"""The prediction for one picture. Standard library only, so that a client need not load the runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shutterless.runtime.record import Record

if TYPE_CHECKING:
    from shutterless.runtime.json_types import PredictionMembers

NONE_OF_THE_LABELS, NOT_SURE = "none of the labels", "not sure"


class Prediction(Record):
    """The prediction for one picture.

    Attributes:
        label: The label with the highest score.
        confidence: Its score, 0 to 1.
        accepted: Whether the picture is familiar and the confidence reaches the bundle's threshold; if not,
            the answer is "none of the labels" or "not sure".
        scores: Every label's score, in label order; they add up to 1.
        familiar: Whether the picture is like the photos that the model was trained on; None if the model
            can't tell.
        novelty: How unlike them it is, 0 to 1: the share of validation photos that are more like them. None
            if the model can't tell.
    """

    label: str
    confidence: float
    accepted: bool
    scores: dict[str, float]
    familiar: bool | None = None
    novelty: float | None = None

    @property
    def verdict(self) -> str:
        """Why the answer is not accepted, see `describe_verdict`; empty if it is."""
        return describe_verdict(self.accepted, self.familiar)

    def to_json(self) -> PredictionMembers:
        """Return the members of an answer, without `familiar` and `novelty` if the model can't tell."""
        members: PredictionMembers = {
            "label": self.label,
            "confidence": self.confidence,
            "accepted": self.accepted,
            "scores": self.scores,
        }
        if self.familiar is None or self.novelty is None:
            return members
        return {**members, "familiar": self.familiar, "novelty": self.novelty}

    def top(self, count: int = 3) -> list[tuple[str, float]]:
        """Return the labels with the highest scores, the best first.

        Args:
            count: How many.

        Example:
            >>> Prediction("hat", 0.7, True, {"coat": 0.1, "hat": 0.7, "shoes": 0.2}).top(2)
            [('hat', 0.7), ('shoes', 0.2)]
        """
        return sorted(self.scores.items(), key=lambda item: -item[1])[:count]

    def __repr__(self) -> str:
        verdict = f", {self.verdict}" if self.verdict else ""
        return f"<Prediction {self.label!r} {self.confidence:.3f}{verdict}>"

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the best labels, each with a bar."""
        from html import escape

        rows = "".join(
            f"<tr><td>{escape(label)}</td><td><progress value='{score:.4f}' max='1'></progress></td>"
            f"<td>{score:.1%}</td></tr>"
            for label, score in self.top(5)
        )
        return f"<table>{rows}</table>{self.verdict.capitalize()}"


def describe_verdict(accepted: bool, familiar: bool | None = None) -> str:
    """Return why an answer is not accepted: `none of the labels` or `not sure`; empty if it is.

    Args:
        accepted: Whether it is accepted.
        familiar: Whether the picture is familiar; None if the model can't tell.
    """
    if familiar is False:
        return NONE_OF_THE_LABELS
    return "" if accepted else NOT_SURE
