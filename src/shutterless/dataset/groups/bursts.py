"""Find photos of one thing by where they lie, what they are called and when they were taken.

Every rule is on the quiet side: a camera's numbering, or a folder for each kind, must not become a group.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import PurePosixPath

import numpy as np

from shutterless.dataset.groups.duplicates import BLANK
from shutterless.dataset.groups.file_names import Name, read_name
from shutterless.dataset.photo_stats import Look
from shutterless.dataset.types import Photo

# A burst, by name or by time, rarely has more photos; a camera's roll has.
LONGEST_BURST = 50
# As many names without a digit tell things apart; fewer may be cameras: IMG_0001, DSC_0001.
FEWEST_NAMES = 5
# A group may have a third of its label's photos, so that each split can have one, and so many in any case.
LARGEST_SHARE, ALWAYS_GROUPED = 3, 8
# Seconds between two shots of a burst, and between two that may show one thing if they look alike.
BURST_PAUSE, SERIES_PAUSE = 2.0, 60.0
# Bits of 256 in which the hashes of neighbours in a sequence may differ. Of the pairs of clothing photos of
# one label that show different things none is within 64; drawn garments have such pairs from 57 on.
ALIKE = 48

Links = Iterator[tuple[str, list[int]]]


def find_bursts(photos: Sequence[Photo], looks: Sequence[Look]) -> Links:
    """Yield the places of photos that show one thing, two or more, with the reason: a key of `REASONS`."""
    names = [read_name(photo) for photo in photos]
    rules: dict[str, Callable[[Sequence[Photo], list[Name], Sequence[Look]], Iterator[list[int]]]] = {
        "folder": _in_folders,
        "name": _in_series,
        "time": _in_time,
        "sequence": _in_sequence,
    }
    for reason, rule in rules.items():
        yield from ((reason, places) for places in small_enough(rule(photos, names, looks), photos))


def small_enough(groups: Iterable[list[int]], photos: Sequence[Photo]) -> Iterator[list[int]]:
    """Yield the groups that leave enough of their labels' photos to others.

    Where most photos of a label are alike, in name or looks, that is the camera or the background.
    """
    sizes = Counter(photo.label for photo in photos)
    for places in groups:
        counts = Counter(photos[place].label for place in places)
        if all(n <= max(ALWAYS_GROUPED, sizes[label] // LARGEST_SHARE) for label, n in counts.items()):
            yield places


def by_key(keys: Iterable[Hashable | None]) -> dict[Hashable, list[int]]:
    """Return the places of each key that is not None."""
    places: dict[Hashable, list[int]] = {}
    for place, key in enumerate(keys):
        if key is not None:
            places.setdefault(key, []).append(place)
    return places


def _in_folders(photos: Sequence[Photo], names: list[Name], _: Sequence[Look]) -> Iterator[list[int]]:
    """Yield the photos of each folder below a label's."""
    return _told_apart(photos, [name.folder or None for name in names])


def _in_series(photos: Sequence[Photo], names: list[Name], _: Sequence[Look]) -> Iterator[list[int]]:
    """Yield the photos of each series: milk_07_01, milk_07_02 …, and a photo with its copies: x, x (1)."""
    series = [f"{name.folder}/{name.series}" if name.separated and name.series else None for name in names]
    stems = [
        f"{name.folder}/{PurePosixPath(photo.path).stem}" for photo, name in zip(photos, names, strict=True)
    ]
    copied = set(series).intersection(stems)
    keys = [stem if stem in copied else key for stem, key in zip(stems, series, strict=True)]
    return (places for places in _told_apart(photos, keys) if len(places) <= LONGEST_BURST)


def _told_apart(photos: Sequence[Photo], names: Sequence[str | None]) -> Iterator[list[int]]:
    """Yield the photos of a label with the same name, if its names tell things: by a number or by variety."""
    keys = [name and (photo.label, name) for photo, name in zip(photos, names, strict=True)]
    groups = by_key(keys).values()
    variety = Counter(photos[places[0]].label for places in groups)
    for places in groups:
        name, label = str(names[places[0]]), photos[places[0]].label
        if len(places) > 1 and (variety[label] >= FEWEST_NAMES or any(sign.isdigit() for sign in name)):
            yield places


def _in_time(_: Sequence[Photo], names: list[Name], looks: Sequence[Look]) -> Iterator[list[int]]:
    """Yield the shots of one camera within seconds of each other."""
    return (places for places in _in_one_go(names, looks, BURST_PAUSE) if len(places) <= LONGEST_BURST)


def _in_sequence(photos: Sequence[Photo], names: list[Name], looks: Sequence[Look]) -> Iterator[list[int]]:
    """Yield neighbours, by number or by time, that look alike."""

    def alike(one: int, other: int) -> bool:
        return _alike(looks[one], looks[other])

    for places in by_key(
        (photo.label, name.folder, name.series) if name.number is not None else None
        for photo, name in zip(photos, names, strict=True)
    ).values():
        yield from _runs(sorted(places, key=lambda place: names[place].number or 0), alike)
    for places in _in_one_go(names, looks, SERIES_PAUSE):
        yield from _runs(places, alike)


def _in_one_go(names: list[Name], looks: Sequence[Look], pause: float) -> Iterator[list[int]]:
    """Yield the photos of one camera between which no more than `pause` seconds passed, in their order."""
    seconds = [
        look.shot.seconds if look.shot.seconds is not None else name.seconds
        for name, look in zip(names, looks, strict=True)
    ]
    cameras = (
        look.shot.camera if time is not None else None for look, time in zip(looks, seconds, strict=True)
    )
    for places in by_key(cameras).values():
        order = sorted(places, key=lambda place: seconds[place] or 0.0)
        yield from _runs(order, lambda one, other: (seconds[other] or 0.0) - (seconds[one] or 0.0) <= pause)


def _runs(places: list[int], follows: Callable[[int, int], bool]) -> Iterator[list[int]]:
    """Yield the longest runs, of two or more, in which each place follows the one before."""
    run = places[:1]
    for one, other in pairwise(places):
        if not follows(one, other):
            yield from [run] if len(run) > 1 else []
            run = []
        run.append(other)
    yield from [run] if len(run) > 1 else []


def _alike(one: Look, other: Look) -> bool:
    distance = int(np.bitwise_count(one.bits ^ other.bits).sum())
    return distance <= ALIKE and min(one.contrast, other.contrast) >= BLANK
