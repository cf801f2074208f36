"""Figures with as many digits as the number of photos supports.

The last digit shown is the first significant digit of the figure's standard error: 93.8 % of 341 photos
has a standard error of 1.3 points and is shown as 94 %. Documents for programs keep the exact figures.
"""

import math
from collections import defaultdict
from collections.abc import Hashable, Sequence

Z95 = 1.959964  # quantile of the normal distribution for an interval of 95 %
MAX_DECIMALS = 4


def wilson_interval(right: float, photos: float, z: float = Z95) -> tuple[float, float]:
    """Return the confidence interval of the accuracy when `right` of `photos` answers are right.

    Unlike the accuracy plus or minus twice its standard error it holds near 0 and 1 and for few photos
    (Wilson, "Probable inference, the law of succession, and statistical inference", 1927).
    `scipy.stats.binomtest` gives the same in 1 ms a call, too slow for a table of 1,000 labels.

    Args:
        right: Number of right answers.
        photos: Number of answers, 1 or more; with `right`, scaled to `effective_photos` where photos are
            in groups.
        z: Quantile of the normal distribution; the default gives 95 %.

    Returns:
        The lower and the upper bound, as shares of 1.
    """
    share, weight = right / photos, z * z / photos
    middle = (share + weight / 2) / (1 + weight)
    half = math.sqrt(share * (1 - share) * weight + weight * weight / 4) / (1 + weight)
    return max(0.0, middle - half), min(1.0, middle + half)


def effective_photos(right: Sequence[bool], groups: Sequence[Hashable]) -> float:
    """Return how many photos on their own would fix the accuracy as well as these, which are in groups.

    Photos of one thing tend to be right or wrong together, so eight crops of each of 100 photos say
    little more than the 100 photos. The number of photos is divided by the design effect: the variance
    of the accuracy with whole groups drawn at random, over that with photos drawn one by one (Kish,
    "Survey Sampling", 1965). Where all answers are right, or all wrong, it is the number of groups.

    Args:
        right: Whether each answer is right.
        groups: The group that each photo is in; one of its own for a photo that is in none.

    Returns:
        From 1 to the number of photos.
    """
    photos, things = len(right), len(set(groups))
    share = sum(right) / photos
    if things == photos or things == 1 or share in (0, 1):
        return float(things)
    surplus: defaultdict[Hashable, float] = defaultdict(float)
    for group, is_right in zip(groups, right, strict=True):
        surplus[group] += is_right - share
    by_group = sum(total**2 for total in surplus.values()) * things / (things - 1)
    design_effect = by_group / (photos * share * (1 - share))
    return photos / max(1.0, design_effect)


def standard_error(right: int, photos: int) -> float:
    """Return the standard error of the share `right` / `photos`, never 0: from its Wilson interval."""
    low, high = wilson_interval(right, photos)
    return (high - low) / 2 / Z95


def decimals(error: float) -> int:
    """Return the number of decimals to show of a figure whose standard error is `error`."""
    if error <= 0:
        return MAX_DECIMALS
    return min(MAX_DECIMALS, max(0, -math.floor(math.log10(error))))


def rounded(value: float, error: float) -> str:
    """Return `value` with the decimals that its standard error `error`, in the same unit, supports."""
    return f"{value:.{decimals(error)}f}"


def percentage(right: int, photos: int) -> str:
    """Return the share `right` / `photos` in per cent, such as "94 %", or "–" if there are no photos."""
    if not photos:
        return "–"
    return f"{rounded(100 * right / photos, 100 * standard_error(right, photos))} %"


def percentage_of(right: int, photos: int) -> str:
    """Return the share with its count, such as "94 % (49 of 52)"."""
    return f"{percentage(right, photos)} ({right:,} of {photos:,})"


def percentage_with_interval(right: int, photos: int, effective: float | None = None) -> str:
    """Return the share with count and interval, such as "94 % (49 of 52; 95 % interval 84 to 98 %)".

    effective: `effective_photos`, if it is not `photos`.
    """
    if not photos:
        return "–"
    share, size = right / photos, effective or photos
    low, high = wilson_interval(share * size, size)
    error = (high - low) / 2 / Z95
    low_text, high_text = rounded(100 * low, 100 * error), rounded(100 * high, 100 * error)
    counts = f"{right:,} of {photos:,}"
    return f"{rounded(100 * share, 100 * error)} % ({counts}; 95 % interval {low_text} to {high_text} %)"
