"""Convert a run to a bundle: export it, compare it with the Keras model, calibrate it, write it."""

import datetime
import importlib.metadata
import platform
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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

# Training photos that int8 measures the ranges of activations on, the same number for each label.
CALIBRATION_PHOTOS = 300


@dataclass(frozen=True)
class Conversion:
    """A bundle that was written, and how good it is.

    Attributes:
        bundle: The bundle.
        comparison: The metrics of its model and of the Keras model on the validation photos.
        calibration: Its temperature and its threshold, and their effect.
    """

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
    """Convert the model of a run to a bundle, and check it on the validation photos.

    The model is compared with the Keras model without a temperature. Temperature and threshold are then
    fitted to its scores on the validation photos.

    Args:
        run: The run folder.
        bundle: The folder to write. An earlier bundle is replaced.
        precision: How the weights are stored: float32, float16, dynamic or int8.
        max_drop: Validation accuracy that may be lost, from 0 to 1.
        accept_precision: Share of accepted answers that must be right, see `calibrate`.
        photos: The folder of the run's photos, if they have moved.
        name: The bundle's name; that of its folder by default.
        progress: Called with what is being done, the number of finished steps and that of all steps.

    Returns:
        The bundle with its metrics.

    Raises:
        ConversionRefusedError: The model lost more accuracy than `max_drop`; nothing is written.
        ConversionError: TensorFlow cannot convert the model.
        RunError: The run cannot be read.
        DatasetError: Photos that are needed are missing, or have changed since the training.
        InputError: There is no such precision.
        OutputError: The bundle cannot be written, or would replace something else.

    Example:
        >>> import shutterless
        >>> conversion = shutterless.convert("run", "bundle", max_drop=0.02)
        >>> conversion.bundle.precision
        'float16'
    """
    run, bundle = Path(run), Path(bundle)
    ensure_replaceable(bundle, BUNDLE)
    source = load_run(run)
    root = Path(photos) if photos else source.settings.photos
    ensure_outside(bundle, root)
    kind = _parse_precision(precision)
    validation = source.of("validation")
    typical = spread(source.of("train"), CALIBRATION_PHOTOS) if kind is Precision.INT8 else []
    verify_photos(root, (*validation, *typical), progress=progress)

    progress("converting", 0, 1)
    model = to_tflite(source.model, kind, _pixels(root, typical, source.input))
    progress("converting", 1, 1)

    draft = _describe(source, kind, name or bundle.resolve().name)
    reference = predict_labelled(source, root, validation, progress=progress)
    with tempfile.TemporaryDirectory(prefix="shutterless-") as folder:
        classifier = Classifier(write_bundle(Path(folder) / "draft", model, draft), threads=1)
        predictions = predict_labelled(classifier, root, validation)
        comparison = compare(classifier, len(model), predictions, reference)
    check_drop(comparison, max_drop)
    calibration = calibrate(predictions.truth, predictions.probabilities, accept_precision)
    result = write_bundle(
        bundle, model, _with_metrics(draft, comparison, calibration), source.training_record.to_text()
    )
    remember(result)  # it has just run on every validation photo
    return Conversion(result, comparison, calibration)


def _parse_precision(name: str) -> Precision:
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
    """Choose up to `count` photos, the same number for each label as far as there are enough of it."""
    earlier: Counter[str] = Counter()  # label → number of its photos before this one
    turns = []
    for photo in photos:
        turns.append((earlier[photo.label], photo.label, photo))
        earlier[photo.label] += 1
    return [photo for _, _, photo in sorted(turns, key=lambda turn: turn[:2])[:count]]


def _describe(run: Run, precision: Precision, name: str) -> Bundle:
    """Return the description of a run's bundle, without metrics."""
    import tensorflow as tf  # its distribution is called tensorflow or tensorflow-cpu

    packages = ("shutterless", "keras", "ai-edge-litert", "pillow", "numpy")
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
            **{package: importlib.metadata.version(package) for package in packages},
            "tensorflow": str(tf.__version__),
        },
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )


def _with_metrics(draft: Bundle, comparison: Comparison, calibration: Calibration) -> Bundle:
    """Return the description with temperature, threshold and metrics."""
    acceptance = calibration.acceptance
    return draft.replace(
        temperature=calibration.temperature,
        threshold=acceptance.threshold,
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
