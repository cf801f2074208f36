"""Confidence calibration: temperature scaling, and the threshold above which answers are accepted."""

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from shutterless.evaluation.metrics import MIN_CALIBRATION_PHOTOS, Acceptance, accept, calibration_error
from shutterless.runtime.json_types import JsonObject

PRECISION = 0.95
# Without a lower bound, a model that makes no mistake on validation would be scaled until it is certain.
MIN_TEMPERATURE, MAX_TEMPERATURE = 0.2, 5.0
# The error after one random split into halves varies by a sixth; the mean of many splits is stable.
SPLITS = 20
SIMULATIONS = 100


@dataclass(frozen=True)
class Calibration:
    """How a model's confidences are calibrated, and how well that works.

    Attributes:
        photos: Number of photos the calibration was measured on.
        temperature: The scores become softmax(logits / temperature).
        target_precision: Accuracy that accepted answers were meant to reach, 0 to 1; None if unknown.
        acceptance: The threshold, and what it accepts of these photos.
        error_before: Calibration error of the model's own scores.
        error_after: Calibration error with the temperature, on photos that it was not fitted on.
        error_of_chance: Expected calibration error of a perfectly calibrated model on as many photos.
    """

    photos: int
    temperature: float
    target_precision: float | None
    acceptance: Acceptance
    error_before: float
    error_after: float
    error_of_chance: float

    def to_json(self) -> JsonObject:
        """Return the attributes as a JSON object."""
        return asdict(self)


@dataclass(frozen=True)
class CalibrationResult:
    """A calibration together with the scores and confidences it was measured on.

    Attributes:
        calibration: The figures.
        scores: float32[photos, labels], with the calibration's temperature applied.
        before: Confidences float32[photos] without the temperature, as in `error_before`.
        after: Confidences float32[photos] with it, as in `error_after`.
        right: bool[photos], whether each answer is correct.
        fitted_here: Whether temperature and threshold were chosen on these very photos.
    """

    calibration: Calibration
    scores: npt.NDArray[np.float32]
    before: npt.NDArray[np.float32]
    after: npt.NDArray[np.float32]
    right: npt.NDArray[np.bool_]
    fitted_here: bool


def calibrate(
    truth: npt.NDArray[np.int64],
    probabilities: npt.NDArray[np.float32],
    precision: float = PRECISION,
    seed: int = 42,
) -> Calibration:
    """Choose a temperature and an acceptance threshold on photos the model was not trained on.

    Args:
        truth: Index of each photo's true label, int64[photos].
        probabilities: The model's scores, float32[photos, labels].
        precision: Accuracy that accepted answers must reach, 0 to 1.
        seed: Seed of the random halves and simulations behind the calibration errors.

    Returns:
        The temperature, the threshold, and the calibration error before and after.

    Example:
        >>> import numpy as np
        >>> import shutterless
        >>> truth = np.array([0, 1, 1, 0] * 100)
        >>> scores = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]] * 100, np.float32)
        >>> shutterless.calibrate(truth, scores, precision=0.9).acceptance.coverage
        0.75
    """
    temperature = fit_temperature(truth, probabilities, min_temperature(len(truth)))
    right = probabilities.argmax(axis=1) == truth
    confidence = apply_temperature(probabilities, temperature).max(axis=1)
    rng = np.random.default_rng(seed)
    cross_fitted = [cross_fit(truth, probabilities, rng).max(axis=1) for _ in range(SPLITS)]
    return Calibration(
        photos=len(truth),
        temperature=temperature,
        target_precision=precision,
        acceptance=accept(confidence, right, find_threshold(confidence, right, precision)),
        error_before=calibration_error(probabilities.max(axis=1), right),
        error_after=float(np.mean([calibration_error(confidences, right) for confidences in cross_fitted])),
        error_of_chance=error_of_chance(confidence, seed),
    )


def error_of_chance(confidence: npt.NDArray[np.float32], seed: int) -> float:
    """Return the mean calibration error, 0 to 1, of simulated answers that are as often right as stated.

    Args:
        confidence: float32[photos], taken as the probability that each answer is right.
        seed: Seed of the simulations.
    """
    rng = np.random.default_rng(seed)
    simulations = rng.random((SIMULATIONS, len(confidence))) < confidence
    return float(np.mean([calibration_error(confidence, right) for right in simulations]))


def min_temperature(photos: int) -> float:
    """Return the lowest temperature to consider with this many photos.

    Too few photos may lower confidences but not raise them: nine correct answers in a row would otherwise
    make a model certain of everything.
    """
    return MIN_TEMPERATURE if photos >= MIN_CALIBRATION_PHOTOS else 1.0


def fit_temperature(
    truth: npt.NDArray[np.int64], probabilities: npt.NDArray[np.float32], minimum: float = MIN_TEMPERATURE
) -> float:
    """Return the temperature whose scores have the lowest cross-entropy.

    Temperature scaling (Guo et al., "On Calibration of Modern Neural Networks", 2017). softmax(log p / T)
    equals softmax(logits / T), because log p differs from the logits by a constant that is the same for
    all labels.

    Args:
        truth: Index of each photo's true label, int64[photos].
        probabilities: The model's scores, float32[photos, labels].
        minimum: Lowest temperature to consider; the highest is `MAX_TEMPERATURE`.

    Returns:
        A temperature in that range; 1 if there are no photos.
    """
    if not len(truth):
        return 1.0
    from scipy.optimize import minimize_scalar

    # As in `measure`: float32 resolves nothing smaller, and an int8 model gives 0 for any small score.
    logits = np.log(np.clip(probabilities.astype(np.float64), np.finfo(np.float32).eps, 1))
    margins = logits - logits[np.arange(len(truth)), truth, np.newaxis]

    def cross_entropy(log_temperature: float) -> float:
        powers = margins / np.exp(log_temperature)
        highest = powers.max(axis=1, keepdims=True)
        # Equals np.logaddexp.reduce in a quarter of the time, which counts with 1,000 labels.
        return float(np.mean(np.log(np.exp(powers - highest).sum(axis=1)) + highest[:, 0]))

    bounds = np.log([minimum, MAX_TEMPERATURE])
    return float(np.exp(minimize_scalar(cross_entropy, bounds=bounds, method="bounded").x))


def apply_temperature(probabilities: npt.NDArray[np.float32], temperature: float) -> npt.NDArray[np.float32]:
    """Return softmax(logits / temperature) of scores as a bundle's classifier computes it: in float64.

    Args:
        probabilities: The model's scores, float32[photos, labels].
        temperature: Above 1 lowers the confidences, below 1 raises them; the top label never changes.

    Returns:
        float32[photos, labels].
    """
    if temperature == 1:
        return probabilities
    exact = probabilities.astype(np.float64)
    powers = (exact / exact.max(axis=1, keepdims=True)) ** (1 / temperature)
    scores: npt.NDArray[np.float32] = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
    return scores


def cross_fit(
    truth: npt.NDArray[np.int64], probabilities: npt.NDArray[np.float32], rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Scale each photo's scores with a temperature that was fitted on the other half of the photos.

    Args:
        truth: Index of each photo's true label, int64[photos].
        probabilities: The model's scores, float32[photos, labels].
        rng: Draws the two halves, in which every label is evenly represented.

    Returns:
        float32[photos, labels].
    """
    permutation = rng.permutation(len(truth))
    by_label = permutation[np.argsort(truth[permutation], kind="stable")]
    halves = by_label[::2], by_label[1::2]
    scores = np.empty_like(probabilities)
    for fit_half, other_half in (halves, halves[::-1]):
        minimum = min_temperature(len(truth))
        temperature = fit_temperature(truth[fit_half], probabilities[fit_half], minimum)
        scores[other_half] = apply_temperature(probabilities[other_half], temperature)
    return scores


def find_threshold(
    confidence: npt.NDArray[np.float32], right: npt.NDArray[np.bool_], precision: float
) -> float:
    """Return the lowest threshold at which accepted answers reach an accuracy of `precision`.

    Args:
        confidence: float32[photos].
        right: bool[photos], whether each answer is correct.
        precision: Accuracy of accepted answers, 0 to 1.

    Returns:
        0 if all answers together reach it. 1, the highest threshold of a bundle, if no threshold does.
    """
    order = np.argsort(-confidence, kind="stable")
    accuracies = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    descending = confidence[order]
    # Equal confidences are accepted together, so only the last of them can be the threshold.
    is_last = np.append(descending[1:] < descending[:-1], True)
    candidates = np.flatnonzero(is_last & (accuracies >= precision))
    if not len(candidates):
        return 1.0
    return 0.0 if candidates[-1] == len(order) - 1 else float(descending[candidates[-1]])


def evaluate_calibration(
    truth: npt.NDArray[np.int64], probabilities: npt.NDArray[np.float32], precision: float, seed: int
) -> CalibrationResult:
    """Calibrate a model on these photos, and measure the result by cross-fitting; see `calibrate`."""
    calibration = calibrate(truth, probabilities, precision, seed)
    return CalibrationResult(
        calibration,
        scores=apply_temperature(probabilities, calibration.temperature),
        before=probabilities.max(axis=1),
        after=cross_fit(truth, probabilities, np.random.default_rng(seed)).max(axis=1),
        right=probabilities.argmax(axis=1) == truth,
        fitted_here=True,
    )


def evaluate_calibrated(
    truth: npt.NDArray[np.int64],
    scores: npt.NDArray[np.float32],
    temperature: float,
    threshold: float,
    target_precision: float | None,
    seed: int,
) -> CalibrationResult:
    """Measure the calibration of a model that already has a temperature and a threshold, such as a bundle.

    Args:
        truth: Index of each photo's true label, int64[photos].
        scores: float32[photos, labels], with the model's temperature applied.
        temperature: The model's temperature.
        threshold: Confidence from which the model's answers are accepted.
        target_precision: Accuracy that the threshold was chosen for, if known.
        seed: Seed of the simulations behind `error_of_chance`.
    """
    right, after = scores.argmax(axis=1) == truth, scores.max(axis=1)
    before = apply_temperature(scores, 1 / temperature).max(axis=1)
    calibration = Calibration(
        photos=len(truth),
        temperature=temperature,
        target_precision=target_precision,
        acceptance=accept(after, right, threshold),
        error_before=calibration_error(before, right),
        error_after=calibration_error(after, right),
        error_of_chance=error_of_chance(after, seed),
    )
    return CalibrationResult(calibration, scores, before, after, right, fitted_here=False)
