"""Store the output of a model's frozen layers for augmented copies of each photo, in a file.

Later epochs then compute only the layers that learn. The file is written chunk by chunk, and its size tells
how far it is, so that a training that is resumed continues where it stopped.
"""

import contextlib
import hashlib
import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from shutterless.dataset import PhotoReader, index_chunks
from shutterless.errors import cannot_write
from shutterless.training.activations.split import SplitModel
from shutterless.training.augmentation import augment
from shutterless.training.data import WORKERS
from shutterless.training.recipe import ModelPhase
from shutterless.utils.pipeline import map_ahead
from shutterless.utils.progress import Progress

MAX_BYTES = 8 << 30
MAX_FREE_SHARE = 0.5  # of the free space on the disk
CHUNK = 32  # copies whose frozen layers are computed at once
FILES = "activations-*.bin"
FLOAT16_MAX = float(np.finfo(np.float16).max)


class _Chunk(NamedTuple):
    """Rows of the file that are computed at once: some photos of one split, each with all its copies."""

    number: int
    split: str
    photos: npt.NDArray[np.int64]


class ActivationStore:
    """The output of the frozen layers for some augmented copies of each training photo.

    The training photos come first in the file, each with its copies, then the validation photos, which have
    one row each. A row is float16[h, w, c].

    Args:
        folder: Where the file is written, under a name that depends on all that its content depends on.
        model: The model in two parts.
        readers: Pixels of the photos of `train` and `validation`.
        phase: How many copies there are of each training photo, and how they are augmented.
        seed: For augmentation, and for the order in which the copies are used.
        fingerprint: Names the photos and how they become pixels.

    Attributes:
        model: The model in two parts.
    """

    def __init__(
        self,
        folder: Path,
        model: SplitModel,
        readers: Mapping[str, PhotoReader],
        phase: ModelPhase,
        *,
        seed: int,
        fingerprint: str,
    ) -> None:
        self.model, self._readers = model, readers
        self._augmentation, self._copies, self._seed = phase.augmentation, phase.stored_copies, seed
        # Not the layer's name: Keras numbers unnamed layers differently when another model is built.
        settings = f"{fingerprint} {seed} {phase.frozen_share} {phase.stored_copies} {phase.augmentation!r}"
        digest = hashlib.sha256(settings.encode())
        for weight in model.frozen.weights:
            digest.update(np.asarray(weight).tobytes())
        self._file = folder / FILES.replace("*", digest.hexdigest()[:16])
        self._shape = model.trained.input.shape[1:]
        photos = len(readers["train"])
        self._first_copies = np.random.default_rng(seed).integers(self._copies, size=photos)

    def fill(self, progress: Progress) -> None:
        """Compute what is not in the file yet.

        Args:
            progress: Called for each chunk.

        Raises:
            OutputError: The file cannot be written, as on a full disk.
            DatasetError: A photo cannot be read.
        """
        chunks, row_bytes = list(self._chunks()), row_size(self._shape)
        sizes = [len(chunk.photos) * self._copies_in(chunk.split) * row_bytes for chunk in chunks]
        ends = np.cumsum([0, *sizes])
        remove_activations(self._file.parent, keep=self._file)
        try:
            with self._file.open("ab", buffering=0) as stream:
                first = int(np.searchsorted(ends, stream.tell(), side="right")) - 1
                stream.truncate(int(ends[first]))
                with contextlib.closing(map_ahead(self._read, chunks[first:], WORKERS)) as batches:
                    for number, pixels in enumerate(batches, start=first + 1):
                        stream.write(self._compute(pixels))
                        progress(f"storing the output of {self.model.layer}", number, len(chunks))
        except OSError as error:
            raise cannot_write(self._file, error) from error

    def read(
        self, split: str, photos: npt.NDArray[np.int64], epoch: int, rng: np.random.Generator
    ) -> npt.NDArray[np.float16]:
        """Return the stored output for photos, float16[n, h, w, c]; see `data.Read`.

        In each epoch a training photo uses its next copy; which one is its first depends on the seed.

        Args:
            split: `train` or `validation`.
            photos: Their numbers in the split.
            epoch: From 0.
            rng: Not used, because the copies are made already.
        """
        rows = photos * self._copies + (self._first_copies[photos] + epoch) % self._copies
        if split == "validation":
            rows = len(self._first_copies) * self._copies + photos
        return np.asarray(self._rows[rows])

    def remove(self) -> None:
        """Remove the file."""
        self._file.unlink(missing_ok=True)

    @cached_property
    def _rows(self) -> npt.NDArray[np.float16]:
        return np.memmap(self._file, np.float16, "r").reshape(-1, *self._shape)

    def _chunks(self) -> Iterator[_Chunk]:
        for split in ("train", "validation"):
            size = max(1, CHUNK // self._copies_in(split))
            for number, photos in enumerate(index_chunks(len(self._readers[split]), size)):
                yield _Chunk(number, split, photos)

    def _copies_in(self, split: str) -> int:
        return self._copies if split == "train" else 1

    def _read(self, chunk: _Chunk) -> npt.NDArray[np.uint8]:
        """Return uint8[photos × copies, height, width, 3]; only training photos are augmented."""
        pixels = self._readers[chunk.split][chunk.photos]
        if chunk.split == "validation":
            return pixels
        rng = np.random.default_rng([self._seed, chunk.number])
        return augment(np.repeat(pixels, self._copies, axis=0), self._augmentation, rng)

    def _compute(self, pixels: npt.NDArray[np.uint8]) -> bytes:
        rows = self.model.frozen.predict_on_batch(pixels)
        return rows.clip(-FLOAT16_MAX, FLOAT16_MAX).astype(np.float16).tobytes()


def row_size(shape: Sequence[int]) -> int:
    """Return the bytes of a float16 array of this shape."""
    return 2 * math.prod(shape)


def count_copies(folder: Path, shape: Sequence[int], *, train: int, validation: int, wanted: int) -> int:
    """Return how many copies of each training photo can be stored.

    All rows together may take `MAX_BYTES`, and `MAX_FREE_SHARE` of the free space.

    Args:
        folder: The folder of the file; it need not exist yet.
        shape: Of the output of the frozen layers for one photo.
        train: Number of training photos.
        validation: Number of validation photos.
        wanted: Copies that the recipe asks for.
    """
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    limit = min(MAX_BYTES, int(MAX_FREE_SHARE * shutil.disk_usage(existing).free))
    return max(0, min(wanted, (limit // row_size(shape) - validation) // train))


def remove_activations(folder: Path, keep: Path | None = None) -> None:
    """Remove the files of all stores in a folder, except one."""
    for file in folder.glob(FILES):
        if file != keep:
            file.unlink()
