"""Measure any model, a training run or a bundle, on labelled photos."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from shutterless.dataset import Photo, label_indices, load_labelled, read_pixels
from shutterless.evaluation.metrics import Metrics, measure
from shutterless.progress import Progress, silent
from shutterless.runtime.pixels import InputSpec

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
    """

    root: Path
    photos: tuple[Photo, ...]
    labels: tuple[str, ...]
    input: InputSpec
    probabilities: npt.NDArray[np.float32]
    threshold: float | None = None

    @property
    def truth(self) -> npt.NDArray[np.int64]:
        """The places of the true labels, int64[photos]."""
        return label_indices(self.photos, self.labels)

    def measure(self) -> Metrics:
        """Return the model's figures on these photos."""
        return measure(self.truth, self.probabilities, self.labels, self.threshold)


def evaluate(
    model: Predictor,
    photos: Path,
    *,
    split: str | None = None,
    progress: Progress = silent,
    on_warning: Callable[[str], None] = lambda warning: None,
) -> Metrics:
    """Measure `model` on a labelled folder; arguments and errors are those of `predict_folder`."""
    return predict_folder(model, photos, split=split, progress=progress, on_warning=on_warning).measure()


def predict_folder(
    model: Predictor,
    photos: Path,
    *,
    split: str | None = None,
    progress: Progress = silent,
    on_warning: Callable[[str], None] = lambda warning: None,
) -> Predictions:
    """Let `model` predict every photo of a labelled folder.

    split: train, validation, test or all; by default test, or validation where there is no test.
    on_warning: called with what is odd about the photos.
    Raises `ShutterlessError` for a folder without photos or with labels that the model does not know.
    """
    dataset = load_labelled(photos, labels=model.labels, split=split, progress=progress)
    for remark in dataset.remarks():
        on_warning(remark)
    return predict_labelled(model, dataset.root, dataset.photos, progress=progress)


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
