"""Tell familiar pictures from novel ones, with a bounded rate of false alarms.

A picture's score is compared with those of the validation photos (Vovk, Gammerman and Shafer, "Algorithmic
Learning in a Random World", 2005). Whatever the network and its distances are, a photo of the same kind as
the validation photos is refused with a probability of at most the false-alarm rate.
"""

from dataclasses import dataclass
from typing import TypedDict

import numpy as np
import numpy.typing as npt

from shutterless.runtime.model.familiarity import combine

Floats = npt.NDArray[np.floating]

FALSE_ALARM_RATE = 0.02
# With fewer validation photos, one photo moves the rate of false alarms by more than a percentage point.
MIN_PHOTOS = 100
MAX_SCORES = 500


class FamiliarJson(TypedDict):
    """What a bundle records about familiar pictures; see `Familiarity`."""

    weights: list[float]
    scores: list[float]
    photos: int
    false_alarm_rate: float


@dataclass(frozen=True)
class Familiarity:
    """A threshold between familiar and novel pictures.

    Attributes:
        weights: One per distance. A picture's score is the weighted sum of its distances.
        scores: The scores of the validation photos, ascending; at most 500, evenly spread over them.
        photos: Number of validation photos.
        false_alarm_rate: Share of familiar photos that may be refused, 0 to 1.
    """

    weights: tuple[float, ...]
    scores: tuple[float, ...]
    photos: int
    false_alarm_rate: float = FALSE_ALARM_RATE

    def score(self, distances: Floats) -> npt.NDArray[np.float64]:
        """Return the weighted sum of distances, float64[pictures], bit for bit as it is served.

        Args:
            distances: float[pictures, k].
        """
        return np.array([combine(self.weights, row) for row in distances])

    def p_values(self, distances: Floats) -> npt.NDArray[np.float64]:
        """Return (1 + number of scores as high) / (1 + number of scores), float64[pictures].

        Args:
            distances: float[pictures, k].
        """
        as_high = len(self.scores) - np.searchsorted(self.scores, self.score(distances), side="left")
        return np.asarray((1 + as_high) / (1 + len(self.scores)), np.float64)

    def novelty(self, distances: Floats) -> npt.NDArray[np.float64]:
        """Return 1 - p, float64[pictures], from 0 (like most validation photos) to nearly 1.

        Args:
            distances: float[pictures, k].
        """
        return 1 - self.p_values(distances)

    def is_familiar(self, distances: Floats) -> npt.NDArray[np.bool_]:
        """Tell for each picture whether p exceeds the false-alarm rate, bool[pictures].

        Args:
            distances: float[pictures, k].
        """
        familiar: npt.NDArray[np.bool_] = self.p_values(distances) > self.false_alarm_rate
        return familiar

    def to_json(self) -> FamiliarJson:
        """Return the attributes as a bundle records them."""
        return {
            "weights": list(self.weights),
            "scores": list(self.scores),
            "photos": self.photos,
            "false_alarm_rate": self.false_alarm_rate,
        }


def fit_familiarity(distances: Floats, false_alarm_rate: float = FALSE_ALARM_RATE) -> Familiarity:
    """Record the scores of the validation photos, which set the threshold.

    Args:
        distances: Those of the validation photos, float[photos, k]. Each weighs as much as the others: it is
            divided by its standard deviation.
        false_alarm_rate: Share of familiar photos that may be refused, 0 to 1.
    """
    deviations = np.asarray(distances, np.float64).std(axis=0)
    weights = tuple((1 / np.maximum(deviations, 1e-12)).tolist())
    scores = np.sort(Familiarity(weights, (), 0).score(distances))
    return Familiarity(weights, tuple(thin(scores).tolist()), len(scores), false_alarm_rate)


def thin(scores: Floats, limit: int = MAX_SCORES) -> Floats:
    """Return at most `limit` evenly spaced quantiles of ascending scores.

    Each is rounded up to the next score, so that p-values computed from them refuse no more familiar photos
    than those computed from all scores.
    """
    if len(scores) <= limit:
        return scores
    ranks = -(-np.arange(1, limit + 1) * len(scores) // limit)
    return scores[ranks - 1]


def cross_fitted_false_alarms(
    distances: Floats, truth: npt.NDArray[np.int64], splits: int = 20, seed: int = 42
) -> float:
    """Return the share of validation photos that are refused by a threshold from the other half of them.

    Args:
        distances: Those of the validation photos, float[photos, k].
        truth: Index of each photo's label, int64[photos]; each half holds every label evenly.
        splits: Random splits into halves to average over.
        seed: Seed of the splits.

    Returns:
        Mean share over the splits, 0 to 1.
    """
    rng = np.random.default_rng(seed)
    shares = []
    for _ in range(splits):
        permutation = rng.permutation(len(truth))
        by_label = permutation[np.argsort(truth[permutation], kind="stable")]
        halves = by_label[::2], by_label[1::2]
        for fitting, asked in (halves, halves[::-1]):
            shares.append(1 - fit_familiarity(distances[fitting]).is_familiar(distances[asked]).mean())
    return float(np.mean(shares))
