"""Read the rows of a CSV, JSON Lines or Parquet file within bounds, whoever wrote it."""

import csv
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from shutterless.errors import DatasetError
from shutterless.text_files import MAX_TABLE_BYTES, parse_json, parse_table, read_text
from shutterless.utils.escaping import unescape_formula
from shutterless.utils.messages import quoted, shortened

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

# Column → value, for one photo; what is missing or empty is not in it.
Row = Mapping[str, str]
# A table of this many photos takes some gigabytes of memory.
MAX_ROWS = 10_000_000
# A path or a label; the names of files have at most 255 bytes, paths at most 4,096.
MAX_CELL = 5_000
PARQUET_MAGIC = b"PAR1"


def is_table(source: Path) -> bool:
    """Tell by its suffix whether a path is that of a table of photos."""
    return source.suffix.lower() in READERS and not source.is_dir()


def read_rows(file: Path, columns: Sequence[str], required: Sequence[Sequence[str]]) -> Iterator[Row]:
    """Yield the rows of a table.

    Args:
        file: The table; its suffix tells what it is.
        columns: The columns that are read; others are ignored.
        required: For each column that must be there, the names that it may have.

    Raises:
        DatasetError: The file cannot be read (`unreadable-table`), lacks a column (`missing-column`), has
            lists of labels (`multi-label`), or needs a package that is not installed (`needs-pyarrow`).
    """
    try:
        yield from READERS[file.suffix.lower()](file, columns, required)
    except (OSError, ValueError, csv.Error) as error:  # ValueError: no UTF-8, no JSON, and pyarrow's errors
        raise unreadable(file, str(error)) from error


def unreadable(file: Path, reason: str) -> DatasetError:
    """Return the error for a table that cannot be read."""
    return DatasetError(
        "unreadable-table",
        f"Cannot read the table {file}: {reason}",
        "Save it as CSV in UTF-8, with a first row of column names, or as Parquet.",
    )


def cell_text(value: object, names: Sequence[str] = ()) -> str:
    """Return the text of a cell; empty if nothing is in it.

    Args:
        value: Text, a number, or nothing. Label 3 may have been saved as 3.0, where other cells are empty.
        names: Names of labels that are saved as their indices, as Hugging Face does.

    Raises:
        ValueError: It is something else, or very long.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and 0 <= value < len(names):
        return names[value]
    if not isinstance(value, str | int | float):
        raise ValueError(f"a cell has a value of the type {type(value).__name__}, not text")
    text = str(value).strip()
    if len(text) > MAX_CELL:
        raise ValueError(f"a cell has {len(text):,} characters")
    return text


def _read_csv(file: Path, columns: Sequence[str], required: Sequence[Sequence[str]]) -> Iterator[Row]:
    reader = parse_table(read_text(file, MAX_TABLE_BYTES).removeprefix("\ufeff"))
    header = [name.strip().lower() for name in next(reader, [])]
    _require_columns(file, header, required)
    for number, cells in enumerate(reader, start=2):
        if len(cells) > len(header):
            raise ValueError(f"row {number:,} has {len(cells)} cells, more than the first one")
        texts = (cell_text(unescape_formula(cell)) for cell in cells)
        row = {name: text for name, text in zip(header, texts, strict=False) if text and name in columns}
        if row:
            yield row


def _read_json_lines(file: Path, columns: Sequence[str], required: Sequence[Sequence[str]]) -> Iterator[Row]:
    for number, line in enumerate(read_text(file, MAX_TABLE_BYTES).removeprefix("\ufeff").splitlines(), 1):
        if not line.strip():
            continue
        record = parse_json(line)
        if not isinstance(record, dict):
            raise ValueError(f"line {number:,} is not a JSON object")
        if number == 1:
            _require_columns(file, list(record), required)
        if any(isinstance(record.get(name), list) for name in columns):
            raise multi_label(file, json.dumps(record)[:200])
        row = {name: text for name in columns if (text := cell_text(record.get(name)))}
        if row:
            yield row


def _read_parquet(file: Path, columns: Sequence[str], required: Sequence[Sequence[str]]) -> Iterator[Row]:
    try:
        import pyarrow.parquet as pq
    except ImportError as error:
        raise DatasetError(
            "needs-pyarrow",
            f"Reading {file} needs pyarrow, which is not installed",
            "pip install 'shutterless[parquet]', or save the table as CSV.",
        ) from error
    schema = pq.read_schema(file)
    _require_columns(file, schema.names, required)
    names = [name for name in columns if name in schema.names]
    _require_text_columns(file, schema, names)
    # As dictionaries, a text that a million rows share is in memory once.
    with pq.ParquetFile(file, read_dictionary=names) as table:
        _require_moderate_size(table, names)
        labels = _class_names(schema)
        for batch in table.iter_batches(columns=names):
            cells = [_texts(batch.column(name), labels if name == "label" else ()) for name in names]
            for values in zip(*cells, strict=True):
                row = {name: text for name, text in zip(names, values, strict=True) if text}
                if row:
                    yield row


READERS: dict[str, Callable[[Path, Sequence[str], Sequence[Sequence[str]]], Iterator[Row]]] = {
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".jsonl": _read_json_lines,
    ".parquet": _read_parquet,
}


def _require_columns(file: Path, names: Sequence[str], required: Sequence[Sequence[str]]) -> None:
    for alternatives in required:
        if not set(alternatives) & set(names):
            raise DatasetError(
                "missing-column",
                f"{file} has no column {' or '.join(alternatives)}; it has {shortened(names, 10)}",
                "A table of photos has the columns path (or file_name) and label; split and group are "
                "optional.",
            )
    if repeated := {name for name in names if name and names.count(name) > 1}:
        raise ValueError(f"it has {quoted(repeated)} more than once")


def multi_label(file: Path, example: str) -> DatasetError:
    """Return the error for photos that have lists of labels."""
    return DatasetError(
        "multi-label",
        f"{file} gives a photo a list of labels: {example}",
        "Each photo has exactly one label: choose one for each, or leave the photo out.",
    )


def _require_text_columns(file: Path, schema: "pa.Schema", names: Sequence[str]) -> None:
    from pyarrow import types

    for name in names:
        kind = schema.field(name).type
        kind = kind.value_type if types.is_dictionary(kind) else kind
        if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
            raise multi_label(file, f"the column {name} has the type {kind}")
        texts = types.is_string(kind) or types.is_large_string(kind) or types.is_null(kind)
        if not (texts or types.is_integer(kind) or types.is_floating(kind)):
            raise ValueError(f"the column {name} has the type {kind}, not text")


def _require_moderate_size(table: "pq.ParquetFile", names: Sequence[str]) -> None:
    """Refuse a table that would unpack to more than one of a million photos needs."""
    metadata = table.metadata
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    chunks = (group.column(index) for group in groups for index in range(group.num_columns))
    size = sum(chunk.total_uncompressed_size for chunk in chunks if chunk.path_in_schema in names)
    if metadata.num_rows > MAX_ROWS or size > MAX_TABLE_BYTES:
        raise ValueError(f"it has {metadata.num_rows:,} rows and unpacks to {size:,} bytes")


def _texts(column: "pa.Array", names: Sequence[str]) -> Iterator[str]:
    """Yield the texts of a column; each text of a dictionary is made once."""
    import pyarrow as pa

    if isinstance(column, pa.DictionaryArray):
        texts = [cell_text(value, names) for value in column.dictionary.to_pylist()]
        return ("" if index is None else texts[index] for index in column.indices.to_pylist())
    return (cell_text(value, names) for value in column.to_pylist())


def _class_names(schema: "pa.Schema") -> list[str]:
    """Return the names of labels that Hugging Face's `datasets` saves as their indices; or none."""
    try:
        features = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        names = features["info"]["features"]["label"]["names"]
        return [str(name) for name in names]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []
