"""Fit what tells pictures that are like a run's photos from others, and measure how well that works."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from shutterless.conversion.features import FeatureReader
from shutterless.dataset import Photo, label_indices
from shutterless.dataset.types import Decoded
from shutterless.evaluation.predict import apply_to_photos
from shutterless.novelty import (
    Familiarity,
    NoveltyMeasurement,
    NoveltyModel,
    fit_familiarity,
    fit_novelty,
    measure_novelty,
)
from shutterless.runtime.model.classifier import Classifier
from shutterless.training import Run
from shutterless.utils.progress import Progress

# Of the matrices, centres and means that the model gets, whatever its backbone: with its operators, and the
# scores in bundle.json, a bundle grows by less than 400 KB.
MAX_BYTES = 365_000


def fit_run(
    run: Run, root: Path, decoded: Decoded, progress: Progress
) -> tuple[NoveltyModel, NoveltyMeasurement]:
    """Fit distances to the training photos of a run, and measure them on its validation photos.

    Args:
        run: The run.
        root: The folder of its photos.
        decoded: Validation photos that need not be decoded again.
        progress: Called while the features of the photos are computed.

    Raises:
        DatasetError: A photo is missing or damaged since the data set was loaded (`unreadable-photo`).
        RunError: Features are not finite (`not-finite`).
    """
    train, validation, other = run.of("train"), run.of("validation"), other_photos(run)
    reader = FeatureReader(run, root, progress)
    features, truth = reader.read(train), label_indices(train, run.labels)
    means = 4 * sum(each.shape[1] for each in features.values())
    model = fit_novelty(features, truth, max_bytes=MAX_BYTES - means)
    measurement = measure_novelty(
        model,
        features,
        truth,
        reader.read(validation, decoded),
        label_indices(validation, run.labels),
        run.labels,
        other=reader.read(other) if other else None,
    )
    return model, measurement


def other_photos(run: Run) -> tuple[Photo, ...]:
    """Return the photos in `_other` that show how well other things are noticed: not those for testing."""
    return tuple(photo for photo in run.other if photo.split != "test")


def fit_threshold(
    classifier: Classifier, root: Path, photos: Sequence[Photo], decoded: Decoded
) -> Familiarity:
    """Choose the threshold between familiar and other pictures by the distances of a converted model.

    Args:
        classifier: The model.
        root: The folder of the photos.
        photos: The validation photos.
        decoded: Photos that need not be decoded again.
    """
    distances = apply_to_photos(classifier.distances, classifier.input, root, photos, decoded=decoded)
    return fit_familiarity(np.concatenate([*distances]))
