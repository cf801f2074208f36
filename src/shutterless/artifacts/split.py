"""Read and write split.csv: the photos of a run, with label, split, group and hash."""

import csv
import io
import re
from dataclasses import astuple
from pathlib import Path, PurePosixPath, PureWindowsPath

from shutterless.dataset.types import SPLITS, Dataset, Photo
from shutterless.errors import RunError
from shutterless.files import atomic_file
from shutterless.text_files import MAX_TABLE_BYTES, read_text
from shutterless.utils.escaping import escape_formula, unescape_formula

COLUMNS = ("path", "label", "split", "group", "sha256")
# The columns of earlier versions. The label is empty for photos in `_other`, which fit none.
FIRST_COLUMNS = COLUMNS[:3]
SHA256 = re.compile("[0-9a-f]{64}")


def write_split(dataset: Dataset, file: Path) -> None:
    """Write the photos of a data set as CSV.

    Raises:
        OutputError: The file cannot be written (`cannot-write`).
    """
    with atomic_file(file) as draft, draft.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(map(escape_formula, astuple(photo)) for photo in (*dataset.photos, *dataset.other))


def read_split(file: Path) -> tuple[Photo, ...]:
    """Return the photos in split.csv, in their order; those in `_other` have no label.

    Raises:
        RunError: The file is missing or malformed, or a photo's path is absolute or contains "..", by which
            files outside the data set could be read (`unreadable-split`).
    """
    try:
        text = io.StringIO(read_text(file, MAX_TABLE_BYTES), newline="")
        header, *rows = list(csv.reader(text, strict=True)) or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _unreadable(file, str(error)) from error
    if tuple(header) not in (COLUMNS, FIRST_COLUMNS):
        raise _unreadable(file, f"its first line is not {','.join(COLUMNS)}")
    return tuple(_parse_photo(file, number, header, row) for number, row in enumerate(rows, start=2))


def _parse_photo(file: Path, number: int, columns: list[str], row: list[str]) -> Photo:
    if len(row) != len(columns) or not (row[0] and row[2]):
        raise _unreadable(file, f"row {number} does not have the fields {', '.join(columns)}")
    photo = Photo(*map(unescape_formula, row))
    if photo.sha256 and not SHA256.fullmatch(photo.sha256):
        raise _unreadable(file, f"the SHA-256 in row {number} is not 64 hex digits: {photo.sha256[:80]}")
    if photo.split not in SPLITS:
        raise _unreadable(
            file, f"the split '{photo.split}' in row {number} is not one of {', '.join(SPLITS)}"
        )
    if leads_outside(photo.path):
        raise _unreadable(file, f"the path in row {number} is outside the data set: {photo.path}")
    return photo


def leads_outside(path: str) -> bool:
    """Tell whether a path may lead out of the folder that it is relative to, also on Windows."""
    posix, windows = PurePosixPath(path), PureWindowsPath(path)  # the latter has drives and backslashes
    return ".." in {*posix.parts, *windows.parts} or posix.is_absolute() or bool(windows.anchor)


def _unreadable(file: Path, reason: str) -> RunError:
    return RunError(
        "unreadable-split",
        f"Cannot read the split in {file}: {reason}",
        "Restore the file from the run that wrote it.",
    )
