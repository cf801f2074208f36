"""records.parquet: one row for each picture that an API has classified."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from shutterless.errors import InputError
from shutterless.files import atomic_file
from shutterless.live.records import Correction, Floats, PictureRecord

FILE = "records.parquet"
METADATA = b"shutterless"
TIME = pa.timestamp("ms", tz="UTC")
FLOATS = pa.list_(pa.float32())
SCHEMA = pa.schema(
    {
        "id": pa.string(),
        "request": pa.string(),
        "time": TIME,
        "model": pa.string(),
        "label": pa.string(),
        "confidence": pa.float64(),
        "accepted": pa.bool_(),
        "familiar": pa.bool_(),
        "novelty": pa.float64(),
        "scores": FLOATS,
        "embedding": FLOATS,
        "photo": pa.string(),
        "corrected": pa.string(),
        "corrected_at": TIME,
    }
)
# Corrections of records that have not come yet; anybody who may call the API can make some up.
MAX_PENDING = 10_000


@dataclass
class RecordTable:
    """The records of a folder.

    Attributes:
        folder: The folder.
        labels: The labels of all models, in the order of the scores.
        sources: Name of a log → time until which it has been read, in ms since 1970.
        pending: Id → label and time of a correction whose record has not come yet.
        ids: The ids of all records.
    """

    folder: Path
    labels: tuple[str, ...] = ()
    sources: dict[str, int] = field(default_factory=dict)
    pending: dict[str, tuple[str, str]] = field(default_factory=dict)
    ids: set[str] = field(default_factory=set)
    _table: pa.Table = field(default_factory=SCHEMA.empty_table)
    _rows: list[tuple[PictureRecord, str | None]] = field(default_factory=list)
    _corrections: dict[str, Correction] = field(default_factory=dict)

    @property
    def unsaved(self) -> int:
        """How many records have been added since the table was saved."""
        return len(self._rows)

    def add(self, record: PictureRecord, photo: str | None) -> None:
        """Add a record, with the path of its photo below the folder."""
        self.ids.add(record.id)
        self._rows.append((record, photo))

    def correct(self, correction: Correction) -> None:
        """Add a correction, of a record that is there or still to come; the latest one counts."""
        last = self._corrections.get(correction.id)
        if last is None or correction.time >= last.time:
            self._corrections[correction.id] = correction

    def save(self) -> None:
        """Write the table, whole or not at all.

        Raises:
            OutputError: It cannot be written (`cannot-write`).
        """
        new = (label for record, _ in self._rows for label in record.labels)
        labels = tuple(dict.fromkeys([*self.labels, *new]))
        table = pa.concat_tables([self._with_labels(labels), _make_table(self._rows, labels)])
        table = self._apply_corrections(table)
        metadata = {"labels": labels, "sources": self.sources, "corrections": self.pending}
        table = table.replace_schema_metadata({METADATA: json.dumps(metadata)})
        with atomic_file(self.folder / FILE) as draft:
            pq.write_table(table, draft, compression="zstd")
        self.labels, self._table, self._rows = labels, table, []

    def _with_labels(self, labels: tuple[str, ...]) -> pa.Table:
        """Return the saved rows with a score for each of the labels, NaN for those that a model lacked."""
        if len(labels) == len(self.labels) or not len(self._table):
            return self._table
        scores = [_spread(row, self.labels, labels) for row in self._table["scores"].to_pylist()]
        place = SCHEMA.get_field_index("scores")
        return self._table.set_column(place, SCHEMA.field(place), pa.array(scores, FLOATS))

    def _apply_corrections(self, table: pa.Table) -> pa.Table:
        for name, (label, time) in self.pending.items():
            self.correct(Correction(name, label, datetime.fromisoformat(time)))
        known = {name: each for name, each in self._corrections.items() if name in self.ids}
        waiting = [each for name, each in self._corrections.items() if name not in self.ids]
        self.pending = {each.id: (each.label, each.time.isoformat()) for each in waiting[-MAX_PENDING:]}
        self._corrections = {}
        if not known:
            return table
        corrected, times = table["corrected"].to_pylist(), table["corrected_at"].to_pylist()
        for place, name in enumerate(table["id"].to_pylist()):
            correction = known.get(name)
            if correction and (times[place] is None or correction.time >= times[place]):
                corrected[place], times[place] = correction.label, correction.time
        for name, values, kind in (("corrected", corrected, pa.string()), ("corrected_at", times, TIME)):
            table = table.set_column(SCHEMA.get_field_index(name), name, pa.array(values, kind))
        return table


def open_table(folder: Path) -> RecordTable:
    """Return the records in a folder, which may not exist yet.

    Raises:
        InputError: `unreadable-records` if its records.parquet is damaged or something else.
    """
    file = folder / FILE
    if not file.exists():
        return RecordTable(folder)
    try:
        table = pq.read_table(file)
        members = json.loads((table.schema.metadata or {})[METADATA])
        table = table.replace_schema_metadata(None).select(SCHEMA.names).cast(SCHEMA)
        pending = {name: (str(label), str(time)) for name, (label, time) in members["corrections"].items()}
        for _, time in pending.values():
            datetime.fromisoformat(time)
        return RecordTable(
            folder,
            labels=tuple(map(str, members["labels"])),
            sources={str(name): int(time) for name, time in members["sources"].items()},
            pending=pending,
            ids=set(table["id"].to_pylist()),
            _table=table,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:  # pyarrow's are of these
        raise InputError(
            "unreadable-records",
            f"{file} is not what collect writes: {error}",
            "Collect into a new folder, or remove this file.",
        ) from error


def _make_table(rows: Sequence[tuple[PictureRecord, str | None]], labels: tuple[str, ...]) -> pa.Table:
    records = [record for record, _ in rows]
    same = ("id", "request", "time", "model", "label", "confidence", "accepted", "familiar", "novelty")
    columns: Mapping[str, Iterable[object]] = {
        **{name: [getattr(record, name) for record in records] for name in same},
        "scores": [_spread(record.scores, record.labels, labels) for record in records],
        "embedding": [record.embedding for record in records],
        "photo": [photo for _, photo in rows],
        "corrected": [None] * len(rows),
        "corrected_at": [None] * len(rows),
    }
    arrays = {name: pa.array(columns[name], SCHEMA.field(name).type) for name in SCHEMA.names}
    return pa.table(arrays, SCHEMA)


def _spread(scores: Floats | Sequence[float], old: tuple[str, ...], labels: tuple[str, ...]) -> Floats:
    """Return scores in the order of other labels, NaN for those that they lack."""
    values = dict(zip(old, scores, strict=True))
    return np.array([values.get(label, np.nan) for label in labels], np.float32)
