"""Find photos of the same thing by their folders, file names and times.

Every rule errs on the side of too few groups: a camera's numbering, or a folder for each kind, must not
become a group.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import PurePosixPath

import numpy as np

from shutterless.dataset.groups.duplicates import MIN_CONTRAST
from shutterless.dataset.groups.file_names import FileName, parse_file_name
from shutterless.dataset.photo_stats import PhotoStats
from shutterless.dataset.types import Photo

# A burst, by name or by time, rarely has more photos; a camera's roll does.
MAX_BURST = 50
# This many names without a digit distinguish things; fewer may be cameras: IMG_0001, DSC_0001.
MIN_NAMES = 5
# A group may have a third of its label's photos, so that each split can have a group, or this many.
MAX_SHARE, ALWAYS_ALLOWED = 3, 8
# Seconds between two shots of a burst, and between two that may show the same thing if they look alike.
BURST_PAUSE, SERIES_PAUSE = 2.0, 60.0
# Bits of 256 in which the hashes of neighbours in a sequence may differ. No pair of clothing photos of one
# label that shows different things is within 64; drawn garments have such pairs from 57 on.
MAX_SEQUENCE_DISTANCE = 48

Indices = Iterator[list[int]]


def find_bursts(photos: Sequence[Photo], stats: Sequence[PhotoStats]) -> Iterator[tuple[str, list[int]]]:
    """Yield a key of `REASONS` and the indices of two or more photos that show the same thing."""
    names = [parse_file_name(photo) for photo in photos]
    rules = {
        "folder": _with_same_name(photos, [name.folder or None for name in names]),
        "name": _in_series(photos, names),
        "time": _within_burst(_without_pause(names, stats, BURST_PAUSE)),
        "sequence": _in_sequence(photos, names, stats),
    }
    for reason, groups in rules.items():
        yield from ((reason, indices) for indices in small_enough(groups, photos))


def small_enough(groups: Iterable[list[int]], photos: Sequence[Photo]) -> Indices:
    """Yield the groups that leave enough photos of their labels outside.

    If most photos of a label are alike, in name or appearance, that is the camera or the background.
    """
    sizes = Counter(photo.label for photo in photos)
    for indices in groups:
        counts = Counter(photos[index].label for index in indices)
        if all(n <= max(ALWAYS_ALLOWED, sizes[label] // MAX_SHARE) for label, n in counts.items()):
            yield indices


def by_key(keys: Iterable[Hashable | None]) -> dict[Hashable, list[int]]:
    """Return key → the indices at which it is; None is not a key."""
    indices: dict[Hashable, list[int]] = {}
    for index, key in enumerate(keys):
        if key is not None:
            indices.setdefault(key, []).append(index)
    return indices


def _in_series(photos: Sequence[Photo], names: list[FileName]) -> Indices:
    """Yield the photos of each series (milk_07_01, milk_07_02 …), and a photo with its copies (x, x (1))."""
    series = [f"{name.folder}/{name.series}" if name.separated and name.series else None for name in names]
    stems = [
        f"{name.folder}/{PurePosixPath(photo.path).stem}" for photo, name in zip(photos, names, strict=True)
    ]
    originals = set(series).intersection(stems)
    keys = [stem if stem in originals else key for stem, key in zip(stems, series, strict=True)]
    return _within_burst(_with_same_name(photos, keys))


def _with_same_name(photos: Sequence[Photo], names: Sequence[str | None]) -> Indices:
    """Yield the photos of a label with the same name, if its names distinguish things.

    They do if they have a digit, or if there are many of them.
    """
    keys = [name and (photo.label, name) for photo, name in zip(photos, names, strict=True)]
    groups = by_key(keys).values()
    names_per_label = Counter(photos[indices[0]].label for indices in groups)
    for indices in groups:
        name, label = str(names[indices[0]]), photos[indices[0]].label
        has_digit = any(character.isdigit() for character in name)
        if len(indices) > 1 and (names_per_label[label] >= MIN_NAMES or has_digit):
            yield indices


def _within_burst(groups: Iterable[list[int]]) -> Indices:
    """Yield the groups that are no larger than a burst."""
    return (indices for indices in groups if len(indices) <= MAX_BURST)


def _in_sequence(photos: Sequence[Photo], names: list[FileName], stats: Sequence[PhotoStats]) -> Indices:
    """Yield neighbours, by number or by time, that look alike."""

    def look_alike(index: int, other: int) -> bool:
        first, second = stats[index], stats[other]
        distance = int(np.bitwise_count(first.phash ^ second.phash).sum())
        return distance <= MAX_SEQUENCE_DISTANCE and min(first.contrast, second.contrast) >= MIN_CONTRAST

    for indices in by_key(
        (photo.label, name.folder, name.series) if name.number is not None else None
        for photo, name in zip(photos, names, strict=True)
    ).values():
        yield from _runs(sorted(indices, key=lambda index: names[index].number or 0), look_alike)
    for indices in _without_pause(names, stats, SERIES_PAUSE):
        yield from _runs(indices, look_alike)


def _without_pause(names: list[FileName], stats: Sequence[PhotoStats], pause: float) -> Indices:
    """Yield the photos of one camera between which no more than `pause` seconds passed, in their order."""
    shots = [each.shot for each in stats]
    times = [
        name.seconds if shot.seconds is None else shot.seconds
        for name, shot in zip(names, shots, strict=True)
    ]
    cameras = (None if time is None else shot.camera for shot, time in zip(shots, times, strict=True))
    for indices in by_key(cameras).values():
        order = sorted(indices, key=lambda index: times[index] or 0.0)
        yield from _runs(order, lambda index, other: (times[other] or 0.0) - (times[index] or 0.0) <= pause)


def _runs(indices: list[int], follows: Callable[[int, int], bool]) -> Indices:
    """Yield the longest runs, of two or more, in which each index follows the one before."""
    run = indices[:1]
    for index, other in pairwise(indices):
        if not follows(index, other):
            yield from [run] if len(run) > 1 else []
            run = []
        run.append(other)
    yield from [run] if len(run) > 1 else []
