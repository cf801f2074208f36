"""Compare the labels and photos of a data set with those of the earlier run that a training continues."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from shutterless.artifacts.run_files import METRICS
from shutterless.dataset import Dataset, Photo
from shutterless.dataset.sources.table import photos_root
from shutterless.dataset.split import SplitOf
from shutterless.errors import DatasetError
from shutterless.training.run import Run
from shutterless.utils.messages import plural, quoted, shortened


@dataclass(frozen=True)
class LabelChanges:
    """How the labels of a data set differ from those of an earlier run.

    Attributes:
        origins: Label → label of the earlier run that it continues: the same one or, if it was renamed,
            the one that most of its photos had.
        new: The labels that continue none, sorted.
        removed: The labels of the earlier run that none continues, sorted.
    """

    origins: Mapping[str, str]
    new: tuple[str, ...]
    removed: tuple[str, ...]

    @property
    def renamed(self) -> dict[str, str]:
        """Old name → new name."""
        return {old: new for new, old in self.origins.items() if old != new}


def compare_labels(dataset: Dataset, earlier: Run) -> LabelChanges:
    """Find which label of an earlier run each label of a data set continues.

    Raises:
        DatasetError: No label continues one (`no-common-label`).
    """
    origins = {label: label for label in dataset.labels if label in earlier.labels}
    removed = set(earlier.labels) - set(origins)
    key = _photo_key(earlier)
    label_before = {key(photo): photo.label for photo in earlier.photos}
    for label in set(dataset.labels) - set(origins):
        photos = [photo for photo in dataset.photos if photo.label == label]
        labels_before = Counter(label_before.get(key(photo)) for photo in photos)
        ((commonest, count),) = labels_before.most_common(1)
        if commonest in removed and 2 * count > len(photos):
            origins[label] = commonest
    if not origins:
        raise DatasetError(
            "no-common-label",
            f"{dataset.source} has none of the labels of {earlier.path}: {quoted(earlier.labels)}",
            "Give the photos of the old labels as well as those of new ones, or train from the start.",
        )
    return LabelChanges(
        dict(sorted(origins.items())),
        tuple(label for label in dataset.labels if label not in origins),
        tuple(sorted(removed - set(origins.values()))),
    )


def describe_changes(dataset: Dataset, earlier: Run) -> list[str]:
    """Return a warning for each way in which a data set differs from that of an earlier run.

    Added labels and photos are what a training is continued for, and get none.
    """
    changes, key = compare_labels(dataset, earlier), _photo_key(earlier)
    warnings = [f"the label '{old}' of {earlier.path} is now '{new}'" for old, new in changes.renamed.items()]
    if changes.removed:
        warnings.append(
            f"no photo has the label {quoted(changes.removed)} of {earlier.path}: the new model will not "
            "know it"
        )
    if set(map(key, earlier.photos)).isdisjoint(map(key, dataset.photos)):
        warnings.append(
            f"none of the photos of {earlier.path} is in {dataset.source}: what it learned from them may "
            "be lost"
        )
    if not (earlier.path / METRICS).is_file():
        warnings.append(f"the training of {earlier.path} is not finished: its best model so far is used")
    return warnings


def recorded_splits(earlier: Run | None, photos: Path) -> SplitOf:
    """Return the function that gives the split of a photo of `photos` in an earlier run; None without one.

    Args:
        earlier: The earlier run.
        photos: The folder or table of the photos.
    """
    if earlier is None:
        return lambda photo: None
    record, root = earlier.training_record, photos_root(photos)
    return lambda photo: record.split_of(photo, root)


def require_same_splits(dataset: Dataset, earlier: Run) -> None:
    """Refuse photos that are in another split than in an earlier run.

    A model that learned from a photo cannot be measured on it, and a photo that it was measured on must not
    be learned from, or the accuracy before and after could not be compared.

    Raises:
        DatasetError: A photo has changed its split (`moved-photos`).
    """
    key = _photo_key(earlier)
    splits_before: dict[str, set[str]] = {}
    for photo in (*earlier.photos, *earlier.other):
        splits_before.setdefault(key(photo), set()).add(photo.split)
    moved = [
        photo
        for photo in (*dataset.photos, *dataset.other)
        if photo.split not in splits_before.get(key(photo), {photo.split})
    ]
    if moved:
        names = [f"{photo.path} from {min(splits_before[key(photo)])}" for photo in moved]
        raise DatasetError(
            "moved-photos",
            f"{plural(len(moved), 'photo')} of {dataset.source} moved to another split after "
            f"{earlier.path} was trained: {shortened(names)}",
            "Move them back, or train from the start, without the earlier run.",
        )


def _photo_key(earlier: Run) -> Callable[[Photo], str]:
    """Return what to recognise photos by: their content or, for a run without hashes, their paths."""
    if any(photo.sha256 for photo in earlier.photos):
        return lambda photo: photo.sha256
    return lambda photo: photo.path
