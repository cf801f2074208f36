"""The columns of a batch job's parts, and the parts as Parquet files."""

import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from shutterless.batch_jobs.worker.task import Row

METADATA = b"shutterless"
FLOATS = pa.list_(pa.float32())
TOP = pa.list_(pa.struct([("label", pa.string()), ("score", pa.float32())]))


@dataclass(frozen=True)
class Columns:
    """Which columns the parts have.

    Attributes:
        labels: The labels in the order of the scores.
        model: Version of the bundle.
        embedding: Whether there is a column `embedding`.
        top_k: Labels in the column `top`; 0 for no such column.
        thumbnail: Whether there is a column `thumbnail`.
    """

    labels: tuple[str, ...]
    model: str
    embedding: bool = False
    top_k: int = 0
    thumbnail: bool = False

    @property
    def schema(self) -> pa.Schema:
        """The schema; its metadata have the labels, in the order of the scores."""
        fields = {
            "uri": pa.string(),
            "label": pa.string(),
            "confidence": pa.float32(),
            "accepted": pa.bool_(),
            "familiar": pa.bool_(),
            "novelty": pa.float64(),
            "scores": FLOATS,
            **({"top": TOP} if self.top_k else {}),
            **({"embedding": FLOATS} if self.embedding else {}),
            **({"thumbnail": pa.binary()} if self.thumbnail else {}),
            "model": pa.string(),
            "error": pa.string(),
        }
        metadata = {METADATA: json.dumps({"labels": self.labels, "model": self.model})}
        return pa.schema(list(fields.items()), metadata)


@dataclass(frozen=True)
class Part:
    """The rows of a chunk as a Parquet file.

    Attributes:
        number: Number of the chunk.
        content: The file.
        photos: Number of rows.
        errors: Code → number of rows with this error.
    """

    number: int
    content: bytes
    photos: int
    errors: Mapping[str, int]


def make_part(number: int, rows: Sequence[Row], columns: Columns) -> Part:
    """Return the part of a chunk; the same rows give the same bytes."""
    arrays: dict[str, object] = {
        "uri": [row.uri for row in rows],
        "label": [row.label for row in rows],
        "confidence": [row.confidence for row in rows],
        "accepted": [row.accepted for row in rows],
        "familiar": [row.familiar for row in rows],
        "novelty": [row.novelty for row in rows],
        "scores": _float_lists([row.scores for row in rows]),
        "top": [_top(row.scores, columns) for row in rows] if columns.top_k else None,
        "embedding": _float_lists([row.embedding for row in rows]),
        "thumbnail": [row.thumbnail for row in rows],
        "model": [columns.model] * len(rows),
        "error": [row.error for row in rows],
    }
    table = pa.table({name: arrays[name] for name in columns.schema.names}, columns.schema)
    stream = io.BytesIO()
    pq.write_table(table, stream, compression="zstd")
    errors = Counter(row.error for row in rows if row.error)
    return Part(number, stream.getvalue(), len(rows), dict(errors))


def count_errors(stream: BinaryIO) -> Counter[str | None]:
    """Return how many rows of a part have each error; None for those without.

    Raises:
        ValueError: It is not a whole part.
    """
    return Counter(pq.read_table(stream, columns=["error"]).column("error").to_pylist())


def _float_lists(blobs: Sequence[bytes | None]) -> pa.ListArray:
    """Return float32 values, given as bytes, as an array of lists; None stays null."""
    sizes = [len(blob) // 4 if blob else 0 for blob in blobs]
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    values = np.frombuffer(b"".join(filter(None, blobs)), np.float32)
    return pa.ListArray.from_arrays(offsets, values, mask=pa.array([blob is None for blob in blobs]))


def _top(blob: bytes | None, columns: Columns) -> list[dict[str, object]] | None:
    """Return the labels with the highest scores, the best first; of equal scores the first label."""
    if blob is None:
        return None
    scores = np.frombuffer(blob, np.float32)
    best = np.argsort(-scores, kind="stable")[: columns.top_k]
    return [{"label": columns.labels[index], "score": scores[index]} for index in best]
