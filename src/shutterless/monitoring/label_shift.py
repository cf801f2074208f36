"""ShareEstimate the share of each label among pictures without labels, from the scores of a model.

Maximum likelihood under label shift: the labels occur more or less often than before, but the pictures of
each look as they did. It needs calibrated scores, so they are calibrated with a temperature and a bias for
each label first. Alexandari, Kundaje and Shrikumar, "Maximum Likelihood with Bias-Corrected Calibration is
Hard-To-Beat at Label Shift Adaptation" (2020, arXiv 1901.06852); the estimate is that of Saerens, Latinne and
Decaestecker, "Adjusting the Outputs of a Classifier to New a Priori Probabilities" (2002).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# Scores below it count as this: an int8 model gives 0 for any small score, and records are rounded.
MIN_SCORE = 1e-4
# Weight of the prior that a label's bias is 0, in photos: labels with few photos keep a small bias.
PRIOR_PHOTOS = 1.0
SLOPES = (0.2, 5.0)
MIN_LIKELIHOOD = 1e-300
MAX_STEPS, TOLERANCE = 500, 1e-5


@dataclass(frozen=True)
class Correction:
    """A calibration of scores: softmax(slope · log(score) + bias).

    Attributes:
        slope: Inverse of a temperature.
        biases: float64[labels], added to the logarithm of each label's score.
    """

    slope: float
    biases: Floats

    def apply(self, scores: Floats) -> Floats:
        """Return calibrated scores.

        Args:
            scores: float64[pictures, labels].

        Returns:
            float64[pictures, labels]; each row adds up to 1.
        """
        return _softmax(self.slope * log_scores(scores) + self.biases)


def log_scores(scores: Floats) -> Floats:
    """Return the logarithms of scores, float64[pictures, labels], none below that of `MIN_SCORE`."""
    return np.asarray(np.log(np.maximum(scores, MIN_SCORE)), np.float64)


def fit_correction(scores: Floats, truth: npt.NDArray[np.int64]) -> Correction:
    """Fit the calibration with the lowest cross-entropy to pictures whose labels are known.

    Args:
        scores: float64[photos, labels].
        truth: Index of each photo's label, int64[photos].
    """
    from scipy.optimize import minimize

    logs, rows = log_scores(scores), np.arange(len(truth))

    def loss(parameters: Floats) -> tuple[float, Floats]:
        slope, biases = parameters[0], parameters[1:]
        probabilities = _softmax(slope * logs + biases)
        likelihoods = np.maximum(probabilities[rows, truth], MIN_LIKELIHOOD)
        value = PRIOR_PHOTOS / 2 * (biases**2).sum() - np.log(likelihoods).sum()
        gradient = _gradients(logs, truth, probabilities).sum(axis=0)
        gradient[1:] += PRIOR_PHOTOS * biases
        return float(value), gradient

    labels = scores.shape[1]
    bounds = [SLOPES, *[(None, None)] * labels]
    result = minimize(loss, np.append(1.0, np.zeros(labels)), jac=True, method="L-BFGS-B", bounds=bounds)
    return Correction(float(result.x[0]), np.asarray(result.x[1:]))


def resample_correction(
    correction: Correction, scores: Floats, truth: npt.NDArray[np.int64], weights: Floats
) -> list[Correction]:
    """Return the calibrations of bootstrap samples, by one Newton step from that of all photos.

    Args:
        correction: Fitted to all photos.
        scores: float64[photos, labels].
        truth: Index of each photo's label, int64[photos].
        weights: How often each photo is in each sample, float64[samples, photos].
    """
    logs, parameters = log_scores(scores), np.append(correction.slope, correction.biases)
    probabilities = correction.apply(scores)
    penalty = PRIOR_PHOTOS * np.append(0.0, correction.biases)
    gradients = weights @ _gradients(logs, truth, probabilities) + penalty
    # Second derivatives: the covariance of the logits' derivatives (log score, 1 for the label's own bias).
    slope_by_bias = probabilities * (logs - (probabilities * logs).sum(axis=1, keepdims=True))
    curvature = np.diag(np.append(1e-6, probabilities.sum(axis=0) + PRIOR_PHOTOS))
    curvature[1:, 1:] -= probabilities.T @ probabilities
    curvature[0, 1:] = curvature[1:, 0] = slope_by_bias.sum(axis=0)
    curvature[0, 0] += (slope_by_bias * logs).sum()
    moved = parameters - np.linalg.solve(curvature, gradients.T).T
    return [Correction(float(each[0].clip(*SLOPES)), each[1:]) for each in moved]


def _gradients(logs: Floats, truth: npt.NDArray[np.int64], probabilities: Floats) -> Floats:
    """Return the derivatives of each photo's loss by slope and biases, float64[photos, 1 + labels]."""
    errors = probabilities.copy()
    errors[np.arange(len(truth)), truth] -= 1
    return np.concatenate([(errors * logs).sum(axis=1, keepdims=True), errors], axis=1)


def estimate_shares(probabilities: Floats, prior: Floats, start: Floats | None = None) -> Floats:
    """Return the shares of the labels under which the scores are most likely, by expectation maximisation.

    Args:
        probabilities: Calibrated scores, float64[pictures, labels].
        prior: Shares of the labels among the photos they were calibrated on, float64[labels], all above 0.
        start: Shares to begin with; the prior by default.

    Returns:
        float64[labels], with a sum of 1.
    """
    shares = prior if start is None else start
    likelihoods = probabilities / prior
    for _ in range(MAX_STEPS):
        expected = likelihoods * (shares / (likelihoods @ shares)[:, np.newaxis])
        previous, shares = shares, expected.mean(axis=0)
        if np.abs(shares - previous).max() < TOLERANCE:
            break
    return shares


def adapt(probabilities: Floats, prior: Floats, shares: Floats) -> Floats:
    """Return calibrated scores for pictures among which the labels have other shares.

    Args:
        probabilities: Calibrated scores, float64[pictures, labels].
        prior: Shares among the photos they were calibrated on, float64[labels].
        shares: Shares among these pictures, float64[labels].

    Returns:
        float64[pictures, labels]; each row adds up to 1.
    """
    weighted = probabilities * (shares / prior)
    return np.asarray(weighted / weighted.sum(axis=1, keepdims=True), np.float64)


def _softmax(logits: Floats) -> Floats:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float64)
