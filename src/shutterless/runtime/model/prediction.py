"""The prediction for one picture. Standard library only, so that a client need not load the runtime."""

from shutterless.runtime.record import Record


class Prediction(Record):
    """The prediction for one picture.

    Attributes:
        label: The label with the highest score.
        confidence: Its score, 0 to 1.
        accepted: Whether the confidence reaches the bundle's threshold; if not, the answer is "not sure".
        scores: Every label's score, in label order; they add up to 1.
    """

    label: str
    confidence: float
    accepted: bool
    scores: dict[str, float]

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
        unsure = "" if self.accepted else ", not sure"
        return f"<Prediction {self.label!r} {self.confidence:.3f}{unsure}>"

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the best labels, each with a bar."""
        from html import escape

        rows = "".join(
            f"<tr><td>{escape(label)}</td><td><progress value='{score:.4f}' max='1'></progress></td>"
            f"<td>{score:.1%}</td></tr>"
            for label, score in self.top(5)
        )
        return f"<table>{rows}</table>{'' if self.accepted else 'Not sure.'}"
