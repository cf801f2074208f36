"""split.csv: the photos of a run, with the label, split, group and hash of each."""

import csv
import io
import re
from dataclasses import astuple
from pathlib import Path, PurePosixPath, PureWindowsPath

from shutterless.dataset.types import SPLITS, Dataset, Photo
from shutterless.errors import RunError, ShutterlessError
from shutterless.files import MAX_TABLE_BYTES, atomic_file, read_text

COLUMNS = ("path", "label", "split", "group", "sha256")
# The columns of earlier versions, and the fields that may not be empty.
REQUIRED = COLUMNS[:3]
SHA256 = re.compile("[0-9a-f]{64}")


def write_split(dataset: Dataset, file: Path) -> None:
    """Write the data set's photos as CSV with the columns of `COLUMNS`.

    Raises ShutterlessError if the file cannot be written; nothing half-written is left.
    """
    with atomic_file(file) as draft, draft.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(astuple(photo) for photo in dataset.photos)


def read_split(file: Path) -> tuple[Photo, ...]:
    """Return the photos that `write_split` recorded, in the file's order.

    Raises ShutterlessError if the file is missing or malformed, or if a photo's path is absolute or
    climbs with "..": such a path would read files outside the data set.
    """
    try:
        text = io.StringIO(read_text(file, MAX_TABLE_BYTES), newline="")
        header, *rows = list(csv.reader(text, strict=True)) or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _malformed(file, str(error)) from error
    if tuple(header) not in (COLUMNS, REQUIRED):
        raise _malformed(file, f"its first line is not {','.join(COLUMNS)}")
    return tuple(_photo(file, number, header, row) for number, row in enumerate(rows, start=2))


def _photo(file: Path, number: int, columns: list[str], row: list[str]) -> Photo:
    if len(row) != len(columns) or not all(row[: len(REQUIRED)]):
        raise _malformed(file, f"row {number} does not have the fields {', '.join(columns)}")
    photo = Photo(*row)
    if photo.sha256 and not SHA256.fullmatch(photo.sha256):
        raise _malformed(file, f"row {number} has no SHA-256 in hex: {photo.sha256[:80]}")
    if photo.split not in SPLITS:
        raise _malformed(
            file, f"row {number} names the split '{photo.split}', not one of {', '.join(SPLITS)}"
        )
    # Read as a Windows path too, which knows drive letters and backslashes as separators.
    parts = {*PurePosixPath(photo.path).parts, *PureWindowsPath(photo.path).parts}
    if ".." in parts or PurePosixPath(photo.path).is_absolute() or PureWindowsPath(photo.path).anchor:
        raise _malformed(file, f"row {number} leads outside the data set: {photo.path}")
    return photo


def _malformed(file: Path, reason: str) -> ShutterlessError:
    return RunError(
        "unreadable-split",
        f"Cannot read the split in {file}: {reason}",
        "Restore the file from the run that wrote it.",
    )
