"""Assign photos to training, validation and test."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from shutterless.dataset.types import Photo


def assign(
    photos: Iterable[Photo], *, shares: Mapping[str, float], rest: str = "train", seed: int
) -> tuple[Photo, ...]:
    """Return the photos, sorted by path, each with the split that falls to it, label by label.

    A group counts to the label that most of its photos have, and is never divided. A label's groups are
    ordered by a hash of seed and name, not by a shuffle, so that a photo added later leaves nearly all
    others where they were.

    Args:
        photos: Those to share out, with their groups.
        shares: The part of every label's photos that each split gets: as near to it as the groups permit,
            and one group at least while they last.
        rest: The split of the others; at least one group of every label.
        seed: Of the order.
    """
    units: dict[str, list[Photo]] = {}
    for photo in sorted(photos, key=lambda photo: photo.path):
        units.setdefault(photo.group or photo.path, []).append(photo)
    labels: dict[str, list[str]] = {}
    for name in sorted(units, key=lambda name: hashlib.sha256(f"{seed}:{name}".encode()).digest()):
        ((label, _),) = Counter(photo.label for photo in units[name]).most_common(1)
        labels.setdefault(label, []).append(name)
    sizes = {name: len(members) for name, members in units.items()}
    splits = dict.fromkeys(units, rest)
    for waiting in labels.values():
        splits |= _share(waiting, sizes, shares)
    assigned = (replace(photo, split=splits[name]) for name, members in units.items() for photo in members)
    return tuple(sorted(assigned, key=lambda photo: photo.path))


def _share(names: list[str], sizes: Mapping[str, int], shares: Mapping[str, float]) -> dict[str, str]:
    """Return group → split of the groups, in their order, that do not stay with the rest."""
    total = sum(sizes[name] for name in names)
    splits: dict[str, str] = {}
    for split, share in shares.items():
        waiting = [name for name in names if name not in splits]
        chosen = _fill(waiting, sizes, max(1, round(share * total)))
        splits |= dict.fromkeys(chosen, split)
    return splits


def _fill(waiting: Sequence[str], sizes: Mapping[str, int], size: int) -> list[str]:
    """Return groups that together are as near to `size` photos as their order permits, never all of them."""
    chosen: list[str] = []
    missing = size
    for name in waiting:
        if len(chosen) + 1 < len(waiting) and sizes[name] < 2 * missing:
            chosen.append(name)
            missing -= sizes[name]
    if not chosen and len(waiting) > 1:
        chosen = [min(waiting, key=lambda name: sizes[name])]
    return chosen
