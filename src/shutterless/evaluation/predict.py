"""Measure any model, a training run or a bundle, on labelled photos."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from shutterless.artifacts.training_record import TrainingRecord, read_training_photos
from shutterless.dataset import SPLITS, Photo, Selection, label_indices, load_labelled, read_pixels
from shutterless.dataset.types import NEW
from shutterless.errors import BundleError, RunError
from shutterless.evaluation.holdout import explain
from shutterless.evaluation.metrics import Metrics, measure
from shutterless.runtime.image.decoder import InputSpec
from shutterless.runtime.model.bundle import Bundle
from shutterless.utils.messages import shortened
from shutterless.utils.progress import Progress, silent

# Photos held in memory at a time: at 224 px some 40 MB.
CHUNK = 256


class Predictor(Protocol):
    """Whatever turns pixels into probabilities: a training run, a bundle's classifier, a test's fake."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels in output order."""

    @property
    def input(self) -> InputSpec:
        """How a photo becomes the model's input."""

    def probabilities(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Map uint8[n, height, width, 3] to probabilities float32[n, labels]."""


@dataclass(frozen=True)
class Predictions:
    """What a model said of photos below `root`, whose truth is known.

    input: how the model looks at a photo. probabilities: float32[photos, labels]. threshold: the
    confidence from which the model's answers are accepted; None for a model without one.
    left_out: split → number of photos of the folder that were not measured.
    """

    root: Path
    photos: tuple[Photo, ...]
    labels: tuple[str, ...]
    input: InputSpec
    probabilities: npt.NDArray[np.float32]
    threshold: float | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)

    @property
    def truth(self) -> npt.NDArray[np.int64]:
        """The places of the true labels, int64[photos]."""
        return label_indices(self.photos, self.labels)

    @property
    def splits(self) -> dict[str, int]:
        """The splits of the photos, in order, and how many of them are in each."""
        counts = Counter(photo.split for photo in self.photos)
        return {split: counts[split] for split in (*SPLITS, NEW) if counts[split]}

    def measure(self) -> Metrics:
        """Return the model's figures on these photos."""
        groups = [photo.group or photo.path for photo in self.photos]
        return measure(self.truth, self.probabilities, self.labels, self.threshold, groups)

    def notes(self) -> list[str]:
        """Return, a line each, what to know about the photos before the figures are believed."""
        return explain(self.splits, self.left_out)


def predict_folder(
    model: Predictor,
    photos: Path | str | None = None,
    *,
    split: str | None = None,
    label_map: Mapping[str, str] | None = None,
    skip_unknown_labels: bool = False,
    progress: Progress = silent,
    on_warning: Callable[[str], None] = lambda warning: None,
) -> Predictions:
    """Let `model` predict the photos of a labelled folder that it was not trained on.

    Args:
        model: A training run, a bundle's classifier, or anything alike.
        photos: The folder; a run's own photos by default. The photos that the model's run had are
            recognised by their content, wherever they are.
        split: train, validation (or val, valid), test, new or all, by the run's own split and, for photos
            that it did not have, by their folder. By default test and new, or validation if there are
            neither.
        label_map: Label in the folder → label of the model, for labels that were renamed.
        skip_unknown_labels: Leave out photos whose label the model does not know.
        progress: Called as the work goes on.
        on_warning: Called with what is odd about the photos.

    Returns:
        The probabilities of each photo's labels.

    Raises:
        ShutterlessError: See `dataset.load_labelled`; also if a bundle is measured without `photos`.
    """
    record = training_record(model)
    root = own_photos(model) if photos is None else Path(photos)
    selection = load_labelled(
        root,
        labels=model.labels,
        split=split,
        split_of=(lambda photo: record.split_of(photo, root)) if record else None,
        label_map=label_map,
        skip_unknown_labels=skip_unknown_labels,
        progress=progress,
    )
    for warning in (*_doubts(selection, record), *selection.dataset.remarks()):
        on_warning(warning)
    measured = selection.dataset.photos
    if record:
        measured = record.with_groups(measured)
    predictions = predict_labelled(model, root, measured, progress=progress)
    return replace(predictions, left_out=selection.left_out)


def training_record(model: Predictor) -> TrainingRecord | None:
    """Return which photos `model` was trained on; None if it does not say."""
    bundle: Bundle | None = getattr(model, "bundle", None)
    return read_training_photos(bundle) if bundle else getattr(model, "training_record", None)


def own_photos(model: Predictor) -> Path:
    """Return the folder of a run's photos; raises `ShutterlessError` if it is gone or not recorded."""
    record = training_record(model)
    if record is None or record.root is None:
        raise BundleError(
            "no-photos-recorded",
            "A bundle does not record where its photos are",
            "Give the folder of photos to measure it on.",
        )
    if not record.root.is_dir():
        raise RunError(
            "missing-photos", f"The run's photos are not in {record.root}", "Give the folder they are in now."
        )
    return record.root


def _doubts(selection: Selection, record: TrainingRecord | None) -> list[str]:
    """Return why the figures may not be what they seem to be."""
    if record is None:
        return [
            "the model does not record its training photos: if they are among these, its figures are too good"
        ]
    changed = record.changed(selection.dataset.photos, selection.dataset.root)
    if not changed:
        return []
    names = shortened([photo.path for photo in changed])
    return [f"{len(changed):,} photos have changed since the training and keep their split: {names}"]


def predict_labelled(
    model: Predictor, root: Path, photos: Sequence[Photo], *, progress: Progress = silent
) -> Predictions:
    """Let `model` predict just these photos below `root`."""
    return Predictions(
        root,
        tuple(photos),
        model.labels,
        model.input,
        predict_photos(model, root, photos, progress=progress),
        getattr(model, "threshold", None),  # a bundle's classifier has one, a training run has not
    )


def predict_photos(
    model: Predictor, root: Path, photos: Sequence[Photo], *, progress: Progress = silent
) -> npt.NDArray[np.float32]:
    """Return the probabilities float32[photos, labels] of photos below `root`, a chunk at a time."""
    chunks = []
    for start in range(0, len(photos), CHUNK):
        chunk = photos[start : start + CHUNK]
        chunks.append(model.probabilities(read_pixels(root, chunk, model.input)))
        progress("measuring", start + len(chunk), len(photos))
    return np.concatenate(chunks)
