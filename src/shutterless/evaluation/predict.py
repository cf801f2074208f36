"""Run a model on labelled photos: a training run, a bundle, or anything else with the same methods."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from shutterless.artifacts.training_record import TrainingRecord, read_training_photos
from shutterless.dataset import (
    SPLITS,
    Photo,
    PhotoReader,
    Selection,
    index_chunks,
    label_indices,
    load_labelled,
)
from shutterless.dataset.sources.table import photos_root
from shutterless.dataset.types import NEW, NOTHING_DECODED, Decoded
from shutterless.errors import BundleError, InputError, RunError
from shutterless.evaluation.metrics import Metrics, measure
from shutterless.runtime.image.decoder import InputSpec
from shutterless.runtime.model.bundle import Bundle
from shutterless.utils.messages import plural, shortened
from shutterless.utils.progress import Progress, silent

# Photos held in memory at a time: about 40 MB at 224 px.
CHUNK = 256

Result = TypeVar("Result")


class Predictor(Protocol):
    """A model: whatever turns pixels into probabilities, such as a training run or a bundle's classifier."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels in output order."""

    @property
    def input(self) -> InputSpec:
        """Size and resizing of the model's input."""

    def probabilities(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return the probabilities float32[n, labels] of uint8[n, height, width, 3]."""


@dataclass(frozen=True)
class Predictions:
    """A model's answers to photos whose labels are known.

    Attributes:
        root: Folder of the photos.
        photos: The photos, with their true labels and splits.
        labels: The model's labels in output order.
        input: Size and resizing of the model's input.
        probabilities: float32[photos, labels].
        threshold: Confidence from which answers are accepted; None for a model without a threshold.
        left_out: Split → number of photos in the folder that were not measured.
        label_map: Label in the folder → label of the model, where labels were renamed.
        skip_unknown_labels: Whether photos of labels unknown to the model were left out.
    """

    root: Path
    photos: tuple[Photo, ...]
    labels: tuple[str, ...]
    input: InputSpec
    probabilities: npt.NDArray[np.float32]
    threshold: float | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)
    label_map: Mapping[str, str] = field(default_factory=dict)
    skip_unknown_labels: bool = False

    @property
    def truth(self) -> npt.NDArray[np.int64]:
        """Index of each photo's true label, int64[photos]."""
        return label_indices(self.photos, self.labels)

    @property
    def splits(self) -> dict[str, int]:
        """Split → number of measured photos, in the usual order."""
        counts = Counter(photo.split for photo in self.photos)
        return {split: counts[split] for split in (*SPLITS, NEW) if counts[split]}

    def measure(self) -> Metrics:
        """Return accuracy, log loss, confusion matrix and so on."""
        groups = [photo.group or photo.path for photo in self.photos]
        metrics = measure(self.truth, self.probabilities, self.labels, self.threshold, groups)
        return replace(metrics, splits=self.splits, left_out=dict(self.left_out))


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
    """Run a model on a folder of labelled photos that it was not trained on.

    Args:
        model: What `load_model` returns, or anything else with `labels`, `input` and `probabilities`.
        photos: The folder, or a table of photos; by default the run's own. Photos of the training run are
            recognised by their content, wherever they are.
        split: train, validation (or val, valid), test, new or all. Photos that were not part of the run
            have the split of their folder, else new. By default test and new; validation if there are
            neither.
        label_map: Label in the folder → label of the model, for renamed labels.
        skip_unknown_labels: Leave out photos whose label the model does not know.
        progress: Called with what is being done, the steps done so far, and how many there are.
        on_warning: Called with each problem of the photos.

    Returns:
        The probabilities of each photo's labels.

    Raises:
        InputError: `model` is a path instead of a loaded model.
        DatasetError: The photos cannot be used, see `dataset.load_labelled`.
        BundleError: `model` is a bundle and `photos` is not given.

    Example:
        >>> import shutterless
        >>> predictions = shutterless.predict_folder(shutterless.load_model("bundle"), "photos")
        >>> accuracy = predictions.measure().accuracy
    """
    if isinstance(model, str | Path):
        raise InputError(
            "not-a-model",
            f"{str(model)!r} is the path of a model, not a loaded model",
            f"Give shutterless.load_model({str(model)!r}).",
        )
    record = training_record(model)
    source = own_photos(model) if photos is None else Path(photos)
    root = photos_root(source)
    selection = load_labelled(
        source,
        labels=model.labels,
        split=split,
        split_of=(lambda photo: record.split_of(photo, root)) if record else None,
        label_map=label_map,
        skip_unknown_labels=skip_unknown_labels,
        spec=model.input,
        progress=progress,
    )
    for warning in (*describe_doubts(selection, record), *selection.dataset.all_warnings()):
        on_warning(warning)
    sample = selection.dataset.photos
    if record:
        sample = record.with_groups(sample)
    return replace(
        predict_labelled(model, root, sample, decoded=selection.dataset.decoded, progress=progress),
        left_out=selection.left_out,
        label_map=label_map or {},
        skip_unknown_labels=skip_unknown_labels,
    )


def training_record(model: Predictor) -> TrainingRecord | None:
    """Return which photos `model` was trained on; None if that is not recorded."""
    bundle: Bundle | None = getattr(model, "bundle", None)
    return read_training_photos(bundle) if bundle else getattr(model, "training_record", None)


def own_photos(model: Predictor) -> Path:
    """Return the folder of the photos a run was trained on, or their table.

    Raises:
        BundleError: The model does not record it, as a bundle never does.
        RunError: It is gone.
    """
    record = training_record(model)
    if record is None or record.source is None:
        raise BundleError(
            "no-photos-recorded",
            "A bundle does not record where its photos are",
            "Give the folder of photos to measure it on.",
        )
    if not record.source.exists():
        raise RunError(
            "missing-photos",
            f"The run's photos are no longer at {record.source}",
            "Give the folder or table where they are now.",
        )
    return record.source


def describe_doubts(selection: Selection, record: TrainingRecord | None) -> list[str]:
    """Return the reasons why the figures of a model on these photos may be too good.

    Args:
        selection: The photos.
        record: The photos that the model was trained on; None if that is not recorded.
    """
    if record is None:
        return [
            "the model does not record its training photos: if these are among them, the figures are too good"
        ]
    changes = [photo.path for photo in record.changed(selection.dataset.photos, selection.dataset.root)]
    if not changes:
        return []
    count = plural(len(changes), "photo has", "photos have")
    return [f"{count} changed since the training; the split stays the same: {shortened(changes)}"]


def predict_labelled(
    model: Predictor,
    root: Path,
    photos: Sequence[Photo],
    *,
    decoded: Decoded = NOTHING_DECODED,
    progress: Progress = silent,
) -> Predictions:
    """Run a model on exactly these photos below `root`."""
    return Predictions(
        root,
        tuple(photos),
        model.labels,
        model.input,
        predict_photos(model, root, photos, decoded=decoded, progress=progress),
        getattr(model, "threshold", None),  # a bundle's classifier has one, a training run does not
    )


def predict_photos(
    model: Predictor,
    root: Path,
    photos: Sequence[Photo],
    *,
    decoded: Decoded = NOTHING_DECODED,
    progress: Progress = silent,
    what: str = "measuring",
) -> npt.NDArray[np.float32]:
    """Return the probabilities float32[photos, labels] of photos below `root`, a chunk at a time.

    Photos that are already in `decoded` are not read again.
    """
    chunks = apply_to_photos(
        model.probabilities, model.input, root, photos, decoded=decoded, progress=progress, what=what
    )
    return np.concatenate([*chunks])


def apply_to_photos(
    function: Callable[[npt.NDArray[np.uint8]], Result],
    spec: InputSpec,
    root: Path,
    photos: Sequence[Photo],
    *,
    decoded: Decoded = NOTHING_DECODED,
    progress: Progress = silent,
    what: str = "measuring",
) -> Iterator[Result]:
    """Yield what a function returns for the pixels of photos, a chunk at a time.

    Args:
        function: Takes uint8[n, height, width, 3].
        spec: Size and resizing of the pixels.
        root: The folder that the photos' paths are relative to.
        photos: The photos.
        decoded: Photos that need not be read again.
        progress: Called after each chunk.
        what: Name of the work, for `progress`.
    """
    reader = PhotoReader(root, photos, spec, memory_limit=0, decoded=decoded)
    for indices in index_chunks(len(photos), CHUNK):
        yield function(reader[indices])
        progress(what, int(indices[-1]) + 1, len(photos))
