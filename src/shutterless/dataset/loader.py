"""Photos as arrays, decoded by the decoder that serving uses too."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from shutterless.dataset.types import NOTHING_DECODED, Decoded, Photo, changed, read_photo
from shutterless.runtime.host_resources import memory
from shutterless.runtime.image.decoder import InputSpec, decode
from shutterless.runtime.problems import Problem
from shutterless.utils.parallel import map_in_threads
from shutterless.utils.progress import Progress, silent


def read_pixels(
    root: Path,
    photos: Sequence[Photo],
    spec: InputSpec,
    progress: Progress = silent,
    what: str = "reading photos",
) -> npt.NDArray[np.uint8]:
    """Return the photos as uint8[photos, height, width, 3], in their order.

    Raises ShutterlessError, naming the photo, if one is gone or broken since the scan.
    """
    array = np.empty((len(photos), spec.height, spec.width, 3), np.uint8)

    def fill(index: int) -> None:
        photo = photos[index]
        try:
            array[index] = decode(read_photo(root, photo), spec)
        except Problem as problem:
            raise changed(root, photo, problem.detail) from problem

    for _ in map_in_threads(fill, range(len(photos)), progress=progress, what=what):
        pass
    return array


class PhotoReader:
    """Photos by number, as uint8[numbers, height, width, 3]: `reader[np.array([3, 1])]`.

    All of them are decoded once and kept if they fit in memory; otherwise each is decoded anew whenever
    it is asked for.

    Args:
        root: The folder that the photos' paths are relative to.
        photos: The photos, by their numbers.
        spec: How they are decoded.
        memory_limit: Bytes that may be kept; by default a quarter of the memory there is.
        progress: Called while they are decoded.
        decoded: Photos that are already decoded, as `Dataset.decoded` holds them; used if it was for `spec`.

    Raises:
        ShutterlessError: When made or when read, if a photo is gone or broken since the scan.
    """

    def __init__(
        self,
        root: Path,
        photos: Sequence[Photo],
        spec: InputSpec,
        memory_limit: int | None = None,
        progress: Progress = silent,
        decoded: Decoded = NOTHING_DECODED,
    ) -> None:
        self._root, self._photos, self._spec = root, photos, spec
        self._kept: Sequence[npt.NDArray[np.uint8]] | None = None
        if decoded.spec == spec and all(photo.path in decoded.arrays for photo in photos):
            self._kept = [decoded.arrays[photo.path] for photo in photos]
        elif fits_in_memory(len(photos), spec, memory_limit):
            self._kept = list(read_pixels(root, photos, spec, progress))

    def __len__(self) -> int:
        """Return how many photos there are."""
        return len(self._photos)

    def __getitem__(self, numbers: npt.NDArray[np.integer]) -> npt.NDArray[np.uint8]:
        """Return the photos of these numbers, in their order."""
        if self._kept is None:
            return read_pixels(self._root, [self._photos[number] for number in numbers], self._spec)
        array = np.empty((len(numbers), self._spec.height, self._spec.width, 3), np.uint8)
        for place, number in enumerate(numbers):
            array[place] = self._kept[number]
        return array


def fits_in_memory(count: int, spec: InputSpec, limit: int | None = None) -> bool:
    """Tell whether so many decoded photos take no more than `limit` bytes, or a quarter of the memory."""
    return count * spec.height * spec.width * 3 <= (memory() // 4 if limit is None else limit)


def label_indices(photos: Sequence[Photo], labels: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return the place of every photo's label in `labels`, int64[photos].

    Raises KeyError if a label is not among them, which the scan rules out.
    """
    places = {label: place for place, label in enumerate(labels)}
    return np.array([places[photo.label] for photo in photos], np.int64)
