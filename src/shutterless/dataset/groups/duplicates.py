"""Which photos are the same: file for file, or to the eye."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from shutterless.dataset.groups.union_find import Union
from shutterless.dataset.photo_stats import Look
from shutterless.dataset.types import Photo, RelatedPhotos

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
class Duplicates(RelatedPhotos):
    """Two or more photos that are the same.

    exact: their files are equal, byte for byte. distance: bits of 256 in which the hashes differ, the
    largest of the links that hold them together.
    """

    exact: bool
    distance: int

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {"exact": self.exact, "distance": self.distance, "photos": self.photos_to_json()}


def find_duplicates(looks: Mapping[Photo, Look]) -> tuple[Duplicates, ...]:
    """Return the groups of photos that are the same, the closest first.

    A photo is in one group at most: what is the same as one of a group belongs to it too.
    """
    photos = list(looks)
    union, distances = Union(len(photos)), np.zeros(len(photos), int)
    for places in equal_files(photos):
        union.join(places)
    for place, others, distance in _alike(photos, list(looks.values())):
        union.join(np.append(others, place))
        distances[place] = distance
    groups = (
        Duplicates(
            photos=tuple(photos[place] for place in places),
            exact=len({photos[place].sha256 for place in places}) == 1,
            distance=int(distances[places].max()),
        )
        for places in union.groups()
    )
    return tuple(sorted(groups, key=lambda group: (not group.exact, group.distance, group.photos[0].path)))


def equal_files(photos: Iterable[Photo]) -> Iterator[list[int]]:
    """Yield the places of the photos of which each file has the same bytes, two or more together."""
    places: dict[str, list[int]] = {}
    for place, photo in enumerate(photos):
        places.setdefault(photo.sha256, []).append(place)
    yield from (together for together in places.values() if len(together) > 1)


def distinct_pictures(photos: Sequence[Photo], looks: Sequence[Look]) -> npt.NDArray[np.intp]:
    """Return the places of the first photo of each content, without those that are all but one colour."""
    content = {photo.sha256: place for place, photo in reversed(list(enumerate(photos)))}
    return np.array(sorted(place for place in content.values() if looks[place].contrast >= BLANK), np.intp)


def _alike(photos: list[Photo], looks: list[Look]) -> Iterator[tuple[int, npt.NDArray[np.intp], int]]:
    """Yield what `near_rows` yields, for photos that can be told apart at all."""
    places = distinct_pictures(photos, looks)
    if len(places):
        for row, others, distance in near_rows(np.stack([looks[place].bits for place in places])):
            yield int(places[row]), places[others], distance


def near_rows(
    bits: npt.NDArray[np.uint64], limit: int = NEAR
) -> Iterator[tuple[int, npt.NDArray[np.intp], int]]:
    """Yield each place with the later places whose hashes, uint64[n, 4], are within `limit` bits of its.

    And the largest of these distances. Places without any are left out. Rows, not pairs: the photos of
    one camera can have as many pairs as there are.
    """
    rows = max(1, CHUNK // len(bits))
    for start in range(0, len(bits), rows):
        differ = bits[start : start + rows, None] ^ bits[None, start:]
        apart = np.bitwise_count(differ).sum(axis=2, dtype=np.uint16)
        near = np.triu(apart <= limit, k=1)
        for row in np.flatnonzero(near.any(axis=1)).tolist():
            (others,) = np.nonzero(near[row])
            yield start + row, start + others, int(apart[row, others].max())
