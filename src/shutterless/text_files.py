"""Read text files that may be anything: bounded, regular, not nested too deep."""

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

# A recipe, a description or a price table is a few kilobytes.
MAX_TEXT_BYTES = 10_000_000
# A list of a million photos with long names, or the confusions of a thousand labels, is larger.
MAX_TABLE_BYTES = 300_000_000
# A mark is in the head of a page.
HEAD_BYTES = 2000
DELIMITERS = ",;\t"


def has_mark(file: Path, mark: bytes) -> bool:
    """Tell whether a text is near the beginning of a regular file that can be read."""
    try:
        return mark in read_head(file, HEAD_BYTES)
    except OSError:
        return False


def read_head(file: Path, size: int) -> bytes:
    """Return up to `size` bytes from the start of a file.

    Raises:
        OSError: It is not a regular file (reading a pipe or a device might never end), or cannot be read.
    """
    _require_regular(file)
    with file.open("rb", buffering=0) as stream:
        return stream.read(size)


def read_text(file: Path, limit: int = MAX_TEXT_BYTES) -> str:
    """Return the text of a UTF-8 file, with its line ends unchanged.

    Args:
        file: The file.
        limit: Maximum size in bytes.

    Raises:
        OSError: As `read_bytes` raises it.
        UnicodeDecodeError: It is not UTF-8.
    """
    return read_bytes(file, limit).decode("utf-8")


def read_bytes(file: Path, limit: int = MAX_TEXT_BYTES) -> bytes:
    """Return the content of a file.

    Args:
        file: The file.
        limit: Maximum size in bytes.

    Raises:
        OSError: It is not a regular file (reading a pipe or a device might never end), is larger than
            `limit`, or cannot be read.
    """
    _require_regular(file)
    with file.open("rb") as stream:
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"it has more than {limit:,} bytes", str(file))
    return data


def decode_text(data: bytes) -> str:
    """Decode a text that any spreadsheet program may have saved: in UTF-8, UTF-16 or Windows-1252.

    Raises:
        UnicodeDecodeError: It is none of them.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252")


def parse_table(text: str) -> Iterator[list[str]]:
    """Yield the cells of each row of a CSV text, with commas, semicolons or tabs: what its first row has.

    Raises:
        csv.Error: It is no such text.
    """
    import csv
    import io

    first_row = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=first_row.count)
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)


def parse_json(text: str) -> object:
    """Parse JSON; a text that is nested too deep is a ValueError, too."""
    import json

    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


def parse_toml(text: str) -> dict[str, object]:
    """Parse TOML; a text that is nested too deep is a ValueError, too."""
    import tomllib

    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


def _require_regular(file: Path) -> None:
    mode = file.stat().st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(file))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is not a regular file", str(file))
