"""What a confidence is worth: temperature scaling, and the confidence from which answers are accepted."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from shutterless.evaluation.metrics import MIN_CALIBRATION_PHOTOS, Acceptance, accept, calibration_error

PRECISION = 0.95
# A model that makes no mistake on validation would be driven to a temperature of 0 and to certainty.
COLDEST, HOTTEST = 0.2, 5.0
# One split in halves gives a figure that is off by a sixth as chance will have it; the mean of many is not.
SPLITS = 20
DRAWS = 100


@dataclass(frozen=True)
class Calibration:
    """How a model's confidences are set right, and what they are worth then.

    temperature: the scores become softmax(logits / temperature).
    wanted_precision: the share of accepted answers that was to be right; None if nobody said.
    acceptance: the threshold for it, and what it accepts of the photos that it was chosen on.
    error_before, error_after: the calibration error as the model came and with its temperature, the
    latter on photos that the temperature was not fitted on.
    error_of_chance: what a perfectly calibrated model would show on so many photos.
    """

    photos: int
    temperature: float
    wanted_precision: float | None
    acceptance: Acceptance
    error_before: float
    error_after: float
    error_of_chance: float

    def to_json(self) -> dict[str, Any]:
        """Return the figures as plain values for a JSON document."""
        return asdict(self)


def calibrate(
    truth: npt.NDArray[np.int64],
    probabilities: npt.NDArray[np.float32],
    precision: float = PRECISION,
    seed: int = 42,
) -> Calibration:
    """Calibrate a model on probabilities float32[photos, labels] of photos it did not learn from.

    truth: the places of the true labels, int64[photos]. precision: the share of accepted answers that
    must be right. seed: for the halves that the calibration error is measured on, and for chance.
    """
    temperature = fit_temperature(truth, probabilities, coldest_temperature(len(truth)))
    right = probabilities.argmax(axis=1) == truth
    confidence = apply_temperature(probabilities, temperature).max(axis=1)
    rng = np.random.default_rng(seed)
    crossed = [cross_fit(truth, probabilities, rng).max(axis=1) for _ in range(SPLITS)]
    return Calibration(
        photos=len(truth),
        temperature=temperature,
        wanted_precision=precision,
        acceptance=accept(confidence, right, find_threshold(confidence, right, precision)),
        error_before=calibration_error(probabilities.max(axis=1), right),
        error_after=float(np.mean([calibration_error(one, right) for one in crossed])),
        error_of_chance=error_of_chance(confidence, seed),
    )


def error_of_chance(confidence: npt.NDArray[np.float32], seed: int) -> float:
    """Return the mean calibration error if confidences float32[photos] were just the chances to be right."""
    rng = np.random.default_rng(seed)
    draws = rng.random((DRAWS, len(confidence))) < confidence
    return float(np.mean([calibration_error(confidence, right) for right in draws]))


def coldest_temperature(photos: int) -> float:
    """Return the lowest temperature that so many photos permit: too few of them add no confidence.

    Nine right answers in a row would otherwise make a model certain of everything.
    """
    return COLDEST if photos >= MIN_CALIBRATION_PHOTOS else 1.0


def fit_temperature(
    truth: npt.NDArray[np.int64], probabilities: npt.NDArray[np.float32], coldest: float = COLDEST
) -> float:
    """Return the temperature, `coldest` to 5, whose scores have the lowest cross-entropy; 1 for no photos.

    Temperature scaling (Guo et al., "On Calibration of Modern Neural Networks", 2017): softmax(log p / T)
    is softmax(logits / T), because log p is the logits less a number that is the same for all labels.
    """
    if not len(truth):
        return 1.0
    from scipy.optimize import minimize_scalar

    # As for the loss: float32 resolves no finer, and an int8 file says 0 where it means little.
    logits = np.log(np.clip(probabilities.astype(np.float64), np.finfo(np.float32).eps, 1))
    margins = logits - logits[np.arange(len(truth)), truth, np.newaxis]

    def loss(log_temperature: float) -> float:
        scaled = margins / np.exp(log_temperature)
        highest = scaled.max(axis=1, keepdims=True)
        # As np.logaddexp.reduce, at a quarter of its time: that counts for 1,000 labels.
        return float(np.mean(np.log(np.exp(scaled - highest).sum(axis=1)) + highest[:, 0]))

    found = minimize_scalar(loss, bounds=np.log([coldest, HOTTEST]), method="bounded")
    return float(np.exp(found.x))


def apply_temperature(probabilities: npt.NDArray[np.float32], temperature: float) -> npt.NDArray[np.float32]:
    """Return softmax(logits / temperature), float32[photos, labels], as `runtime.classifier` gives it."""
    if temperature == 1:
        return probabilities
    powers = (probabilities / probabilities.max(axis=1, keepdims=True)) ** np.float32(1 / temperature)
    scaled: npt.NDArray[np.float32] = powers / powers.sum(axis=1, keepdims=True)
    return scaled


def cross_fit(
    truth: npt.NDArray[np.int64], probabilities: npt.NDArray[np.float32], rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Return scores float32[photos, labels], each photo's with the temperature of the half it is not in."""
    scaled = np.empty_like(probabilities)
    one, other = _halves(truth, rng)
    for fitted, measured in ((one, other), (other, one)):
        coldest = coldest_temperature(len(truth))
        temperature = fit_temperature(truth[fitted], probabilities[fitted], coldest)
        scaled[measured] = apply_temperature(probabilities[measured], temperature)
    return scaled


def _halves(
    truth: npt.NDArray[np.int64], rng: np.random.Generator
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return two random halves of the photos, as numbers, with every label shared out evenly."""
    shuffled = rng.permutation(len(truth))
    by_label = shuffled[np.argsort(truth[shuffled], kind="stable")]
    return by_label[::2], by_label[1::2]


def find_threshold(
    confidence: npt.NDArray[np.float32], right: npt.NDArray[np.bool_], precision: float
) -> float:
    """Return the lowest threshold at which the share `precision` of the accepted answers is right.

    confidence: float32[photos]; right: bool[photos]. 0 if that holds when all are accepted. 1, the
    highest that a bundle may have, if no confidence is high enough: it accepts next to nothing.
    """
    order = np.argsort(-confidence, kind="stable")
    shares = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    falling = confidence[order]
    # Equal confidences are accepted together, so only the last of them can be a threshold.
    last = np.append(falling[1:] < falling[:-1], True)
    enough = np.flatnonzero(last & (shares >= precision))
    if not len(enough):
        return 1.0
    return 0.0 if enough[-1] == len(order) - 1 else float(falling[enough[-1]])


@dataclass(frozen=True)
class Judgement:
    """A model's confidences on photos, and what they are worth.

    scores: float32[photos, labels] with the calibration's temperature. before, after: the confidences
    float32[photos] of which the calibration's errors speak. right: bool[photos].
    chosen_here: whether temperature and threshold were chosen on these very photos.
    """

    calibration: Calibration
    scores: npt.NDArray[np.float32]
    before: npt.NDArray[np.float32]
    after: npt.NDArray[np.float32]
    right: npt.NDArray[np.bool_]
    chosen_here: bool


def judge(
    truth: npt.NDArray[np.int64], probabilities: npt.NDArray[np.float32], precision: float, seed: int
) -> Judgement:
    """Judge a model that is not calibrated yet, by a calibration on these photos; see `calibrate`."""
    calibration = calibrate(truth, probabilities, precision, seed)
    return Judgement(
        calibration,
        scores=apply_temperature(probabilities, calibration.temperature),
        before=probabilities.max(axis=1),
        after=cross_fit(truth, probabilities, np.random.default_rng(seed)).max(axis=1),
        right=probabilities.argmax(axis=1) == truth,
        chosen_here=True,
    )


def judge_calibrated(
    truth: npt.NDArray[np.int64],
    scores: npt.NDArray[np.float32],
    temperature: float,
    threshold: float,
    wanted_precision: float | None,
    seed: int,
) -> Judgement:
    """Judge a model whose scores, float32[photos, labels], already have its own temperature."""
    right, after = scores.argmax(axis=1) == truth, scores.max(axis=1)
    before = apply_temperature(scores, 1 / temperature).max(axis=1)
    calibration = Calibration(
        photos=len(truth),
        temperature=temperature,
        wanted_precision=wanted_precision,
        acceptance=accept(after, right, threshold),
        error_before=calibration_error(before, right),
        error_after=calibration_error(after, right),
        error_of_chance=error_of_chance(after, seed),
    )
    return Judgement(calibration, scores, before, after, right, chosen_here=False)
