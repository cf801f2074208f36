"""Divide photos into the folds of a cross-validation."""

from collections import Counter
from dataclasses import replace

from shutterless.dataset.split import HOLDOUT_FRACTION, by_group, majority_label, seeded_hash, split_photos
from shutterless.dataset.types import Dataset, Photo
from shutterless.errors import DatasetError
from shutterless.utils.messages import shortened


def split_into_folds(dataset: Dataset, folds: int, *, seed: int) -> list[Dataset]:
    """Return the data set once per fold, with that fold's photos as the test split.

    A tenth of every label's other photos are for validation. Every label is divided as evenly as the
    groups allow; photos of one group stay together.

    Args:
        dataset: All photos; their splits are ignored.
        folds: Number of folds, 2 or more.
        seed: Decides which photos go together.

    Raises:
        DatasetError: There are fewer than 2 folds or fewer groups than folds (`too-few-photos`), or all
            photos of a label are in one fold (`label-in-one-fold`).
    """
    groups = by_group(dataset.photos)
    if not 2 <= folds <= len(groups):
        raise DatasetError(
            "too-few-photos",
            f"{len(groups):,} photos or groups of photos cannot be divided into {folds} folds",
            "Choose 2 folds or more; 5 or 10 are usual.",
        )
    fold_of = assign_folds(groups, folds, seed)
    _require_two_folds_each(dataset, fold_of)
    return [_hold_out(dataset, fold, fold_of, seed) for fold in range(folds)]


def assign_folds(groups: dict[str, list[Photo]], folds: int, seed: int) -> dict[str, int]:
    """Return path → fold: the largest groups first, each to the fold with the fewest photos of its label.

    Args:
        groups: Name → photos that must stay together, from `by_group`.
        folds: Number of folds.
        seed: Decides the order of groups of the same size.
    """
    label_sizes: Counter[tuple[int, str]] = Counter()
    sizes: Counter[int] = Counter()
    fold_of = {}
    for name in sorted(groups, key=lambda name: (-len(groups[name]), seeded_hash(seed, name))):
        photos = groups[name]
        label = majority_label(photos)
        fold = min(range(folds), key=lambda fold: (label_sizes[fold, label], sizes[fold], fold))
        label_sizes.update((fold, photo.label) for photo in photos)
        sizes[fold] += len(photos)
        fold_of.update({photo.path: fold for photo in photos})
    return fold_of


def _require_two_folds_each(dataset: Dataset, fold_of: dict[str, int]) -> None:
    pairs = {(photo.label, fold_of[photo.path]) for photo in dataset.photos}
    counts = Counter(label for label, _ in pairs)
    labels = [label for label in dataset.labels if counts[label] < 2]
    if labels:
        raise DatasetError(
            "label-in-one-fold",
            f"All photos of {shortened(labels)} are in one fold, so there is none to train on",
            "Add photos, or use --group-by none if the photos of a label do not show the same thing.",
        )


def _hold_out(dataset: Dataset, fold: int, fold_of: dict[str, int], seed: int) -> Dataset:
    """Return the data set with this fold as its test photos."""
    test = [replace(photo, split="test") for photo in dataset.photos if fold_of[photo.path] == fold]
    others = [photo for photo in dataset.photos if fold_of[photo.path] != fold]
    others = list(split_photos(others, {"validation": HOLDOUT_FRACTION}, seed=seed))
    return replace(dataset, photos=tuple(sorted([*others, *test], key=lambda photo: photo.path)))
