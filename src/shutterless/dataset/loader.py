"""Read photos as arrays, with the decoder that serving uses."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from shutterless.dataset.types import NOTHING_DECODED, Decoded, Photo, read_photo_file, unreadable_photo
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
    """Decode photos for a model's input.

    Args:
        root: The folder that the photos' paths are relative to.
        photos: The photos.
        spec: The model's input.
        progress: Called for each photo.
        what: Name of the work in the progress bar.

    Returns:
        The pixels, uint8[photos, height, width, 3], in the order of the photos.

    Raises:
        DatasetError: A photo is missing or damaged since the data set was loaded (`unreadable-photo`).
    """
    pixels = np.empty((len(photos), spec.height, spec.width, 3), np.uint8)

    def fill(index: int) -> None:
        photo = photos[index]
        try:
            pixels[index] = np.asarray(decode(read_photo_file(root, photo), spec))
        except Problem as problem:
            raise unreadable_photo(root, photo, problem.detail) from problem

    for _ in map_in_threads(fill, range(len(photos)), progress=progress, what=what):
        pass
    return pixels


class PhotoReader:
    """Photos by index, as uint8[indices, height, width, 3]: `reader[np.array([3, 1])]`.

    All photos are decoded once and kept if they fit in memory; otherwise each is decoded whenever it is
    needed.

    Args:
        root: The folder that the photos' paths are relative to.
        photos: The photos.
        spec: The model's input.
        memory_limit: Bytes that may be kept; a quarter of the memory by default.
        progress: Called for each photo that is decoded.
        decoded: Photos that are already decoded, from `Dataset.decoded`; used if it is for `spec`.

    Raises:
        DatasetError: A photo is missing or damaged since the data set was loaded (`unreadable-photo`).
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
        self._arrays: Sequence[npt.NDArray[np.uint8]] | None = None
        if decoded.spec == spec and all(photo.path in decoded.arrays for photo in photos):
            self._arrays = [decoded.arrays[photo.path] for photo in photos]
        elif fits_in_memory(len(photos), spec, memory_limit):
            self._arrays = list(read_pixels(root, photos, spec, progress))

    def __len__(self) -> int:
        """Return the number of photos."""
        return len(self._photos)

    def __getitem__(self, indices: npt.NDArray[np.integer]) -> npt.NDArray[np.uint8]:
        """Return the photos at these indices, in their order."""
        if self._arrays is None:
            return read_pixels(self._root, [self._photos[index] for index in indices], self._spec)
        pixels = np.empty((len(indices), self._spec.height, self._spec.width, 3), np.uint8)
        for row, index in enumerate(indices):
            pixels[row] = self._arrays[index]
        return pixels


def index_chunks(count: int, size: int) -> Iterator[npt.NDArray[np.int64]]:
    """Yield the indices of `count` photos in their order, `size` at a time: int64[up to size]."""
    for start in range(0, count, size):
        yield np.arange(start, min(start + size, count))


def fits_in_memory(count: int, spec: InputSpec, limit: int | None = None) -> bool:
    """Tell whether this many decoded photos take at most `limit` bytes, or a quarter of the memory."""
    return count * spec.height * spec.width * 3 <= (memory() // 4 if limit is None else limit)


def decode_once(root: Path, photos: Sequence[Photo], spec: InputSpec) -> Decoded:
    """Decode photos that several models will classify; none if they do not fit in memory."""
    if not fits_in_memory(len(photos), spec):
        return NOTHING_DECODED
    pixels = read_pixels(root, photos, spec)
    return Decoded(spec, dict(zip((photo.path for photo in photos), pixels, strict=True)))


def label_indices(photos: Sequence[Photo], labels: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return the index in `labels` of every photo's label, int64[photos].

    Raises:
        KeyError: A label is not among them; loading a data set rules this out.
    """
    index_of = {label: index for index, label in enumerate(labels)}
    return np.array([index_of[photo.label] for photo in photos], np.int64)
