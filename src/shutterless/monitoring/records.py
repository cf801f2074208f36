"""Read the records of a deployed model, as `collect` writes them, for one period."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from shutterless.errors import InputError
from shutterless.monitoring.sample import Floats, Sample
from shutterless.runtime.model.bundle import Bundle
from shutterless.utils.messages import shortened

RECORDS, METADATA = "records.parquet", b"shutterless"
REQUIRED = ("id", "time", "model", "accepted", "novelty", "scores", "embedding")
LISTS = ("scores", "embedding")
OPTIONAL = ("request", "photo", "familiar")
COLUMNS = (*REQUIRED, *OPTIONAL)
TIME = pa.timestamp("us", "UTC")
TYPES = {
    **dict.fromkeys(("id", "model", "request", "photo"), pa.string()),
    **dict.fromkeys(("accepted", "familiar"), pa.bool_()),
    "novelty": pa.float64(),
    "time": TIME,
}
# Of more records, so many are compared, chosen at random: more would tell nothing more.
MAX_RECORDS = 10_000


@dataclass(frozen=True)
class Window:
    """The records of a period.

    Attributes:
        sample: The answers.
        accepted: Whether each answer was accepted, bool[records].
        familiar: Whether each picture was familiar, bool[records].
        ids: Id of each record.
        times: When each request was answered.
        photos: The file with each picture, None where none was kept.
        left_out: Reason → number of records in the period that are not compared: `other-model`, `incomplete`,
            `duplicate` (the same picture again) and `not-sampled`.
    """

    sample: Sample
    accepted: npt.NDArray[np.bool_]
    familiar: npt.NDArray[np.bool_]
    ids: tuple[str, ...]
    times: tuple[datetime, ...]
    photos: tuple[Path | None, ...]
    left_out: Mapping[str, int]


def read_records(live: Path, bundle: Bundle, since: datetime, until: datetime, size: int) -> Window:
    """Read the records of a period.

    Args:
        live: The folder that `collect` wrote, or a Parquet file of records.
        bundle: The bundle; records of other models are left out.
        since: Start of the period.
        until: Its end, which is not part of it.
        size: Numbers in an embedding.

    Raises:
        InputError: `not-records` if it is not such a folder or file, `no-records` if there are none in this
            period, `other-model` if all of them are of other models.
    """
    table = _read(live / RECORDS if live.is_dir() else live)
    times = table["time"]
    period = table.filter(pc.and_(pc.greater_equal(times, _scalar(since)), pc.less(times, _scalar(until))))
    if not len(period):
        raise _no_records(live, times, since, until)
    ours = period.filter(pc.equal(period["model"], bundle.version))
    if not len(ours):
        versions = sorted({str(model) for model in period["model"].unique().to_pylist()})
        raise InputError(
            "other-model",
            f"The records are of version {shortened(versions)} of the model, not {bundle.version}",
            "Give the bundle that was deployed in this period, or another period.",
        )
    ours = _with_scores_of(bundle.labels, ours)
    sizes = len(bundle.labels), size
    complete = ours.filter(_is_complete(ours, *sizes))
    chosen = _without_copies(complete, *sizes)
    sampled = chosen[: len(chosen)] if len(chosen) <= MAX_RECORDS else _draw(chosen, MAX_RECORDS)
    counts = [len(each) for each in (period, ours, complete, chosen, sampled)]
    names = ("other-model", "incomplete", "duplicate", "not-sampled")
    left_out = {name: counts[index] - counts[index + 1] for index, name in enumerate(names)}
    folder = live if live.is_dir() else live.parent
    return _to_window(complete.take(pa.array(sampled)), folder, left_out, *sizes)


def _read(file: Path) -> pa.Table:
    try:
        with pq.ParquetFile(file) as parquet:
            present = parquet.schema_arrow.names
            table = parquet.read([name for name in COLUMNS if name in present])
        for name in OPTIONAL:
            if name not in present:
                table = table.append_column(name, pa.nulls(len(table)))
        for name, kind in TYPES.items():
            table = table.set_column(table.schema.get_field_index(name), name, table[name].cast(kind))
        if not all(pa.types.is_list(table[name].type) for name in LISTS):
            raise ValueError(f"{' and '.join(LISTS)} are no lists")
        return table
    except (OSError, pa.ArrowException, KeyError, ValueError) as error:
        raise InputError(
            "not-records",
            f"{file} is not a file of records: {error}",
            "Give the folder that `shutterless collect -o` wrote.",
        ) from error


def _with_scores_of(labels: tuple[str, ...], table: pa.Table) -> pa.Table:
    """Return the records with the scores of these labels, in their order.

    A folder may have records of models with other labels. Its scores are those of all labels, in the order
    that its metadata have, with NaN for the labels that a model lacks.
    """
    try:
        members = json.loads((table.schema.metadata or {}).get(METADATA, b"{}"))
        names = [str(name) for name in members.get("labels", labels)]
    except (ValueError, AttributeError, TypeError):
        raise InputError(
            "not-records",
            "The records' labels cannot be read",
            "Give the folder that `shutterless collect -o` wrote.",
        ) from None
    if names == [*labels] or not {*labels} <= {*names}:
        return table
    column = table["scores"]
    is_whole = pc.fill_null(pc.equal(pc.list_value_length(column), len(names)), False)
    scores = np.full((len(table), len(labels)), np.nan)
    chosen = _matrix(column.filter(is_whole), len(names))[:, [names.index(label) for label in labels]]
    scores[is_whole.to_numpy().astype(bool)] = chosen
    offsets = np.arange(0, scores.size + 1, len(labels), dtype=np.int32)
    place = table.schema.get_field_index("scores")
    return table.set_column(place, "scores", pa.ListArray.from_arrays(offsets, scores.ravel()))


def _scalar(time: datetime) -> pa.Scalar:
    return pa.scalar(time.astimezone(UTC), TIME)


def _no_records(live: Path, times: pa.ChunkedArray, since: datetime, until: datetime) -> InputError:
    newest = pc.max(times).as_py()
    return InputError(
        "no-records",
        f"{live} has no records from {since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} UTC",
        f"The newest is of {newest:%Y-%m-%d %H:%M}: give --until or --since."
        if newest
        else "Deploy with --records on, and collect its log.",
    )


def _is_complete(table: pa.Table, labels: int, size: int) -> pa.Array:
    """Tell for each record whether it has all that is compared, as finite numbers."""
    masks = [
        pc.is_finite(table["novelty"]),
        pc.is_valid(table["accepted"]),
        pa.array(_are_finite(table["scores"], labels)),
        pa.array(_are_finite(table["embedding"], size)),
    ]
    mask = masks[0]
    for each in masks[1:]:
        mask = pc.and_(mask, each)
    return pc.fill_null(mask, False)


def _are_finite(column: pa.ChunkedArray, length: int) -> npt.NDArray[np.bool_]:
    """Tell for each list whether it has so many values, all finite, bool[rows]."""
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy()
    values = np.asarray(pc.list_flatten(column).to_numpy(zero_copy_only=False), np.float64)
    is_finite = np.ones(len(lengths), bool)
    rows = np.repeat(np.arange(len(lengths)), lengths)
    is_finite[rows[~np.isfinite(values)]] = False
    return is_finite & (lengths == length)


def _without_copies(table: pa.Table, labels: int, size: int) -> npt.NDArray[np.int64]:
    """Return the index of the first record of each id and of each picture, int64[records].

    Equal scores and equal embeddings are those of the same picture, as when a program asks again.
    """
    content = np.column_stack([_matrix(table["scores"], labels), _matrix(table["embedding"], size)])
    pictures = np.unique(content, axis=0, return_index=True)[1]
    ids = np.unique(np.array(table["id"].to_pylist(), str), return_index=True)[1]
    return np.intersect1d(pictures, ids)


def _draw(indices: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.int64]:
    return np.sort(np.random.default_rng(42).permutation(indices)[:count])


def _matrix(column: pa.ChunkedArray, length: int) -> Floats:
    """Return lists of a length as float64[rows, length]."""
    values = np.asarray(pc.list_flatten(column).to_numpy(zero_copy_only=False), np.float64)
    return values.reshape(len(column), length)


def _to_window(table: pa.Table, folder: Path, left_out: Mapping[str, int], labels: int, size: int) -> Window:
    ids = [str(each) for each in table["id"].to_pylist()]
    requests = [str(request or id_) for request, id_ in zip(table["request"].to_pylist(), ids, strict=True)]
    if not ids:
        raise InputError(
            "no-records",
            f"None of the records in {folder} can be compared: {left_out['incomplete']:,} are incomplete",
            "Records need scores, novelty and embedding: convert again, deploy with --records on.",
        )
    sample = Sample(
        _matrix(table["scores"], labels),
        _matrix(table["embedding"], size),
        np.asarray(table["novelty"].to_numpy(), np.float64),
        np.unique(requests, return_inverse=True)[1].astype(np.int64),
    )
    return Window(
        sample,
        np.array(table["accepted"].to_pylist(), bool),
        np.array(pc.fill_null(table["familiar"], True).to_pylist(), bool),
        tuple(ids),
        tuple(table["time"].to_pylist()),
        tuple(_photo(folder, name) for name in table["photo"].to_pylist()),
        left_out,
    )


def _photo(folder: Path, name: str | None) -> Path | None:
    """Return a photo's file; None if there is none, or if its name leads out of the folder."""
    if not name:
        return None
    file = folder / name
    is_inside = file.resolve().is_relative_to(folder.resolve())
    return file if is_inside and file.is_file() else None
