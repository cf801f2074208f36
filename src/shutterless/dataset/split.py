"""Assign photos to training, validation and test."""

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from shutterless.dataset.types import NEW, SPLITS, Photo

# Part of every label's photos for validation, and for test, where no folders decide it.
HOLDOUT_FRACTION = 0.1
FRACTIONS = {"validation": HOLDOUT_FRACTION, "test": HOLDOUT_FRACTION}

# Returns the split of a photo in an earlier training run; None if the run did not have the photo.
SplitOf = Callable[[Photo], str | None]


def assign_splits(
    photos: Iterable[Photo],
    split_folders: Collection[str],
    *,
    seed: int,
    split_of: SplitOf = lambda photo: None,
) -> tuple[Photo, ...]:
    """Return the photos with the splits that training uses, sorted by path.

    Args:
        photos: The photos, with the splits of their folders and their groups. Photos whose split is `NEW`
            go to the split of their group or, if it has none, are split like a folder of labels.
        split_folders: Splits that have a folder of their own; empty if the folders are labels only.
        seed: Decides which photos go to which split.
        split_of: Photos keep this split where no folder decides it. Photos in their groups follow them.
    """
    if not split_folders:
        photos = assign_new(_recorded(photos, split_of, SPLITS), FRACTIONS, seed=seed)
        return tuple(sorted(photos, key=lambda photo: photo.path))
    photos = assign_new(photos, FRACTIONS, seed=seed)
    if "validation" not in split_folders:
        train = _recorded((photo for photo in photos if photo.split == "train"), split_of, SPLITS[:2])
        others = [photo for photo in photos if photo.split != "train"]
        photos = [*assign_new(train, {"validation": HOLDOUT_FRACTION}, seed=seed), *others]
    return tuple(sorted(photos, key=lambda photo: photo.path))


def _recorded(photos: Iterable[Photo], split_of: SplitOf, splits: Collection[str]) -> list[Photo]:
    """Return the photos with their splits in an earlier run; those that had none of `splits` are new."""
    recorded = ((photo, split_of(photo) or NEW) for photo in photos)
    return [replace(photo, split=split if split in splits else NEW) for photo, split in recorded]


def split_photos(photos: Iterable[Photo], fractions: Mapping[str, float], *, seed: int) -> tuple[Photo, ...]:
    """Return the photos, sorted by path, each with a new split, so that every label is split alike.

    Groups are never divided; a group counts to the label that most of its photos have. A label's groups
    are ordered by a hash of seed and name, not shuffled, so that adding a photo later leaves nearly all
    others where they were.

    Args:
        photos: The photos, with their groups.
        fractions: Split → part of every label's photos, as closely as the groups allow and at least one
            group, if there are enough. All other photos, at least one group of every label, are for training.
        seed: Decides the order.
    """
    groups = by_group(sorted(photos, key=lambda photo: photo.path))
    names_by_label: dict[str, list[str]] = {}
    for name in sorted(groups, key=lambda name: seeded_hash(seed, name)):
        names_by_label.setdefault(majority_label(groups[name]), []).append(name)
    sizes = {name: len(members) for name, members in groups.items()}
    splits = dict.fromkeys(groups, "train")
    for names in names_by_label.values():
        splits |= _split_groups(names, sizes, fractions)
    result = (replace(photo, split=splits[name]) for name, members in groups.items() for photo in members)
    return tuple(sorted(result, key=lambda photo: photo.path))


def assign_new(photos: Iterable[Photo], fractions: Mapping[str, float], *, seed: int) -> list[Photo]:
    """Return the photos, those whose split is `NEW` in that of their group or, if it has none, in any."""
    photos = join_groups(photos)
    new = [photo for photo in photos if photo.split == NEW]
    return [*(photo for photo in photos if photo.split != NEW), *split_photos(new, fractions, seed=seed)]


def join_groups(photos: Iterable[Photo]) -> list[Photo]:
    """Return the photos, those without a split in the split of their group that is closest to training."""
    photos = list(photos)
    groups = by_group(photo for photo in photos if photo.group)  # a group may be called like a photo's path
    order = (*SPLITS, NEW).index
    splits = {name: min((photo.split for photo in members), key=order) for name, members in groups.items()}
    return [
        replace(photo, split=splits[photo.group]) if photo.split == NEW and photo.group else photo
        for photo in photos
    ]


def by_group(photos: Iterable[Photo]) -> dict[str, list[Photo]]:
    """Return the photos that must stay together, by the name of their group or, without one, their path."""
    groups: dict[str, list[Photo]] = {}
    for photo in photos:
        groups.setdefault(photo.group or photo.path, []).append(photo)
    return groups


def majority_label(photos: Iterable[Photo]) -> str:
    """Return the label that most of the photos have."""
    ((label, _),) = Counter(photo.label for photo in photos).most_common(1)
    return label


def seeded_hash(seed: int, name: str) -> bytes:
    """Return a hash by which to put names into a random order that a seed decides."""
    return hashlib.sha256(f"{seed}:{name}".encode()).digest()


def _split_groups(
    names: list[str], sizes: Mapping[str, int], fractions: Mapping[str, float]
) -> dict[str, str]:
    """Return group → split for the groups, in their order, that are not for training."""
    total = sum(sizes[name] for name in names)
    splits: dict[str, str] = {}
    for split, fraction in fractions.items():
        remaining = [name for name in names if name not in splits]
        selection = _select_groups(remaining, sizes, max(1, round(fraction * total)))
        splits |= dict.fromkeys(selection, split)
    return splits


def _select_groups(names: Sequence[str], sizes: Mapping[str, int], size: int) -> list[str]:
    """Return groups with about `size` photos in all, as closely as their order allows; never all groups."""
    selection: list[str] = []
    missing = size
    for name in names:
        if len(selection) + 1 < len(names) and sizes[name] < 2 * missing:
            selection.append(name)
            missing -= sizes[name]
    if not selection and len(names) > 1:
        selection = [min(names, key=lambda name: sizes[name])]
    return selection
