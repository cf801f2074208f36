"""Run two models on labelled photos that neither was trained on, and compare their answers."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from shutterless.artifacts.training_record import TrainingRecord
from shutterless.dataset import Photo, load_labelled, read_pixels
from shutterless.dataset.selection import Selection
from shutterless.dataset.sources.table import photos_root
from shutterless.dataset.types import NEW, SPLITS
from shutterless.errors import BundleError, DatasetError
from shutterless.evaluation.comparison.answers import answer_photos
from shutterless.evaluation.comparison.comparison import ComparedModel, ModelComparison, compare_answers
from shutterless.evaluation.predict import Predictor, describe_doubts, own_photos, training_record
from shutterless.evaluation.timing import time_models
from shutterless.runtime.model.classifier import Classifier
from shutterless.utils.messages import quoted
from shutterless.utils.progress import Progress, silent

Pair = tuple[Predictor, Predictor]
Records = tuple[TrainingRecord | None, TrainingRecord | None]


def compare_models(
    models: Pair,
    photos: Path | None = None,
    *,
    split: str | None = None,
    label_map: Mapping[str, str] | None = None,
    skip_unknown_labels: bool = False,
    progress: Progress = silent,
    on_warning: Callable[[str], None] = lambda warning: None,
) -> ModelComparison:
    """Compare two loaded models; see `models.compare` for arguments and errors.

    Args:
        models: The models.
        photos: A folder or table of labelled photos; by default those of the first run among the models.
        split: See `models.compare`.
        label_map: See `models.compare`.
        skip_unknown_labels: See `models.compare`.
        progress: Called while photos are read and classified.
        on_warning: Called with each problem of the photos.
    """
    a, b = models
    if not {*a.labels} & {*b.labels}:
        raise DatasetError(
            "no-shared-labels",
            "The models have no label in common",
            f"One knows {quoted(a.labels)}, the other {quoted(b.labels)}.",
        )
    source = photos or find_photos(models)
    root = photos_root(source)
    records = training_record(a), training_record(b)
    selection = load_labelled(
        source,
        labels=(*a.labels, *(label for label in b.labels if label not in a.labels)),
        split=split,
        split_of=partial(strictest_split, records, root) if any(records) else None,
        label_map=label_map,
        skip_unknown_labels=skip_unknown_labels,
        spec=a.input,
        progress=progress,
    )
    for warning in (*_doubts(selection, records), *selection.dataset.all_warnings()):
        on_warning(warning)
    sample = _with_groups(selection.dataset.photos, records)
    shared = [photo for photo in sample if photo.label in a.labels and photo.label in b.labels]
    if not shared:
        raise DatasetError(
            "no-shared-labels",
            f"No photo in {root} has a label that both models know",
            "Give photos of labels that both models were trained on.",
        )
    decoded = selection.dataset.decoded
    comparison = compare_answers(
        sample,
        answer_photos(a, root, sample, decoded=decoded, progress=progress, what="asking A"),
        answer_photos(b, root, sample, decoded=decoded, progress=progress, what="asking B"),
    )
    pixels = [read_pixels(root, shared[:1], model.input) for model in models]
    milliseconds = np.median(time_models(models, pixels), axis=0).tolist()
    splits = [_splits(record, shared, root) for record in records]
    return replace(
        comparison,
        a=_described(comparison.a, a, splits[0], milliseconds[0]),
        b=_described(comparison.b, b, splits[1], milliseconds[1]),
        root=str(root),
        splits=_count([photo.split for photo in shared]),
        left_out=dict(selection.left_out),
    )


def _described(
    compared: ComparedModel, model: Predictor, splits: dict[str, int], milliseconds: float
) -> ComparedModel:
    """Return what is known of a model besides its answers."""
    return replace(
        compared,
        name=str(model_folder(model) or type(model).__name__),
        kind=_kind(model),
        splits=splits,
        bytes=len(model.bundle.model) if isinstance(model, Classifier) else None,
        parameters=getattr(model, "parameters", None),
        milliseconds=milliseconds,
    )


def find_photos(models: Sequence[Predictor]) -> Path:
    """Return the photos of the first model that records where they are.

    Raises:
        BundleError: None does, as a bundle never does (`no-photos-recorded`).
        RunError: They are gone (`missing-photos`).
    """
    for model in models:
        record = training_record(model)
        if record and record.source:
            return own_photos(model)
    raise BundleError(
        "no-photos-recorded",
        "Bundles do not record where their photos are",
        "Give the folder of photos to compare them on.",
    )


def strictest_split(records: Records, root: Path, photo: Photo) -> str | None:
    """Return train if either model was trained on a photo, else validation, else test.

    Args:
        records: The models' training photos.
        root: The folder that the photo's path is relative to.
        photo: The photo, with the hash of its content.

    Returns:
        None if no model had the photo.
    """
    splits = [record.split_of(photo, root) for record in records if record]
    return min((split for split in splits if split), key=SPLITS.index, default=None)


def _doubts(selection: Selection, records: Records) -> list[str]:
    return [
        f"{name}: {doubt}"
        for record, name in zip(records, ("A", "B"), strict=True)
        for doubt in describe_doubts(selection, record)
    ]


def _with_groups(photos: Sequence[Photo], records: Records) -> tuple[Photo, ...]:
    """Return the photos with their groups in the first model's run, else in the second's."""
    result = tuple(photos)
    for number, record in enumerate(records):
        if record:
            result = tuple(
                replace(photo, group=photo.group or (known.group and f"{number} {known.group}"))
                for photo, known in zip(result, record.with_groups(result), strict=True)
            )
    return result


def _splits(record: TrainingRecord | None, photos: Sequence[Photo], root: Path) -> dict[str, int]:
    if record is None:
        return {}
    return _count([record.split_of(photo, root) or NEW for photo in photos])


def _count(splits: Sequence[str]) -> dict[str, int]:
    counts = Counter(splits)
    return {split: counts[split] for split in (*SPLITS, NEW) if counts[split]}


def model_folder(model: Predictor) -> Path | None:
    """Return the folder that a bundle or a run was loaded from; None for another model."""
    if isinstance(model, Classifier):
        return model.bundle.path
    folder = getattr(model, "path", None)  # of a run, whose class would import TensorFlow
    return folder if isinstance(folder, Path) else None


def _kind(model: Predictor) -> str:
    if isinstance(model, Classifier):
        return "bundle"
    return "run" if model_folder(model) else "model"
