"""Convert a run to a bundle: export it, compare it with the Keras model, calibrate it, write it."""

import datetime
import importlib.metadata
import platform
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt

from shutterless.artifacts.validation_record import VALIDATION_ANSWERS
from shutterless.conversion.branch import with_novelty
from shutterless.conversion.compare import Comparison
from shutterless.conversion.novelty import fit_run, fit_threshold
from shutterless.conversion.selection import (
    AUTO,
    AUTO_PRECISIONS,
    Candidate,
    ConversionRefusedError,
    Verdict,
)
from shutterless.conversion.trial import Trial, rate, try_precisions
from shutterless.conversion.validation import record_validation
from shutterless.dataset import Photo, decode_once, locate_photos, read_pixels
from shutterless.dataset.sources.table import photos_root
from shutterless.dataset.types import Decoded
from shutterless.errors import InputError, RunError
from shutterless.evaluation import Calibration, predict_labelled
from shutterless.evaluation.calibration import PRECISION
from shutterless.export import Exporter, Precision
from shutterless.files import BUNDLE, ensure_outside, ensure_replaceable
from shutterless.model_check import remember
from shutterless.novelty import Familiarity, NoveltyMeasurement
from shutterless.runtime.image.decoder import InputSpec
from shutterless.runtime.json_types import JsonObject
from shutterless.runtime.model.bundle import TRAINING_PHOTOS, Bundle, write_bundle
from shutterless.training import Run, load_run
from shutterless.utils.progress import Progress, automatic

# Training photos that int8 measures the ranges of activations on, the same number for each label. With three
# times as many, agreement with the Keras model is no better.
CALIBRATION_PHOTOS = 100


@dataclass(frozen=True)
class Conversion:
    """A bundle that was written, and how good it is.

    Attributes:
        bundle: The bundle.
        comparison: The metrics of its model and of the Keras model on the validation photos.
        calibration: Its temperature and its threshold, and their effect.
        candidates: The precisions that were tried, and why the others were not taken.
        familiarity: The distances of the validation photos, which tell pictures that fit no label.
        novelty: How many photos of labels that it has never seen are told.
    """

    bundle: Bundle
    comparison: Comparison
    calibration: Calibration
    candidates: tuple[Candidate, ...]
    familiarity: Familiarity
    novelty: NoveltyMeasurement


def convert(
    run: str | Path,
    bundle: str | Path,
    *,
    precision: str = AUTO,
    max_drop: float = 0.01,
    accept_precision: float = PRECISION,
    photos: str | Path | None = None,
    name: str | None = None,
    progress: Progress = automatic,
) -> Conversion:
    """Convert the model of a run to a bundle, and check it on the validation photos.

    The model is compared with the Keras model without a temperature. Temperature and threshold are then
    fitted to its scores on the validation photos. The model gets two more outputs, by which the bundle tells
    pictures that are like none of the labels: see `Bundle.familiar`.

    Args:
        run: The run folder.
        bundle: The folder to write. An earlier bundle is replaced.
        precision: How the weights are stored: float32, float16, dynamic, int8 or int8-mixed. With auto,
            the quickest of float32, float16, int8 and int8-mixed that loses no more accuracy than
            `max_drop` and keeps the calibration error; see `Candidate`.
        max_drop: Validation accuracy that may be lost, from 0 to 1.
        accept_precision: Share of accepted answers that must be right, see `calibrate`.
        photos: The folder of the run's photos, or their table, if they have moved.
        name: The bundle's name; that of its folder by default.
        progress: Called with what is being done, the number of finished steps and that of all steps.

    Returns:
        The bundle with its metrics.

    Raises:
        ConversionRefusedError: The model lost more accuracy than `max_drop`; nothing is written.
        ConversionError: TensorFlow cannot convert the model, or its scores are not finite.
        RunError: The run cannot be read, has no validation photos, or its model's scores are not finite.
        DatasetError: Photos that are needed are missing, or have changed since the training.
        InputError: There is no such precision.
        OutputError: The bundle cannot be written, or would replace something else.

    Example:
        >>> import shutterless
        >>> conversion = shutterless.convert("run", "bundle", max_drop=0.02)
        >>> [candidate.precision for candidate in conversion.candidates]
        ['float32', 'float16', 'int8', 'int8-mixed']
    """
    run, bundle = Path(run), Path(bundle)
    ensure_replaceable(bundle, BUNDLE)
    source = load_run(run)
    ensure_outside(bundle, Path(photos) if photos else source.settings.photos)
    root = photos_root(Path(photos)) if photos else source.settings.root
    precisions = _parse_precision(precision)
    _require_validation_photos(source)
    source = _located(source, root, progress)
    validation = source.of("validation")

    pixels = decode_once(root, validation, source.input)
    reference = predict_labelled(source, root, validation, decoded=pixels, progress=progress)
    distances, novelty = fit_run(source, root, pixels, progress)
    typical = _pixels(root, spread(source.of("train"), CALIBRATION_PHOTOS), source.input)
    draft = _describe(source, name or bundle.resolve().name)
    with (
        tempfile.TemporaryDirectory(prefix="shutterless-") as folder,
        Exporter(with_novelty(source.model, distances), typical) as exporter,
    ):
        trials, failures = try_precisions(
            exporter, precisions, draft, Path(folder), reference, pixels, progress
        )
    ratings = rate(trials, reference, max_drop, accept_precision)
    candidates = (*ratings, *failures)
    for trial, rating in zip(trials, ratings, strict=True):
        if rating.verdict is Verdict.TAKEN and rating.comparison and rating.calibration:
            familiarity = fit_threshold(trial.classifier, root, validation, pixels)
            familiar = cast("JsonObject", {**familiarity.to_json(), "measured": novelty.to_json()})
            content = _with_metrics(trial.bundle, rating.comparison, rating.calibration, familiar)
            files = _files(source, trial, rating.calibration.temperature, familiarity, pixels)
            result = write_bundle(bundle, trial.bundle.model, content, files)
            remember(result)  # it has just run on every validation photo
            return Conversion(result, rating.comparison, rating.calibration, candidates, familiarity, novelty)
    raise ConversionRefusedError(candidates, max_drop)


def _parse_precision(name: str) -> tuple[Precision, ...]:
    if name == AUTO:
        return AUTO_PRECISIONS
    try:
        return (Precision(name),)
    except ValueError:
        raise InputError(
            "unknown-precision",
            f"There is no precision {name!r}",
            f"Choose one of: {', '.join((AUTO, *Precision))}.",
        ) from None


def _require_validation_photos(run: Run) -> None:
    if not run.of("validation"):
        raise RunError(
            "no-validation-photos",
            f"{run.path} has no validation photos, so nothing shows what a conversion loses",
            "Train again on photos with a validation split.",
        )


def _located(run: Run, root: Path, progress: Progress) -> Run:
    """Return a run with its photos where they are now; test photos are not needed and not searched for."""
    photos = [photo for photo in (*run.photos, *run.other) if photo.split != "test"]
    present = dict(zip(photos, locate_photos(root, photos, progress=progress), strict=True))
    return replace(
        run,
        photos=tuple(present.get(photo, photo) for photo in run.photos),
        other=tuple(present.get(photo, photo) for photo in run.other),
    )


def _pixels(root: Path, photos: Sequence[Photo], spec: InputSpec) -> Iterator[npt.NDArray[np.uint8]]:
    """Yield photos one at a time, uint8[height, width, 3], decoded as in training and serving."""
    for photo in photos:
        yield read_pixels(root, [photo], spec)[0]


def spread(photos: tuple[Photo, ...], count: int) -> list[Photo]:
    """Choose up to `count` photos, the same number for each label as far as there are enough of it."""
    earlier: Counter[str] = Counter()  # label → number of its photos before this one
    turns = []
    for photo in photos:
        turns.append((earlier[photo.label], photo.label, photo))
        earlier[photo.label] += 1
    return [photo for _, _, photo in sorted(turns, key=lambda turn: turn[:2])[:count]]


def _describe(run: Run, name: str) -> Bundle:
    """Return the description of a run's bundle, without precision and metrics."""
    import tensorflow as tf  # its distribution is called tensorflow or tensorflow-cpu

    packages = ("shutterless", "keras", "ai-edge-litert", "pillow", "numpy")
    return Bundle(
        name=name,
        labels=run.labels,
        input=run.input,
        precision="",
        sha256="",
        backbone=run.settings.backbone,
        recipe=run.recipe.name,
        dataset_fingerprint=run.settings.dataset_fingerprint,
        accuracy={},
        made_with={
            "python": platform.python_version(),
            **{package: importlib.metadata.version(package) for package in packages},
            "tensorflow": str(tf.__version__),
        },
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )


def _files(
    run: Run, trial: Trial, temperature: float, familiarity: Familiarity, decoded: Decoded
) -> dict[str, bytes]:
    """Return the content of the bundle's files that serving doesn't need."""
    answers = record_validation(trial.classifier, trial.predictions, temperature, familiarity, decoded)
    photos = run.training_record.to_text().encode()  # empty for a run of an early version
    return {**({TRAINING_PHOTOS: photos} if photos else {}), VALIDATION_ANSWERS: answers.to_bytes()}


def _with_metrics(
    draft: Bundle, comparison: Comparison, calibration: Calibration, familiar: JsonObject
) -> Bundle:
    """Return the description with temperature, threshold and metrics, and what is familiar."""
    acceptance = calibration.acceptance
    return draft.replace(
        temperature=calibration.temperature,
        threshold=acceptance.threshold,
        familiar=familiar,
        accuracy={
            "keras": comparison.keras.accuracy,
            "bundle": comparison.converted.accuracy,
            "right": comparison.converted.right,
            "agreement": comparison.agreement,
            "calibration_error": calibration.error_after,
            "uncalibrated_error": calibration.error_before,
            "target_precision": calibration.target_precision,
            "accepted_precision": acceptance.precision,
            "coverage": acceptance.coverage,
            "images": calibration.photos,
        },
    )
