"""Which photos are the same: file for file, or to the eye."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from shutterless.dataset.looks import Look
from shutterless.dataset.records import Photo

# Bits of 256 in which the hashes of near duplicates may differ. Of 149 clothing photos all stay within 32
# when saved as JPEG of quality 30, at half the size, in grey, or brighter or richer in contrast by 30 %;
# 99 % when 1 % is cropped from every edge; 28 % when 2 % is; few when the thing is photographed anew. Of the
# 5.8 million pairs of clothing photos one is within 32, and is the same photo; of the next two, at 36 and
# 38, one shows two things; the drawn sample has pairs of two things from 34 on.
NEAR = 32
# Below this contrast a photo is all but one colour, and its hash is of its noise.
BLANK = 3.0
# Pairs compared at once: 32 MB.
CHUNK = 2**20


@dataclass(frozen=True)
class Duplicates:
    """Two or more photos that are the same.

    exact: their files are equal, byte for byte. distance: bits of 256 in which the hashes differ, the
    largest of the links that hold them together.
    """

    photos: tuple[Photo, ...]
    exact: bool
    distance: int

    @property
    def labels(self) -> set[str]:
        """Return the labels that the photos have."""
        return {photo.label for photo in self.photos}

    @property
    def splits(self) -> set[str]:
        """Return the splits that the photos are in."""
        return {photo.split for photo in self.photos}

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        files = [{"path": photo.path, "label": photo.label, "split": photo.split} for photo in self.photos]
        return {"exact": self.exact, "distance": self.distance, "photos": files}


def find_duplicates(looks: Mapping[Photo, Look]) -> tuple[Duplicates, ...]:
    """Return the groups of photos that are the same, the closest first.

    A photo is in one group at most: what is the same as one of a group belongs to it too.
    """
    photos = list(looks)
    links = [*_equal(photos), *_alike(photos, list(looks.values()))]
    groups = _joined(len(photos), links)
    found = (
        Duplicates(
            photos=tuple(photos[place] for place in places),
            exact=len({photos[place].sha256 for place in places}) == 1,
            distance=distance,
        )
        for places, distance in groups
    )
    return tuple(sorted(found, key=lambda group: (not group.exact, group.distance, group.photos[0].path)))


def _equal(photos: list[Photo]) -> Iterator[tuple[int, int, int]]:
    """Yield the link of every photo to the first with the same bytes."""
    first: dict[str, int] = {}
    for place, photo in enumerate(photos):
        if (other := first.setdefault(photo.sha256, place)) != place:
            yield other, place, 0


def _alike(photos: list[Photo], looks: list[Look]) -> Iterator[tuple[int, int, int]]:
    """Yield the links between files of different content that look the same."""
    content = {photo.sha256: place for place, photo in reversed(list(enumerate(photos)))}
    places = sorted(place for place in content.values() if looks[place].contrast >= BLANK)
    if places:
        for one, other, distance in near_pairs(np.stack([looks[place].bits for place in places])):
            yield places[one], places[other], distance


def near_pairs(bits: npt.NDArray[np.uint64], distance: int = NEAR) -> Iterator[tuple[int, int, int]]:
    """Yield (place, later place, bits that differ) of all hashes, uint64[n, 4], within `distance`."""
    rows = max(1, CHUNK // len(bits))
    for start in range(0, len(bits), rows):
        differ = bits[start : start + rows, None] ^ bits[None, start:]
        apart = np.bitwise_count(differ).sum(axis=2, dtype=np.uint16)
        ones, others = np.nonzero(np.triu(apart <= distance, k=1))
        for one, other in zip(ones.tolist(), others.tolist(), strict=True):
            yield start + one, start + other, int(apart[one, other])


def _joined(count: int, links: list[tuple[int, int, int]]) -> list[tuple[list[int], int]]:
    """Return the groups that the links make of `count` places, each sorted, with its largest distance."""
    root = list(range(count))

    def find(place: int) -> int:
        while root[place] != place:
            root[place] = root[root[place]]
            place = root[place]
        return place

    for one, other, _ in links:
        root[find(other)] = find(one)
    groups: dict[int, list[int]] = {}
    for place in sorted({place for one, other, _ in links for place in (one, other)}):
        groups.setdefault(find(place), []).append(place)
    widest = dict.fromkeys(groups, 0)
    for one, _, distance in links:
        widest[find(one)] = max(widest[find(one)], distance)
    return [(places, widest[group]) for group, places in groups.items()]
