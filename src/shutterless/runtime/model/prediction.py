"""What a model says of one picture. Standard library only, so that a client need not load the runtime."""

from dataclasses import dataclass


@dataclass(frozen=True, repr=False)
class Prediction:
    """The answer for one picture: every label's score in label order, and the best of them.

    accepted: whether the confidence reaches the bundle's threshold; if not, the answer is "not sure".
    """

    label: str
    confidence: float
    accepted: bool
    scores: dict[str, float]

    def top(self, count: int = 3) -> list[tuple[str, float]]:
        """Return the best labels with their scores, the best first."""
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
