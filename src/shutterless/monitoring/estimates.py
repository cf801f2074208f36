"""Label shares and accuracy of pictures without labels, with intervals by bootstrap."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shutterless.monitoring.label_shift import (
    Correction,
    Floats,
    adapt,
    estimate_shares,
    fit_correction,
    resample_correction,
)
from shutterless.monitoring.sample import Sample, resample

DRAWS = 200
QUANTILES = (0.025, 0.975)
MIN_SHARE = 1e-4  # to begin with: a share of 0 would stay 0


@dataclass(frozen=True)
class ShareEstimate:
    """A figure with its 95 % interval.

    Attributes:
        value: The figure.
        low: Lower bound of the interval.
        high: Upper bound of the interval.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Estimates:
    """What is estimated of the pictures of a window.

    Attributes:
        shares: Share of each label among them, in the order of the labels.
        accuracy: Share of their answers that are right.
    """

    shares: tuple[ShareEstimate, ...]
    accuracy: ShareEstimate


def estimate(
    reference: Sample, truth: npt.NDArray[np.int64], now: Sample, *, draws: int = DRAWS, seed: int = 42
) -> Estimates:
    """ShareEstimate label shares and accuracy under label shift.

    The intervals are percentiles of a bootstrap over the units of both samples; that of the accuracy is for
    the very answers of the window, so it also has the chance with which each of them is right.

    Args:
        reference: Answers to the validation photos.
        truth: Index of each validation photo's label, int64[photos].
        now: Answers to the pictures of the window.
        draws: Number of bootstrap samples.
        seed: Seed of the draws.
    """
    rng = np.random.default_rng(seed)
    correction = fit_correction(reference.scores, truth)
    shares, chances = _adapt(reference.scores, now, correction, np.arange(len(now)))
    samples = [resample(reference.units, rng) for _ in range(draws)]
    weights = np.stack([np.bincount(photos, minlength=len(truth)) for photos in samples]).astype(np.float64)
    share_draws, accuracy_draws = [], []
    corrections = resample_correction(correction, reference.scores, truth, weights)
    for photos, fitted in zip(samples, corrections, strict=True):
        pictures = resample(now.units, rng)
        drawn, drawn_chances = _adapt(reference.scores[photos], now, fitted, pictures, shares)
        share_draws.append(drawn)
        # One random number for a unit: its answers may all be right or all be wrong.
        accuracy_draws.append(np.mean(rng.random(len(now))[now.units] < drawn_chances))
    low, high = np.quantile(share_draws, QUANTILES, axis=0)
    return Estimates(
        tuple(map(ShareEstimate, shares.tolist(), low.tolist(), high.tolist())),
        ShareEstimate(float(chances.mean()), *np.quantile(accuracy_draws, QUANTILES).tolist()),
    )


def _adapt(
    photos: Floats,
    now: Sample,
    correction: Correction,
    pictures: npt.NDArray[np.int64],
    start: Floats | None = None,
) -> tuple[Floats, Floats]:
    """Return the labels' shares among some pictures, and the probability that each answer is right.

    Args:
        photos: Scores of the validation photos, float64[photos, labels].
        now: Answers to the pictures.
        correction: The calibration.
        pictures: Indices of the pictures whose shares are estimated.
        start: Shares to begin with.
    """
    probabilities = correction.apply(now.scores)
    prior = correction.apply(photos).mean(axis=0)
    first = None if start is None else np.maximum(start, MIN_SHARE)
    shares = estimate_shares(probabilities[pictures], prior, first)
    return shares, adapt(probabilities, prior, shares)[np.arange(len(now)), now.answers]
