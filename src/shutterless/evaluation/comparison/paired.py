"""Statistics of paired answers: is a difference between two models on the same photos more than chance?"""

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shutterless.evaluation.intervals import Z95, effective_photos


@dataclass(frozen=True)
class Difference:
    """A difference with its 95 % interval.

    Attributes:
        value: The second model's figure minus the first model's.
        low: Lower bound of the interval.
        high: Upper bound of the interval.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class McNemar:
    """McNemar's test of whether one of two models is right more often.

    Attributes:
        better: Photos, or groups of photos, on which only the second model is right.
        worse: Photos, or groups of photos, on which only the first model is right.
        p_value: Probability of a split at least as uneven if both models were equally good, 0 to 1.
    """

    better: int
    worse: int
    p_value: float


def mcnemar(gains: npt.NDArray[np.int64], groups: Sequence[Hashable]) -> McNemar:
    """Test whether as many photos got better as got worse.

    McNemar, "Note on the sampling error of the difference between correlated proportions or percentages"
    (1947), with the exact binomial distribution, which holds for any number of photos. Photos of the same
    thing tend to change together, so each group counts once: as better if more of its photos got better
    than worse.

    Args:
        gains: 1 for each photo that got better, -1 for worse, 0 for neither, int64[photos].
        groups: Group of each photo; a unique one for a photo in no group.
    """
    from scipy.stats import binomtest

    sums: Counter[Hashable] = Counter()
    for group, gain in zip(groups, gains.tolist(), strict=True):
        sums[group] += gain
    better, worse = (sum(sign * total > 0 for total in sums.values()) for sign in (1, -1))
    p_value = float(binomtest(better, better + worse).pvalue) if better + worse else 1.0
    return McNemar(better, worse, p_value)


def accuracy_difference(gains: npt.NDArray[np.int64], groups: Sequence[Hashable]) -> Difference:
    """Return the difference of two accuracies on the same photos.

    The interval is that of Agresti and Min, "Simple improved confidence intervals for comparing matched
    proportions" (2005), which also holds for few changes: half a photo is added to each of the four cells.
    For photos in groups, all counts are divided by the design effect.

    Args:
        gains: As for `mcnemar`.
        groups: As for `mcnemar`.

    Returns:
        Shares, -1 to 1.
    """
    effect = design_effect(gains.astype(np.float64), groups)
    better, worse = (float((gains == sign).sum()) / effect + 0.5 for sign in (1, -1))
    size = len(gains) / effect + 2
    middle = (better - worse) / size
    half = Z95 * math.sqrt(max(0.0, better + worse - (better - worse) ** 2 / size)) / size
    return Difference(float(gains.mean()), max(-1.0, middle - half), min(1.0, middle + half))


def mean_difference(values: npt.NDArray[np.float64], groups: Sequence[Hashable]) -> Difference:
    """Return the mean of paired differences with a normal interval.

    Args:
        values: The difference for each photo, such as that of its log losses, float64[photos].
        groups: As for `mcnemar`; they widen the interval by the square root of the design effect.
    """
    mean = float(values.mean())
    error = float(values.std(ddof=min(1, len(values) - 1))) / math.sqrt(len(values))
    half = Z95 * error * math.sqrt(design_effect(values, groups))
    return Difference(mean, mean - half, mean + half)


def design_effect(values: npt.NDArray[np.float64], groups: Sequence[Hashable]) -> float:
    """Return how much larger the variance of a mean is because photos are in groups; at least 1.

    Args:
        values: float64[photos].
        groups: Group of each photo; a unique one for a photo in no group.
    """
    return len(values) / effective_photos(values.tolist(), groups)
