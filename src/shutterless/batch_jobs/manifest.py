"""The manifest of a batch job: its photos, sorted and cut into chunks, and by what the job is recognised."""

import hashlib
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from shutterless.batch_jobs.columns import METADATA
from shutterless.batch_jobs.options import BatchOptions
from shutterless.errors import InputError
from shutterless.runtime.json_types import Json

FORMAT_VERSION = 1
# Photos in one job. Their paths are in memory, about 100 MB for each million.
MAX_PHOTOS = 20_000_000
# By default a job has a hundred chunks, so that a few workers end at about the same time.
CHUNKS, MIN_CHUNK, MAX_CHUNK = 100, 10, 1000
MAX_CHUNKS = 100_000
ADDED_AT_ONCE = 50_000


@dataclass(frozen=True)
class Chunk:
    """Some photos of a job: the unit of work, of retrying and of resuming.

    Attributes:
        number: From 0.
        uris: Paths and URLs.
    """

    number: int
    uris: list[str]


@dataclass(frozen=True)
class Manifest:
    """The photos of a job and what is done with them.

    Attributes:
        uris: Paths and URLs as a `large_string` array, sorted by their UTF-8 bytes, each once.
        chunk_size: Photos per chunk.
        model: Version of the bundle.
        options: Options that change the parts.
    """

    uris: pa.LargeStringArray
    chunk_size: int
    model: str
    options: Mapping[str, Json]

    def __len__(self) -> int:
        return len(self.uris)

    @property
    def chunk_count(self) -> int:
        """Number of chunks."""
        return -(-len(self) // self.chunk_size)

    def chunk(self, number: int) -> Chunk:
        """Return a chunk by its number."""
        return Chunk(number, self.uris.slice(number * self.chunk_size, self.chunk_size).to_pylist())

    def chunk_length(self, number: int) -> int:
        """Return the number of photos in a chunk."""
        return min(self.chunk_size, len(self) - number * self.chunk_size)

    def sample(self, count: int) -> list[str]:
        """Return some photos from all over the manifest, in an order that is mixed but always the same."""
        indices = np.linspace(0, len(self) - 1, min(count, len(self))).astype(np.int64)
        return self.uris.take(np.random.default_rng(0).permutation(indices)).to_pylist()

    @property
    def part_names(self) -> list[str]:
        """The file name of each chunk's part."""
        digits = max(5, len(str(self.chunk_count - 1)))
        return [f"part-{number:0{digits}}.parquet" for number in range(self.chunk_count)]

    @cached_property
    def identity(self) -> dict[str, Json]:
        """What another manifest must have in common to be that of the same job, by what a user calls it."""
        digest = hashlib.sha256()
        for number in range(self.chunk_count):
            digest.update("\0".join([*self.chunk(number).uris, ""]).encode())
        return {
            "format": FORMAT_VERSION,
            "bundle": self.model,
            "options": dict(self.options),
            "input": digest.hexdigest(),
            "chunk size": self.chunk_size,
        }

    def to_parquet(self) -> bytes:
        """Return the manifest as a Parquet file with the columns `uri` and `chunk`."""
        numbers = pa.array(np.arange(len(self), dtype=np.int32) // self.chunk_size)
        metadata = {METADATA: json.dumps(self.identity)}
        schema = pa.schema([("uri", pa.large_string()), ("chunk", pa.int32())], metadata)
        table = pa.table([self.uris, numbers], schema)
        stream = io.BytesIO()
        pq.write_table(
            table,
            stream,
            compression="zstd",
            use_dictionary=False,
            column_encoding={"uri": "DELTA_BYTE_ARRAY", "chunk": "DELTA_BINARY_PACKED"},
        )
        return stream.getvalue()


def sort_uris(uris: Iterable[str]) -> pa.LargeStringArray:
    """Return paths and URLs sorted by their UTF-8 bytes, each once, as a `large_string` array.

    Raises:
        InputError: There are more than `MAX_PHOTOS` (`too-many-photos`).
    """
    arrays: list[pa.LargeStringArray] = []
    iterator = iter(uris)
    while some := list(islice(iterator, ADDED_AT_ONCE)):
        arrays.append(pa.array(some, pa.large_string()))
        if len(arrays) * ADDED_AT_ONCE > MAX_PHOTOS:
            raise InputError(
                "too-many-photos",
                f"There are more than {MAX_PHOTOS:,} photos",
                "Divide them into several jobs.",
            )
    array = pa.chunked_array(arrays, pa.large_string()).combine_chunks()
    array = array.take(pc.sort_indices(array))
    is_new = pc.not_equal(array.slice(1), array.slice(0, max(0, len(array) - 1)))
    return array.filter(pa.concat_arrays([pa.array([True][: len(array)], pa.bool_()), is_new]))


def make_manifest(uris: Iterable[str], options: BatchOptions, model: str) -> Manifest:
    """Return the manifest of a job.

    Args:
        uris: Paths and URLs, in no order and possibly more than once.
        options: The job's options.
        model: Version of the bundle.

    Raises:
        InputError: There are too many photos (`too-many-photos`), or too many chunks (`invalid-option`).
    """
    array = sort_uris(uris)
    size = options.chunk_size or min(MAX_CHUNK, max(MIN_CHUNK, -(-len(array) // CHUNKS)))
    manifest = Manifest(array, size, model, options.column_options)
    if manifest.chunk_count > MAX_CHUNKS:
        hint = f"Use chunks of at least {-(-len(array) // MAX_CHUNKS):,} photos."
        raise InputError("invalid-option", f"There would be {manifest.chunk_count:,} parts", hint)
    return manifest


def read_identity(stream: BinaryIO) -> dict[str, Json]:
    """Return the identity of the job of a manifest file.

    Raises:
        ValueError: It is not a manifest.
    """
    try:
        identity = json.loads((pq.read_schema(stream).metadata or {})[METADATA])
    except (OSError, KeyError, RecursionError) as error:
        raise ValueError("it is not the manifest of a batch job") from error
    if not isinstance(identity, dict):
        raise ValueError("it is not the manifest of a batch job")
    return identity
