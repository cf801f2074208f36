"""Photos as arrays, decoded by the decoder that serving uses too."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from shutterless.dataset.records import Photo, changed, read_photo
from shutterless.parallel import map_in_threads
from shutterless.progress import Progress, silent
from shutterless.runtime.limits import memory
from shutterless.runtime.pixels import InputSpec, decode
from shutterless.runtime.problem import Problem


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

    All of them are decoded once and kept if that takes no more than `memory_limit` bytes (by default
    a quarter of the memory there is); otherwise each is decoded anew whenever it is asked for.

    Raises ShutterlessError, when made or when read, if a photo is gone or broken since the scan.
    """

    def __init__(
        self,
        root: Path,
        photos: Sequence[Photo],
        spec: InputSpec,
        memory_limit: int | None = None,
        progress: Progress = silent,
    ) -> None:
        self._root, self._photos, self._spec = root, photos, spec
        limit = memory() // 4 if memory_limit is None else memory_limit
        fits = len(photos) * spec.height * spec.width * 3 <= limit
        self._kept = read_pixels(root, photos, spec, progress) if fits else None

    def __len__(self) -> int:
        """Return how many photos there are."""
        return len(self._photos)

    def __getitem__(self, numbers: npt.NDArray[np.integer]) -> npt.NDArray[np.uint8]:
        """Return the photos of these numbers, in their order."""
        if self._kept is not None:
            return self._kept.take(numbers, axis=0)
        return read_pixels(self._root, [self._photos[number] for number in numbers], self._spec)


def label_indices(photos: Sequence[Photo], labels: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return the place of every photo's label in `labels`, int64[photos].

    Raises KeyError if a label is not among them, which the scan rules out.
    """
    places = {label: place for place, label in enumerate(labels)}
    return np.array([places[photo.label] for photo in photos], np.int64)
