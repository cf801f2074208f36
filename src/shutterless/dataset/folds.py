"""Share photos out to the folds of a cross-validation."""

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from shutterless.dataset.scan import HELD_BACK
from shutterless.dataset.split import assign
from shutterless.dataset.types import Dataset, Photo
from shutterless.errors import DatasetError
from shutterless.utils.messages import shortened


def split_into_folds(dataset: Dataset, folds: int, *, seed: int) -> list[Dataset]:
    """Return the data set once for each fold, with that fold's photos as the test split.

    Of the other photos a tenth of every label is for validation. The folds share every label's photos as
    evenly as the groups allow; photos of one group stay together.

    Args:
        dataset: All the photos; their splits do not matter.
        folds: The number of folds, 2 or more.
        seed: Decides which photos go together.

    Raises:
        ShutterlessError: There are fewer than 2 folds, or more than photos of some label's groups allow.
    """
    units = _units(dataset.photos)
    if not 2 <= folds <= len(units):
        raise DatasetError(
            "too-few-photos",
            f"{len(units):,} photos or groups of photos cannot be shared out to {folds} folds",
            "Choose 2 folds or more, 5 or 10 as a rule.",
        )
    fold_of = _assign(units, folds, seed)
    _require_two_folds_each(dataset, fold_of)
    return [_holding_out(dataset, fold, fold_of, seed) for fold in range(folds)]


def _units(photos: Iterable[Photo]) -> dict[str, list[Photo]]:
    """Return the photos that must stay together, by the name of their group or their path."""
    units: dict[str, list[Photo]] = {}
    for photo in photos:
        units.setdefault(photo.group or photo.path, []).append(photo)
    return units


def _assign(units: dict[str, list[Photo]], folds: int, seed: int) -> dict[str, int]:
    """Return path → fold: the largest units first, each to the fold that has the fewest of its label."""
    filled: Counter[tuple[int, str]] = Counter()
    sizes: Counter[int] = Counter()
    fold_of = {}

    def order(name: str) -> tuple[int, bytes]:
        return -len(units[name]), hashlib.sha256(f"{seed}:{name}".encode()).digest()

    for name in sorted(units, key=order):
        labels = Counter(photo.label for photo in units[name])
        ((label, _),) = labels.most_common(1)
        fold = min(range(folds), key=lambda fold: (filled[fold, label], sizes[fold], fold))
        filled.update({(fold, one): count for one, count in labels.items()})
        sizes[fold] += len(units[name])
        fold_of.update({photo.path: fold for photo in units[name]})
    return fold_of


def _require_two_folds_each(dataset: Dataset, fold_of: dict[str, int]) -> None:
    pairs = {(photo.label, fold_of[photo.path]) for photo in dataset.photos}
    counts = Counter(label for label, _ in pairs)
    lone = [label for label in dataset.labels if counts[label] < 2]
    if lone:
        raise DatasetError(
            "label-in-one-fold",
            f"All photos of {shortened(lone)} fall into one fold, so that no fold could train on them",
            "Add photos, or choose --group-by none if the photos of a label do not show one thing.",
        )


def _holding_out(dataset: Dataset, fold: int, fold_of: dict[str, int], seed: int) -> Dataset:
    held_out = [replace(photo, split="test") for photo in dataset.photos if fold_of[photo.path] == fold]
    others = (photo for photo in dataset.photos if fold_of[photo.path] != fold)
    assigned = assign(others, shares={"validation": HELD_BACK}, seed=seed)
    return replace(dataset, photos=tuple(sorted((*assigned, *held_out), key=lambda photo: photo.path)))
