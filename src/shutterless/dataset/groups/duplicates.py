"""Find photos that are the same: equal files, and pictures that look the same."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shutterless.dataset.groups.union_find import UnionFind
from shutterless.dataset.photo_stats import PhotoStats
from shutterless.dataset.types import Photo, RelatedPhotos
from shutterless.runtime.json_types import JsonObject

# Bits of 256 in which the hashes of near duplicates may differ. All of 149 clothing photos stay within 32
# when saved as JPEG of quality 30, at half the size, in grey, or brighter or richer in contrast by 30 %;
# 99 % when 1 % is cropped from every edge; 28 % when 2 % is; few when the thing is photographed again. Of
# the 5.8 million pairs of clothing photos one is within 32, and is the same photo; of the next two, at 36
# and 38, one shows two things. The drawn sample has pairs of two things from 34 on.
HASH_BITS, MAX_DISTANCE = 256, 32
# Below this contrast a photo is almost one colour, and its hash is a hash of noise.
MIN_CONTRAST = 3.0
# Pairs compared at once: 32 MB.
CHUNK = 2**20


@dataclass(frozen=True)
class Duplicates(RelatedPhotos):
    """Two or more photos that are the same.

    Attributes:
        exact: Whether their files are equal byte for byte.
        distance: The largest number of bits, of 256, in which the hashes of linked photos differ.
        similarity: The smallest cosine of the features of linked photos; None if they were not compared.
    """

    exact: bool
    distance: int
    similarity: float | None = None

    @property
    def evidence(self) -> str:
        """Return why the photos are the same, in a few words."""
        if self.exact:
            return "the files are identical"
        hashes = f"{self.distance} of {HASH_BITS} bits of the hashes differ"
        return hashes if self.similarity is None else f"{hashes}, similarity {self.similarity:.2f}"

    def to_json(self) -> JsonObject:
        """Return the duplicates as a JSON object."""
        return {
            "exact": self.exact,
            "distance": self.distance,
            "similarity": self.similarity,
            "photos": self.photos_to_json(),
        }


def find_duplicates(stats: Mapping[Photo, PhotoStats]) -> tuple[Duplicates, ...]:
    """Return the groups of photos that are the same, the closest first.

    A photo is in at most one group: whatever is the same as one photo of a group belongs to it.

    Args:
        stats: All photos, with the hash of their content, and their measurements.
    """
    photos = list(stats)
    union, distances = UnionFind(len(photos)), np.zeros(len(photos), int)
    for indices in equal_files(photos):
        union.join(indices)
    for index, others, distance in _look_alikes(photos, list(stats.values())):
        union.join(np.append(others, index))
        distances[index] = distance
    groups = (
        Duplicates(
            photos=tuple(photos[index] for index in indices),
            exact=len({photos[index].sha256 for index in indices}) == 1,
            distance=int(distances[indices].max()),
        )
        for indices in union.groups()
    )
    return tuple(sorted(groups, key=lambda group: (not group.exact, group.distance, group.photos[0].path)))


def equal_files(photos: Iterable[Photo]) -> Iterator[list[int]]:
    """Yield the indices of each two or more photos whose files are equal byte for byte."""
    indices_by_hash: dict[str, list[int]] = {}
    for index, photo in enumerate(photos):
        indices_by_hash.setdefault(photo.sha256, []).append(index)
    yield from (indices for indices in indices_by_hash.values() if len(indices) > 1)


def distinct_pictures(photos: Sequence[Photo], stats: Sequence[PhotoStats]) -> npt.NDArray[np.intp]:
    """Return the indices of the first photo of each content, without photos of almost one colour."""
    first_index = {photo.sha256: index for index, photo in reversed(list(enumerate(photos)))}
    indices = (index for index in first_index.values() if stats[index].contrast >= MIN_CONTRAST)
    return np.array(sorted(indices), np.intp)


def _look_alikes(
    photos: list[Photo], stats: list[PhotoStats]
) -> Iterator[tuple[int, npt.NDArray[np.intp], int]]:
    """Yield what `near_rows` yields, for photos that can be told apart at all."""
    indices = distinct_pictures(photos, stats)
    if len(indices):
        for row, others, distance in near_rows(np.stack([stats[index].phash for index in indices])):
            yield int(indices[row]), indices[others], distance


def near_rows(
    hashes: npt.NDArray[np.uint64], limit: int = MAX_DISTANCE
) -> Iterator[tuple[int, npt.NDArray[np.intp], int]]:
    """Compare all hashes with each other, in chunks.

    Rows are yielded, not pairs: the photos of one camera can have as many pairs as there are.

    Args:
        hashes: Perceptual hashes, uint64[n, 4].
        limit: Bits in which two hashes may differ.

    Yields:
        Each index with later indices whose hashes are within the limit: these, and their largest distance.
    """
    rows = max(1, CHUNK // len(hashes))
    for start in range(0, len(hashes), rows):
        differences = hashes[start : start + rows, None] ^ hashes[None, start:]
        distances = np.bitwise_count(differences).sum(axis=2, dtype=np.uint16)
        near = np.triu(distances <= limit, k=1)
        for row in np.flatnonzero(near.any(axis=1)).tolist():
            (others,) = np.nonzero(near[row])
            yield start + row, start + others, int(distances[row, others].max())
