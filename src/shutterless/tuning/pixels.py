"""Decode the photos of a search once, into files that all trials share."""

import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from shutterless.dataset import Dataset
from shutterless.dataset.loader import index_chunks, read_pixels
from shutterless.files import atomic_file
from shutterless.runtime.image.decoder import InputSpec
from shutterless.tuning.study import PixelFile
from shutterless.utils.progress import Progress

# Photos in memory at the same time, and the share of the free disk that the files may take.
CHUNK, DISK_SHARE = 64, 0.5


def decode_for_all(
    dataset: Dataset, specs: Iterable[InputSpec], folder: Path, progress: Progress
) -> tuple[PixelFile, ...]:
    """Decode all photos for each input, as long as there is room on the disk.

    Files that an interrupted search has left are used again.

    Raises:
        DatasetError: A photo has changed since the data set was loaded (`unreadable-photo`).
        OutputError: A file cannot be written (`cannot-write`).
    """
    files = []
    paths = tuple(photo.path for photo in dataset.photos)
    folder.mkdir(parents=True, exist_ok=True)
    for spec in sorted({*specs}, key=repr):
        file = folder / f"{spec.width}x{spec.height}-{spec.resize}-{spec.interpolation}.npy"
        size = len(paths) * spec.height * spec.width * 3
        if not file.exists():
            if size > DISK_SHARE * shutil.disk_usage(folder).free:
                continue
            with atomic_file(file) as draft:
                _decode(dataset, spec, draft, progress)
        files.append(PixelFile(file, spec, paths))
    return tuple(files)


def _decode(dataset: Dataset, spec: InputSpec, file: Path, progress: Progress) -> None:
    count = len(dataset.photos)
    shape = (count, spec.height, spec.width, 3)
    pixels = np.lib.format.open_memmap(file, "w+", np.uint8, shape)
    for indices in index_chunks(count, CHUNK):
        pixels[indices] = read_pixels(dataset.root, [dataset.photos[index] for index in indices], spec)
        progress(f"decoding photos at {spec.width} px", int(indices[-1]) + 1, count)
    pixels.flush()
