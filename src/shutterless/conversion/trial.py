"""Convert a run in several precisions, and measure each on the validation photos."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shutterless.conversion.compare import compare
from shutterless.conversion.selection import Candidate, Verdict, judge
from shutterless.dataset import read_pixels
from shutterless.dataset.types import Decoded
from shutterless.errors import ConversionError
from shutterless.evaluation import Calibration, Predictions, calibrate, predict_labelled
from shutterless.evaluation.timing import time_models
from shutterless.export import Exporter, Precision
from shutterless.runtime.model.bundle import Bundle, write_bundle
from shutterless.runtime.model.classifier import Classifier
from shutterless.utils.progress import Progress


@dataclass(frozen=True)
class Trial:
    """A model in one precision.

    Attributes:
        bundle: Its description, without metrics, and the model.
        classifier: The loaded model.
        predictions: Its predictions for the validation photos.
    """

    bundle: Bundle
    classifier: Classifier
    predictions: Predictions


def try_precisions(
    exporter: Exporter,
    precisions: Sequence[Precision],
    draft: Bundle,
    folder: Path,
    reference: Predictions,
    decoded: Decoded,
    progress: Progress,
) -> tuple[list[Trial], list[Candidate]]:
    """Convert a model in several precisions, and run each on the validation photos.

    Args:
        exporter: The model.
        precisions: How to convert it, float32 first.
        draft: Describes it, without metrics.
        folder: For temporary files.
        reference: The Keras model's predictions.
        decoded: The photos, as far as they are in memory.
        progress: Called for each precision.

    Returns:
        The models, and the precisions that failed.

    Raises:
        ConversionError: The first precision fails: `conversion-failed` if TensorFlow cannot convert the
            model, `not-finite` if its scores are not finite numbers.
    """
    trials: list[Trial] = []
    failures: list[Candidate] = []
    for number, precision in enumerate(precisions):
        progress("converting", number, len(precisions))
        try:
            trials.append(_try(exporter, precision, draft, folder, reference, decoded))
        except ConversionError as error:
            if not trials:
                raise
            failures.append(Candidate(precision.value, Verdict(error.code)))
    progress("converting", len(precisions), len(precisions))
    return trials, failures


def _try(
    exporter: Exporter,
    precision: Precision,
    draft: Bundle,
    folder: Path,
    reference: Predictions,
    decoded: Decoded,
) -> Trial:
    bundle = write_bundle(
        folder / precision, exporter.export(precision), draft.replace(precision=precision.value)
    )
    classifier = Classifier(bundle, threads=1)
    predictions = predict_labelled(classifier, reference.root, reference.photos, decoded=decoded)
    if not np.isfinite(predictions.probabilities).all():
        raise ConversionError(
            "not-finite",
            f"In {precision}, the model gives scores that are not finite numbers",
            "Choose --precision auto, or float32.",
        )
    return Trial(bundle, classifier, predictions)


def rate(
    trials: Sequence[Trial], reference: Predictions, max_drop: float, accept_precision: float
) -> list[Candidate]:
    """Measure converted models, and choose one; see `judge`. A single one need not keep the calibration.

    Args:
        trials: The models.
        reference: The Keras model's predictions.
        max_drop: Accuracy that may be lost, from 0 to 1.
        accept_precision: Share of accepted answers that must be right.
    """
    pixels = read_pixels(reference.root, reference.photos[:1], reference.input)
    times = time_models([trial.classifier for trial in trials], [pixels] * len(trials))
    comparisons = [
        compare(trial.bundle.precision, len(trial.bundle.model), trial.predictions, reference, column)
        for trial, column in zip(trials, times.T, strict=True)
    ]
    calibrations = [_calibrate(trial.predictions, accept_precision) for trial in trials]
    base = _calibrate(reference, accept_precision) if len(trials) > 1 else None
    verdicts = judge(comparisons, calibrations, times, base, max_drop)
    return [
        Candidate(comparison.precision, verdict, comparison, calibration)
        for verdict, comparison, calibration in zip(verdicts, comparisons, calibrations, strict=True)
    ]


def _calibrate(predictions: Predictions, accept_precision: float) -> Calibration:
    return calibrate(predictions.truth, predictions.probabilities, accept_precision)
