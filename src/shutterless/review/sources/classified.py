"""Photos that a model has classified: the records of an API, or the parts of a batch job."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from shutterless.batch_jobs.columns import METADATA
from shutterless.batch_jobs.worker.reading import is_remote
from shutterless.errors import InputError
from shutterless.review.items import PARTS, RECORDS, Item, Kind, Queue, find_file, labels_file
from shutterless.review.order import choose_photos

MAX_LIKELY = 5


def read_live(folder: Path, count: int) -> Queue:
    """Return the photos of the records that `collect` wrote, as far as the photos were kept.

    Args:
        folder: The folder with records.parquet and the photos.
        count: How many photos to choose.

    Raises:
        InputError: No photo was kept (`no-photos`), or the records cannot be read (`unreadable-records`).
    """
    table = _read(folder, [folder / RECORDS], ("id", "photo"))
    table = table.filter(pc.is_valid(table["photo"]))
    ids = [str(name) for name in table["id"].to_pylist()]
    return _queue(Kind.LIVE, folder, table, ids, count, "Keep photos with deploy --keep-photos.")


def read_batch(folder: Path, count: int) -> Queue:
    """Return the photos of a batch job that are files of this machine, or that have thumbnails.

    Args:
        folder: The output of the job.
        count: How many photos to choose.

    Raises:
        InputError: There are none (`no-photos`), or the parts cannot be read (`unreadable-records`).
    """
    table = _read(folder, sorted(folder.glob(PARTS)), ("uri",))
    table = table.filter(pc.is_valid(table["label"]))
    if "thumbnail" not in table.column_names:
        is_local = [not is_remote(uri) for uri in table["uri"].to_pylist()]
        table = table.filter(pa.array(is_local, pa.bool_()))
    ids = [hashlib.sha256(uri.encode()).hexdigest()[:32] for uri in table["uri"].to_pylist()]
    hint = "Give the job the option --thumbnail, which keeps small photos of what is at URLs."
    return _queue(Kind.BATCH, folder, table, ids, count, hint)


def _read(folder: Path, files: list[Path], columns: tuple[str, ...]) -> pa.Table:
    """Return all rows of Parquet files with the same columns."""
    try:
        tables = [pq.read_table(file) for file in files]
        if not tables:
            raise FileNotFoundError("it has no Parquet files")
        table = pa.concat_tables(tables)
        if missing := {*columns, "label", "confidence", "accepted", "scores"} - set(table.column_names):
            raise ValueError(f"there is no column {sorted(missing)[0]}")
    except (OSError, ValueError) as error:  # pyarrow's errors are one or the other
        raise InputError(
            "unreadable-records",
            f"Cannot read the records in {folder}: {error}",
            "Give a folder that collect or batch wrote.",
        ) from error
    return table


def _queue(kind: Kind, folder: Path, table: pa.Table, ids: list[str], count: int, hint: str) -> Queue:
    if not len(table):
        raise InputError("no-photos", f"There are no photos to review in {folder}", hint)
    labels = _labels(folder, table)
    scores = _matrix(table["scores"], len(labels), folder)
    novelty = np.array(_column(table, "novelty"), np.float64)
    corrected = _column(table, "corrected")
    novelty[[value is not None for value in corrected]] = 1  # somebody says that the answer is wrong
    embeddings = _column(table, "embedding")
    vectors = None if None in embeddings else np.array(embeddings, np.float64)
    chosen, sample = choose_photos(ids, scores, novelty, vectors, count)
    rows = table.drop_columns([name for name in ("embedding",) if name in table.column_names])
    items = [
        _item(kind, folder, ids[index], row, _likely(labels, scores[index], row.get("corrected")))
        for index, row in zip(chosen, rows.take(chosen).to_pylist(), strict=True)
    ]
    names = tuple(ids[index] for index in sample)
    return Queue(kind, folder, labels, tuple(items), names, len(ids), labels_file(folder, kind))


def _labels(folder: Path, table: pa.Table) -> tuple[str, ...]:
    """Return the labels in the order of the scores, from the metadata of the schema."""
    try:
        return tuple(map(str, json.loads((table.schema.metadata or {})[METADATA])["labels"]))
    except (KeyError, ValueError, TypeError) as error:
        raise InputError(
            "unreadable-records",
            f"The records in {folder} don't name the labels of their scores",
            "Give a folder that collect or batch wrote.",
        ) from error


def _column(table: pa.Table, name: str) -> list[object]:
    values: list[object] = table[name].to_pylist() if name in table.column_names else [None] * len(table)
    return values


def _matrix(column: pa.ChunkedArray, labels: int, folder: Path) -> npt.NDArray[np.float64]:
    """Return the scores, float64[photos, labels]."""
    values = [row or [] for row in column.to_pylist()]
    if {len(row) for row in values} != {labels}:
        raise InputError(
            "unreadable-records",
            f"Records in {folder} don't have a score for each of the {labels:,} labels",
            "Collect the records again.",
        )
    return np.array(values, np.float64)


def _likely(labels: tuple[str, ...], scores: npt.NDArray[np.float64], corrected: object) -> tuple[str, ...]:
    order = np.argsort(-np.nan_to_num(scores), kind="stable")[:MAX_LIKELY]
    first = [str(corrected)] if corrected in labels else []
    return tuple(dict.fromkeys([*first, *(labels[index] for index in order)]))


def _item(kind: Kind, folder: Path, name: str, row: Mapping[str, object], likely: tuple[str, ...]) -> Item:
    content, place = row.get("thumbnail"), str(row["photo" if kind is Kind.LIVE else "uri"])
    return Item(
        name,
        place,
        str(row["label"]),
        likely,
        float(str(row["confidence"])),
        bool(row["accepted"]),
        find_file(folder, kind, place),
        content if isinstance(content, bytes) else None,
    )
