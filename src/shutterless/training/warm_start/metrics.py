"""Measure a run on the labels that an earlier run knew, beside that run, and on new labels."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from shutterless.artifacts.metrics import FromRunMetrics, LabelsMetrics
from shutterless.dataset import Dataset
from shutterless.evaluation import Predictions, predict_labelled
from shutterless.training.run import Run
from shutterless.training.warm_start.labels import compare_labels
from shutterless.utils.progress import Progress


def compare_with_earlier(
    dataset: Dataset, earlier: Run, predictions: Sequence[Predictions], *, progress: Progress
) -> FromRunMetrics:
    """Measure old and new labels apart.

    Args:
        dataset: The photos of the new run.
        earlier: The run that it continues, with the weights from before.
        predictions: The new run's predictions, one for each split.
        progress: Called while the earlier run classifies the photos of old labels.
    """
    changes = compare_labels(dataset, earlier)
    old: dict[str, LabelsMetrics] = {}
    new: dict[str, LabelsMetrics] = {}
    for each in predictions:
        (split,) = each.splits
        is_old = np.array([photo.label in changes.origins for photo in each.photos])
        if is_old.any():
            photos = tuple(
                replace(photo, label=changes.origins[photo.label])
                for photo in each.photos
                if photo.label in changes.origins
            )
            before = predict_labelled(
                earlier.predictor, dataset.root, photos, decoded=dataset.decoded, progress=progress
            )
            old[split] = {**_measure(each, is_old), "right_before": before.measure().right}
        if not is_old.all():
            new[split] = _measure(each, ~is_old)
    return {
        "run": str(earlier.path),
        "old_labels": list(changes.origins),
        "new_labels": list(changes.new),
        "renamed_labels": changes.renamed,
        "removed_labels": list(changes.removed),
        "old": old,
        "new": new,
    }


def _measure(predictions: Predictions, mask: np.ndarray) -> LabelsMetrics:
    """Return the metrics of the photos that `mask`, bool[photos], selects."""
    photos = tuple(photo for photo, selected in zip(predictions.photos, mask, strict=True) if selected)
    metrics = replace(predictions, photos=photos, probabilities=predictions.probabilities[mask]).measure()
    return {
        "photos": metrics.photos,
        "right": metrics.right,
        "accuracy": metrics.accuracy,
        "accuracy_interval": list(metrics.accuracy_interval),
    }
