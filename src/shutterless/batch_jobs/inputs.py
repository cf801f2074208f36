"""The photos of a batch job: from folders, lists, tables, URLs and S3."""

import posixpath
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from shutterless.batch_jobs.worker.reading import FILE, is_remote
from shutterless.dataset.formats import SUFFIXES
from shutterless.dataset.layout import find_pictures
from shutterless.dataset.sources.rows import MAX_CELL, is_table, read_rows
from shutterless.errors import DatasetError, InputError
from shutterless.sources import S3, is_url
from shutterless.text_files import MAX_TABLE_BYTES, decode_text, read_bytes

# Columns that may have the photos, if none is named.
COLUMNS = ("path", "file_name", "uri", "url")


def list_uris(
    inputs: Sequence[str], column: str = "", on_note: Callable[[str], None] = lambda note: None
) -> Iterator[str]:
    """Yield the path or URL of every photo, in no order and possibly more than once.

    Paths are absolute, so that every worker finds them. A name that is not valid UTF-8 becomes a file URL.

    Args:
        inputs: Folders, photos, URLs, lists (one path or URL per line), tables (CSV, JSON Lines, Parquet),
            and prefixes of S3. Paths in a list or table are relative to its folder.
        column: The column of a table that has the photos; by default the first of `COLUMNS` that it has.
        on_note: Called with what is left out of a folder.

    Raises:
        InputError: There is no such input (`not-found`), it is empty (`no-pictures`), or cannot be read.
        DatasetError: A table cannot be read, or lacks the column.
    """
    for source in inputs:
        is_empty = True
        for uri in _expand(source, column, on_note):
            is_empty = False
            yield uri
        if is_empty:
            raise InputError(
                "no-pictures",
                f"There are no photos in {source or 'an empty name'}",
                "Give a folder, a list, a table, URLs or a prefix of S3.",
            )


def _expand(source: str, column: str, on_note: Callable[[str], None]) -> Iterable[str]:
    path = Path(source)
    if is_url(source):
        return [source]
    if source.startswith(S3):
        from shutterless.batch_jobs.s3 import list_objects

        return list_objects(source)
    if not source or not path.exists():
        raise InputError(
            "not-found", f"There is no input {source}", "Give a folder, a list, a table or URLs."
        )
    if path.is_dir():
        return _list_folder(path, on_note)
    if path.suffix.lower() in SUFFIXES:
        return [_as_uri(source, str(Path.cwd()))]
    names = _read_table(path, column) if is_table(path) else _read_list(path)
    folder = str(Path.cwd() / path.parent)
    return (name if is_remote(name) or name.startswith(FILE) else _as_uri(name, folder) for name in names)


def _list_folder(folder: Path, on_note: Callable[[str], None]) -> Iterator[str]:
    pictures, left_out = find_pictures(folder)
    for reason in left_out:
        on_note(f"{folder}: {reason}")
    return (_as_uri(str(picture), str(Path.cwd())) for picture in pictures)


def _read_list(file: Path) -> Iterator[str]:
    """Yield the lines of a list that are not empty."""
    try:
        text = decode_text(read_bytes(file, MAX_TABLE_BYTES))
    except (OSError, ValueError) as error:
        raise _unreadable_list(file, str(error)) from error
    for number, line in enumerate(text.splitlines(), start=1):
        if "\0" in line or len(line) > MAX_CELL:
            raise _unreadable_list(file, f"line {number:,} is not a path or URL")
        if line.strip():
            yield line.strip()


def _unreadable_list(file: Path, reason: str) -> InputError:
    return InputError(
        "unreadable-list",
        f"Cannot read the list {file}: {reason}",
        "Give a text file with one path or URL per line, or a table (.csv, .jsonl, .parquet).",
    )


def _read_table(file: Path, column: str) -> Iterator[str]:
    columns = (column,) if column else COLUMNS
    try:
        for row in read_rows(file, columns, (columns,)):
            yield next(row[name] for name in columns if name in row)
    except DatasetError as error:
        if error.code != "missing-column":
            raise
        hint = "Name the column with the paths or URLs: --column NAME."
        raise DatasetError("missing-column", error.message, hint) from error


def _as_uri(path: str, folder: str) -> str:
    """Return an absolute path, or a file URL if it is not valid UTF-8; links are not followed."""
    absolute = posixpath.normpath(posixpath.join(folder, path))
    try:
        absolute.encode()
    except UnicodeEncodeError:
        return Path(absolute).as_uri()
    return absolute
