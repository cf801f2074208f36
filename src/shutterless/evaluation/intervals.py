"""Confidence intervals, and figures rounded to the digits that the number of photos supports.

The last digit shown is the first significant digit of the figure's standard error: 93.8 % of 341 photos
has a standard error of 1.3 points and is shown as 94 %. JSON documents keep the exact figures.
"""

import math
from collections import defaultdict
from collections.abc import Hashable, Sequence

Z95 = 1.959964  # quantile of the standard normal distribution for a 95 % interval
MAX_DECIMALS = 4


def wilson_interval(right: float, photos: float, z: float = Z95) -> tuple[float, float]:
    """Return the Wilson score interval of an accuracy.

    Unlike the accuracy ± 2 standard errors, it holds near 0 and 1 and for few photos (Wilson, "Probable
    inference, the law of succession, and statistical inference", 1927).

    Args:
        right: Number of correct answers. Like `photos` it may be fractional, see `effective_photos`;
            `scipy.stats.binomtest` only takes integers.
        photos: Number of answers, 1 or more.
        z: Quantile of the standard normal distribution; the default gives 95 %.

    Returns:
        Lower and upper bound, 0 to 1.
    """
    share, weight = right / photos, z * z / photos
    middle = (share + weight / 2) / (1 + weight)
    half = math.sqrt(share * (1 - share) * weight + weight * weight / 4) / (1 + weight)
    return max(0.0, middle - half), min(1.0, middle + half)


def effective_photos(values: Sequence[float], groups: Sequence[Hashable]) -> float:
    """Return the effective sample size of photos that are in groups.

    Photos of the same thing tend to be right or wrong together, so eight crops of each of 100 photos say
    little more than the 100 photos. The number of photos is divided by the design effect: the variance of
    the mean with whole groups drawn at random, over that with single photos (Kish, "Survey Sampling", 1965).
    If all values are equal, as when all answers are right, it is the number of groups.

    Args:
        values: What the mean is taken of, such as whether each answer is correct.
        groups: Group of each photo; a unique one for a photo in no group.

    Returns:
        Number of independent photos that would give an equally wide interval, 1 to `len(values)`.
    """
    photos, clusters = len(values), len(set(groups))
    if clusters == photos or clusters == 1 or min(values) == max(values):
        return float(clusters)
    mean = sum(values) / photos
    residuals: defaultdict[Hashable, float] = defaultdict(float)
    for group, value in zip(groups, values, strict=True):
        residuals[group] += value - mean
    between_groups = sum(residual**2 for residual in residuals.values()) * clusters / (clusters - 1)
    design_effect = between_groups / sum((value - mean) ** 2 for value in values)
    return photos / max(1.0, design_effect)


def standard_error(right: int, photos: int) -> float:
    """Return the standard error of the share `right` / `photos`, from its Wilson interval; never 0."""
    low, high = wilson_interval(right, photos)
    return (high - low) / 2 / Z95


def decimals(error: float) -> int:
    """Return how many decimals to show of a figure whose standard error is `error`."""
    if error <= 0:
        return MAX_DECIMALS
    return min(MAX_DECIMALS, max(0, -math.floor(math.log10(error))))


def rounded(value: float, error: float) -> str:
    """Format `value` with as many decimals as its standard error, in the same unit, supports."""
    return f"{value:.{decimals(error)}f}"


def percentage(right: int, photos: int) -> str:
    """Format the share `right` / `photos`, as in "94 %"; "–" if there are no photos."""
    if not photos:
        return "–"
    return f"{rounded(100 * right / photos, 100 * standard_error(right, photos))} %"


def percentage_of(right: int, photos: int) -> str:
    """Format the share with its counts, as in "94 % (49 of 52)"."""
    return f"{percentage(right, photos)} ({right:,} of {photos:,})"


def interval_text(low: float, high: float) -> str:
    """Format a 95 % interval of a share, as in "95 % interval 84 to 98 %".

    Args:
        low: Lower bound, 0 to 1.
        high: Upper bound, 0 to 1.
    """
    error = 100 * (high - low) / 2 / Z95
    return f"95 % interval {rounded(100 * low, error)} to {rounded(100 * high, error)} %"


def percentage_with_interval(right: int, photos: int, effective: float | None = None) -> str:
    """Format the share with counts and interval, as in "94 % (49 of 52; 95 % interval 84 to 98 %)".

    Args:
        right: Number of correct answers.
        photos: Number of answers.
        effective: `effective_photos`, if it differs from `photos`.
    """
    if not photos:
        return "–"
    share, size = right / photos, effective or photos
    low, high = wilson_interval(share * size, size)
    accuracy = rounded(100 * share, 100 * (high - low) / 2 / Z95)
    return f"{accuracy} % ({right:,} of {photos:,}; {interval_text(low, high)})"
