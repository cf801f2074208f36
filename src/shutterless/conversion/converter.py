"""From a run to a bundle that has been proved on the validation photos."""

import datetime
import importlib.metadata
import platform
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from shutterless.conversion.compare import Comparison, check_drop, compare
from shutterless.conversion.export import Precision, to_tflite
from shutterless.dataset import Photo, read_pixels, verify_photos
from shutterless.errors import InputError
from shutterless.evaluation import Calibration, calibrate, predict_labelled
from shutterless.evaluation.calibration import PRECISION
from shutterless.files import BUNDLE, ensure_outside, ensure_replaceable
from shutterless.model_check import remember
from shutterless.runtime.image.decoder import InputSpec
from shutterless.runtime.model.bundle import Bundle, write_bundle
from shutterless.runtime.model.classifier import Classifier
from shutterless.training import Run, load_run
from shutterless.utils.progress import Progress, automatic

# How many training photos int8 learns its ranges from, spread evenly over the labels.
CALIBRATION_PHOTOS = 300


@dataclass(frozen=True)
class Conversion:
    """A bundle that passed the gate, the figures with which it did, and what its confidence is worth."""

    bundle: Bundle
    comparison: Comparison
    calibration: Calibration


def convert(
    run: str | Path,
    bundle: str | Path,
    *,
    precision: str = Precision.FLOAT16,
    max_drop: float = 0.01,
    accept_precision: float = PRECISION,
    photos: str | Path | None = None,
    name: str | None = None,
    progress: Progress = automatic,
) -> Conversion:
    """Convert the network of a run folder to .tflite, compare the two, and write the folder `bundle`.

    The bundle's temperature and threshold are chosen on what the file itself says of the validation
    photos; the comparison is made before, on the scores as both give them.

    precision: float32, float16, dynamic or int8. max_drop: the loss of validation accuracy, a share of
    1, beyond which nothing is written. accept_precision: the share of accepted answers that must be
    right, see `calibrate`. photos: where the run's photos are now, if they have moved.
    name: the bundle's name; the folder's own by default.

    Raises `ConversionRefusedError` beyond `max_drop`, `ShutterlessError` if validation photos are gone or
    have changed since the training, or if TensorFlow cannot convert.
    """
    run, bundle = Path(run), Path(bundle)
    photos = Path(photos) if photos else None
    ensure_replaceable(bundle, BUNDLE)
    source = load_run(run)
    root = photos or source.settings.photos
    ensure_outside(bundle, root)
    kind = _precision(precision)
    validation = source.of("validation")
    ranges = spread(source.of("train"), CALIBRATION_PHOTOS) if kind is Precision.INT8 else []
    verify_photos(root, (*validation, *ranges), progress=progress)

    progress("converting", 0, 1)
    model = to_tflite(source.model, kind, _pixels(root, ranges, source.input))
    progress("converting", 1, 1)

    with tempfile.TemporaryDirectory(prefix="shutterless-") as folder:
        draft = _describe(source, kind, name or bundle.resolve().name)
        trial = Classifier(write_bundle(Path(folder) / "trial", model, draft), threads=1)
        keras = predict_labelled(source, root, validation, progress=progress)
        converted = predict_labelled(trial, root, validation)
        comparison = compare(trial, len(model), converted, keras)
    check_drop(comparison, max_drop)
    calibration = calibrate(converted.truth, converted.probabilities, accept_precision)
    record = source.training_record.to_text()
    written = write_bundle(bundle, model, _proved(draft, comparison, calibration), record)
    remember(written)  # which has just run on every validation photo
    return Conversion(written, comparison, calibration)


def _precision(name: str) -> Precision:
    try:
        return Precision(name)
    except ValueError:
        raise InputError(
            "unknown-precision", f"There is no precision {name!r}", f"Choose one of: {', '.join(Precision)}."
        ) from None


def _pixels(root: Path, photos: Sequence[Photo], spec: InputSpec) -> Iterator[npt.NDArray[np.uint8]]:
    """Yield photos one at a time, uint8[height, width, 3], decoded as in training and serving."""
    for photo in photos:
        yield read_pixels(root, [photo], spec)[0]


def spread(photos: tuple[Photo, ...], count: int) -> list[Photo]:
    """Choose up to `count` photos so that every label gets its even share while it has some left."""
    seen: dict[str, int] = {}
    turns = []
    for photo in photos:
        turns.append((seen.get(photo.label, 0), photo.label, photo))
        seen[photo.label] = seen.get(photo.label, 0) + 1
    return [photo for _, _, photo in sorted(turns, key=lambda turn: turn[:2])[:count]]


def _describe(run: Run, precision: Precision, name: str) -> Bundle:
    return Bundle(
        path=None,
        name=name,
        labels=run.labels,
        input=run.input,
        precision=precision.value,
        sha256="",
        backbone=run.settings.backbone,
        recipe=run.recipe.name,
        dataset_fingerprint=run.settings.dataset_fingerprint,
        accuracy={},
        made_with={
            "python": platform.python_version(),
            **{
                package: importlib.metadata.version(package)
                for package in ("shutterless", "keras", "ai-edge-litert", "pillow", "numpy")
            },
            "tensorflow": _tensorflow_version(),
        },
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )


def _tensorflow_version() -> str:
    import tensorflow as tf  # the distribution is called tensorflow or tensorflow-cpu

    return str(tf.__version__)


def _proved(draft: Bundle, comparison: Comparison, calibration: Calibration) -> Bundle:
    accepted = calibration.acceptance
    return replace(
        draft,
        temperature=calibration.temperature,
        threshold=accepted.threshold,
        accuracy={
            "keras": comparison.keras.accuracy,
            "bundle": comparison.converted.accuracy,
            "right": comparison.converted.right,
            "agreement": comparison.agreement,
            "calibration_error": calibration.error_after,
            "uncalibrated_error": calibration.error_before,
            "target_precision": calibration.target_precision,
            "accepted_precision": accepted.precision,
            "coverage": accepted.coverage,
            "images": calibration.photos,
        },
    )
