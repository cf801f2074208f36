"""Choose a precision: the quickest that keeps the accuracy and the calibration of the Keras model."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from shutterless.conversion.compare import Comparison, keeps_accuracy
from shutterless.errors import ConversionError
from shutterless.evaluation import Calibration
from shutterless.evaluation.metrics import MIN_CALIBRATION_PHOTOS
from shutterless.export import Precision
from shutterless.runtime.json_types import JsonObject

AUTO = "auto"
# `dynamic` takes about twice as long as float32, so it is never the quickest.
AUTO_PRECISIONS = (Precision.FLOAT32, Precision.FLOAT16, Precision.INT8, Precision.INT8_MIXED)
# How much larger the calibration error may be than the Keras model's, each with its own temperature.
MAX_CALIBRATION_RISE = 0.02
# Models whose times or sizes differ by less than this share count as equally quick or large.
TIE = 0.05
# A model is only slower if it was in this share of the rounds; by chance alone, 22 of 30 have p = 0.01.
SLOWER_ROUNDS = 0.73


class Verdict(StrEnum):
    """Whether a precision was taken, or why not."""

    TAKEN = "taken"
    FAILED = "conversion-failed"  # TensorFlow cannot convert the model to it
    NOT_FINITE = "not-finite"  # its scores are not finite numbers
    ACCURACY = "accuracy-drop"
    CALIBRATION = "calibration-error"
    SLOWER = "slower"
    LARGER = "larger"  # than one that is as quick
    LESS_EXACT = "less-exact"  # than one that is as quick and as small


@dataclass(frozen=True)
class Candidate:
    """A precision that was tried.

    Attributes:
        precision: Such as `int8`.
        verdict: Whether it was taken, or why not.
        comparison: Its metrics and the Keras model's; None if it gave no scores to measure.
        calibration: How its confidences are calibrated; None likewise.
    """

    precision: str
    verdict: Verdict
    comparison: Comparison | None = None
    calibration: Calibration | None = None

    def to_json(self) -> JsonObject:
        """Return the verdict and its figures as a JSON object."""
        document = {"precision": self.precision, "verdict": self.verdict.value}
        if not (self.comparison and self.calibration):
            return document
        return {
            **document,
            "accuracy": self.comparison.converted.accuracy,
            "agreement": self.comparison.agreement,
            "largest_difference": self.comparison.largest_difference,
            "calibration_error": self.calibration.error_after,
            "bytes": self.comparison.bytes,
            "milliseconds": self.comparison.milliseconds,
        }


class ConversionRefusedError(ConversionError):
    """The converted model lost more accuracy than allowed, in every precision that was tried.

    Attributes:
        candidates: The precisions that were tried.
        comparison: The metrics of the model that lost the least, and of the Keras model.
    """

    def __init__(self, candidates: Sequence[Candidate], max_drop: float) -> None:
        comparisons = [candidate.comparison for candidate in candidates if candidate.comparison]
        best = min(comparisons, key=lambda comparison: comparison.drop)
        super().__init__(
            "accuracy-drop",
            f"The {best.precision} model loses {best.drop:.2%} accuracy "
            f"({best.converted.right:,} instead of {best.keras.right:,} of "
            f"{best.keras.photos:,} validation photos right), more than the {max_drop:.2%} allowed; "
            "nothing was written",
            "Choose --precision auto or float32, or allow the loss with --max-drop.",
        )
        self.candidates, self.comparison = tuple(candidates), best


def judge(
    comparisons: Sequence[Comparison],
    calibrations: Sequence[Calibration],
    times: npt.NDArray[np.float64],
    reference: Calibration | None,
    max_drop: float,
) -> list[Verdict]:
    """Return a verdict on each converted model; none is taken if all lose too much.

    Of the models that lose no more accuracy than allowed, and whose calibration error is close to the Keras
    model's, the quickest is taken. Of several that are equally quick the smallest is taken, and of several
    that are equally small too, the one whose scores are closest to the Keras model's. So noise in the times
    does not decide.

    Args:
        comparisons: Metrics of each model and of the Keras model.
        calibrations: How each model is calibrated.
        times: Durations of one inference, float64[rounds, models]. In each round, every model ran once.
        reference: How the Keras model is calibrated; None to accept any calibration error.
        max_drop: Accuracy that may be lost, from 0 to 1.
    """
    verdicts = [_check(*pair, reference, max_drop) for pair in zip(comparisons, calibrations, strict=True)]
    remaining = [index for index, verdict in enumerate(verdicts) if verdict is Verdict.TAKEN]
    if not remaining:
        return verdicts

    def keep(indices: list[int], verdict: Verdict) -> list[int]:
        for index in set(remaining) - set(indices):
            verdicts[index] = verdict
        return indices

    quickest = min(remaining, key=lambda index: float(np.median(times[:, index])))
    quick = [index for index in remaining if not _is_slower(times[:, index], times[:, quickest])]
    remaining = keep(quick, Verdict.SLOWER)
    limit = min(comparisons[index].bytes for index in remaining) * (1 + TIE)
    remaining = keep([index for index in remaining if comparisons[index].bytes <= limit], Verdict.LARGER)
    # Not by agreement: which photos near the border change their label is chance.
    exact = min(remaining, key=lambda index: comparisons[index].largest_difference)
    keep([exact], Verdict.LESS_EXACT)
    return verdicts


def _check(
    comparison: Comparison, calibration: Calibration, reference: Calibration | None, max_drop: float
) -> Verdict:
    if not keeps_accuracy(comparison, max_drop):
        return Verdict.ACCURACY
    if reference is None or reference.photos < MIN_CALIBRATION_PHOTOS:
        return Verdict.TAKEN
    rise = calibration.error_after - reference.error_after
    return Verdict.CALIBRATION if rise > MAX_CALIBRATION_RISE else Verdict.TAKEN


def _is_slower(times: npt.NDArray[np.float64], quickest: npt.NDArray[np.float64]) -> bool:
    """Tell whether a model is slower beyond the tie, and in most of the rounds."""
    slower_rounds = np.mean(times > quickest)
    return bool(np.median(times / quickest) > 1 + TIE and slower_rounds >= SLOWER_ROUNDS)
