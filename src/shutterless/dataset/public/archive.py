"""Take photos out of a .tar.gz that a stranger may have made.

Of the tar format only the plain headers of POSIX.1-1988 (ustar) are read, which hold every name that is
wanted. The extended headers that `tarfile` would also read are skipped: parsing a hostile one can take
minutes, or end in any exception.
"""

import gzip
import re
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from shutterless.errors import DatasetError, ShutterlessError

# What is taken out of the archive's one folder; what is named otherwise stays in it.
WANTED = re.compile(r"(train|validation|test)/[a-z][a-z-]*/[A-Za-z0-9_-]+\.jpg|LICENSE")
# Entries, and unpacked bytes, headers included: three times what the clothing photos have.
MOST_ENTRIES = 12_000
MOST_BYTES = 350_000_000
# A single photo.
MOST_FILE_BYTES = 20_000_000
BLOCK = 512
FILES, FOLDERS, EXTENSIONS = b"0\0", b"5", b"gx"


class Entry(NamedTuple):
    """What a header says: the entry's name, its type as a letter, and the size of its content in bytes."""

    name: str
    kind: bytes
    size: int


def unpack(archive: Path, folder: Path) -> None:
    """Unpack the photos of an archive of a Git repository into `folder`, without its outermost folder.

    Only plain files with the names of photos and the licence are written, so no entry can leave the
    folder, be a link or a device, or be written twice.

    Raises ShutterlessError if an entry tries to, if the archive is larger than permitted, or damaged.
    OSError if `folder` cannot be written.
    """
    try:
        with gzip.open(archive) as stream:
            content = _Content(stream)
            for number, entry in enumerate(_entries(content)):
                if number >= MOST_ENTRIES:
                    raise _refusal(f"it has more than {MOST_ENTRIES:,} entries")
                _take(entry, content, folder)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise _refusal(f"it is damaged: {error}") from error


class _Content:
    """The unpacked bytes, until there are too many: whatever an entry or a header says of its size."""

    def __init__(self, stream: gzip.GzipFile) -> None:
        self._stream = stream
        self._left = MOST_BYTES

    def read(self, size: int) -> bytes:
        """Return `size` bytes; raises ShutterlessError once all together are too many, or EOFError."""
        self._left -= size
        if self._left < 0:
            raise _refusal(f"it unpacks to more than {MOST_BYTES:,} bytes")
        data = self._stream.read(size)
        if len(data) < size:
            raise EOFError("it ends too early")
        return data

    def skip(self, size: int) -> None:
        """Pass over `size` bytes."""
        while size > 0:
            size -= len(self.read(min(size, 1 << 20)))


def _entries(content: _Content) -> Iterator[Entry]:
    """Yield the entries until the empty block that ends an archive."""
    while (header := content.read(BLOCK)) != bytes(BLOCK):
        yield _parse(header)


def _parse(header: bytes) -> Entry:
    """Read a header block; source: POSIX.1-1988, the ustar interchange format."""
    unsigned = sum(header) - sum(header[148:156]) + 8 * ord(" ")
    if _octal(header[148:156]) != unsigned:
        raise _refusal("it is damaged: a header's checksum is wrong")
    prefix = _text(header[345:500]) if header[257:263] == b"ustar\0" else ""
    return Entry(
        "/".join(filter(None, (prefix, _text(header[:100])))), header[156:157], _octal(header[124:136])
    )


def _octal(field: bytes) -> int:
    digits = field.strip(b"\0 ")
    if not re.fullmatch(rb"[0-7]{1,12}", digits):
        raise _refusal("it is damaged: a header has no valid number")
    return int(digits, 8)


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "replace")


def _take(entry: Entry, content: _Content, folder: Path) -> None:
    """Write the entry's content to its place, or pass over it."""
    path = PurePosixPath(entry.name)
    inner = "/".join(path.parts[1:])
    _check(entry, path)
    padded = -(-entry.size // BLOCK) * BLOCK
    if entry.kind not in FILES or not WANTED.fullmatch(inner):
        content.skip(padded)
        return
    target = folder / inner
    if target.exists():
        raise _refusal(f"it has an entry twice: {entry.name!r}")
    if entry.size > MOST_FILE_BYTES:
        raise _refusal(f"it has a photo of more than {MOST_FILE_BYTES:,} bytes: {entry.name!r}")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content.read(padded)[: entry.size])


def _check(entry: Entry, path: PurePosixPath) -> None:
    if entry.kind in EXTENSIONS:
        return
    if entry.kind not in FILES + FOLDERS:
        raise _refusal(f"it has an entry that is no plain file: {entry.name!r}")
    if path.is_absolute() or ".." in path.parts:
        raise _refusal(f"it would write outside its folder: {entry.name!r}")


def _refusal(reason: str) -> ShutterlessError:
    return DatasetError(
        "archive-refused",
        f"The archive is refused: {reason}",
        "It is not what was published. Run it again; if it fails again, check the network in between.",
    )
