"""Read what a teacher answers to photos: from a run, or from a file of scores made elsewhere."""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from shutterless.dataset import Dataset, Photo
from shutterless.errors import InputError
from shutterless.evaluation.predict import apply_to_photos
from shutterless.training.distillation.loss import pooled_features
from shutterless.training.run import Run
from shutterless.training.warm_start.model import load_earlier_run
from shutterless.utils.messages import plural, quoted, shortened
from shutterless.utils.progress import Progress

MAX_FILE_BYTES = 8 << 30  # a million photos with a thousand labels and a thousand features


@dataclass(frozen=True)
class Answers:
    """What one teacher answers to photos.

    Attributes:
        scores: float32[photos, labels]; each row's sum is 1.
        features: float32[photos, d]; None if there are none.
    """

    scores: npt.NDArray[np.float32]
    features: npt.NDArray[np.float32] | None


def read_answers(source: Path, dataset: Dataset, progress: Progress) -> Answers:
    """Return a teacher's answers to the training photos of a data set.

    Args:
        source: A run folder, or a `.npz` file.
        dataset: The photos and labels.
        progress: Called after each chunk of photos.

    Raises:
        InputError: The teacher does not know a label (`teacher-lacks-labels`), was trained on photos that
            this training keeps for validation and test (`teacher-knows-photos`), the file lacks photos
            (`teacher-lacks-photos`), or it cannot be used (`unreadable-teacher`).
        RunError: The run is damaged or unfinished, or there is none.
    """
    if source.suffix == ".npz":
        return _answers_of_file(source, dataset)
    run = load_earlier_run(source)
    columns = _columns(source, run.labels, dataset)
    require_held_out(run, dataset)
    return _answers_of_run(run, columns, dataset, progress)


def require_held_out(run: Run, dataset: Dataset) -> None:
    """Refuse a teacher that was trained on photos that the student will be measured on.

    It knows their labels by heart, and could tell them to the student by way of similar photos.

    Raises:
        InputError: It was (`teacher-knows-photos`).
    """
    record = run.training_record
    held_out = [photo for photo in dataset.photos if photo.split != "train"]
    leaks = [photo.path for photo in held_out if record.split_of(photo, dataset.root) == "train"]
    if leaks:
        raise InputError(
            "teacher-knows-photos",
            f"The teacher {run.path} was trained on {len(leaks):,} of the "
            f"{plural(len(held_out), 'photo')} for validation and test: {shortened(leaks)}",
            "Train the teacher on the same photos with the same seed, so that both have the same split.",
        )


def _answers_of_run(
    run: Run, columns: npt.NDArray[np.int64], dataset: Dataset, progress: Progress
) -> Answers:
    network = keras.Model(run.model.inputs, [run.model.outputs[0], pooled_features(run.model)])
    chunks = apply_to_photos(
        lambda pixels: network.predict(pixels, batch_size=32, verbose=0),
        run.input,
        dataset.root,
        dataset.of("train"),
        decoded=dataset.decoded,
        progress=progress,
        what=f"asking the teacher {run.path.name}",
    )
    scores, features = (np.concatenate(arrays) for arrays in zip(*chunks, strict=True))
    return Answers(_normalized(scores[:, columns]), features)


def _answers_of_file(file: Path, dataset: Dataset) -> Answers:
    """Read `photos`, `labels`, `scores` and, if there are any, `features` from a .npz file."""
    try:
        with zipfile.ZipFile(file) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MAX_FILE_BYTES:
                raise ValueError("it is too large")
        with np.load(file, allow_pickle=False) as arrays:
            photos, labels = ([str(name) for name in arrays[key]] for key in ("photos", "labels"))
            scores = arrays["scores"].astype(np.float32)
            features = arrays["features"].astype(np.float32) if "features" in arrays else None
        _require_shapes(len(photos), len(labels), scores, features)
    except (OSError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(
            "unreadable-teacher",
            f"The teacher {file} cannot be used: {error}",
            "Give a run folder, or an .npz file with photos (paths or SHA-256), labels and scores.",
        ) from error
    columns = _columns(file, labels, dataset)
    rows = _rows(file, photos, dataset.of("train"))
    return Answers(_normalized(scores[rows][:, columns]), None if features is None else features[rows])


def _require_shapes(photos: int, labels: int, scores: np.ndarray, features: np.ndarray | None) -> None:
    if scores.shape != (photos, labels):
        raise ValueError(f"scores has the shape {scores.shape} for {photos:,} photos and {labels:,} labels")
    if features is not None and (features.ndim != 2 or len(features) != photos):
        raise ValueError(f"features has the shape {features.shape} for {photos:,} photos")
    if not (np.isfinite(scores).all() and (scores >= 0).all() and scores.any(axis=1).all()):
        raise ValueError("scores are not probabilities")
    if features is not None and not np.isfinite(features).all():
        raise ValueError("features are not finite")


def _rows(file: Path, names: list[str], photos: tuple[Photo, ...]) -> npt.NDArray[np.int64]:
    """Return the row of each photo, which is named by its SHA-256 or its path."""
    row_of = {name: row for row, name in enumerate(names)}
    rows = [row_of.get(photo.sha256, row_of.get(photo.path, -1)) for photo in photos]
    missing = [photo.path for photo, row in zip(photos, rows, strict=True) if row < 0]
    if missing:
        raise InputError(
            "teacher-lacks-photos",
            f"The teacher {file} has no scores for {plural(len(missing), 'training photo')}: "
            f"{shortened(missing)}",
            "Add a row for each of them, named by its SHA-256 or by its path below the folder of photos.",
        )
    return np.array(rows, np.int64)


def _columns(source: Path, names: list[str] | tuple[str, ...], dataset: Dataset) -> npt.NDArray[np.int64]:
    """Return the teacher's column of each label."""
    unknown = set(dataset.labels) - set(names)
    if unknown:
        raise InputError(
            "teacher-lacks-labels",
            f"The teacher {source} does not know the {plural(len(unknown), 'label')} {quoted(unknown)}",
            "Choose a teacher that was trained on all labels of these photos.",
        )
    return np.array([list(names).index(label) for label in dataset.labels], np.int64)


def _normalized(scores: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Let each row's sum be 1, of a teacher that knows more labels, too."""
    positive = np.maximum(scores, np.finfo(np.float32).tiny)
    return np.asarray(positive / positive.sum(axis=1, keepdims=True), np.float32)
