"""Answers of a model to pictures, as arrays: those of the validation photos, and those of a later window."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Sample:
    """Answers to pictures.

    Attributes:
        scores: With the bundle's temperature, float64[pictures, labels].
        embeddings: float64[pictures, d].
        novelty: float64[pictures], 0 to 1.
        units: Number of what was drawn independently, int64[pictures]: a request, or a group of photos. All
            pictures of a unit may be alike.
    """

    scores: Floats
    embeddings: Floats
    novelty: Floats
    units: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.novelty)

    @property
    def confidence(self) -> Floats:
        """The highest score of each picture, float64[pictures]."""
        return np.asarray(self.scores.max(axis=1), np.float64)

    @property
    def answers(self) -> npt.NDArray[np.int64]:
        """Index of each picture's label, int64[pictures]."""
        return np.asarray(self.scores.argmax(axis=1), np.int64)

    def take(self, indices: npt.NDArray[np.int64]) -> "Sample":
        """Return the answers at these indices."""
        return Sample(
            self.scores[indices], self.embeddings[indices], self.novelty[indices], self.units[indices]
        )

    def independent(self) -> "Sample":
        """Return the first answer of each unit, so that all of them are independent."""
        return self.take(np.sort(np.unique(self.units, return_index=True)[1]))


def resample(units: npt.NDArray[np.int64], rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Draw as many units as there are, with replacement, for a bootstrap.

    Args:
        units: As in `Sample`.
        rng: Draws them.

    Returns:
        Indices of the pictures of the units that were drawn, int64[drawn].
    """
    order = np.argsort(units, kind="stable")
    starts = np.flatnonzero(np.diff(units[order], prepend=-1))
    sizes = np.diff(np.append(starts, len(units)))
    draws = rng.integers(len(starts), size=len(starts))
    if len(starts) == len(units):
        return np.asarray(order[draws], np.int64)
    return np.concatenate([order[starts[draw] : starts[draw] + sizes[draw]] for draw in draws])
