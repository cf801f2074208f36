"""Take photos out of a .tar.gz that a stranger may have made."""

import gzip
import re
import tarfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO, cast

from shutterless.errors import ShutterlessError

# What is taken out of the archive's one folder; what is named otherwise stays in it.
WANTED = re.compile(r"(train|validation|test)/[a-z][a-z-]*/[A-Za-z0-9_-]+\.jpg|LICENSE")
# Entries, and unpacked bytes, headers included: three times what the clothing photos have.
MOST_ENTRIES = 12_000
MOST_BYTES = 350_000_000


def unpack(archive: Path, folder: Path) -> None:
    """Unpack the photos of an archive of a Git repository into `folder`, without its outermost folder.

    Only plain files with the names of photos and the licence are written, so no entry can leave the
    folder, be a link or a device, or be written twice.

    Raises ShutterlessError if an entry tries to, if the archive is larger than permitted, or damaged.
    OSError if `folder` cannot be written.
    """
    try:
        with gzip.open(archive) as unzipped:
            limited = cast(IO[bytes], _Limited(unzipped))  # tarfile only reads it
            with tarfile.open(fileobj=limited, mode="r|") as entries:
                for number, entry in enumerate(entries):
                    if number >= MOST_ENTRIES:
                        raise _refusal(f"it has more than {MOST_ENTRIES:,} entries")
                    _take(entries, entry, folder)
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise _refusal(f"it is damaged: {error}") from error


def _take(entries: tarfile.TarFile, entry: tarfile.TarInfo, folder: Path) -> None:
    path = PurePosixPath(entry.name)
    if path.is_absolute() or ".." in path.parts:
        raise _refusal(f"it would write outside its folder: {entry.name!r}")
    if entry.isdir():
        return
    if not entry.isreg() or entry.issparse():
        raise _refusal(f"it has an entry that is no plain file: {entry.name!r}")
    inner = "/".join(path.parts[1:])
    if not WANTED.fullmatch(inner):
        return
    target = folder / inner
    if target.exists():
        raise _refusal(f"it has an entry twice: {entry.name!r}")
    content = entries.extractfile(entry)
    assert content is not None  # it is a plain file
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content.read())


class _Limited:
    """Bytes to read, until there are too many: whatever an entry or a header says of its size."""

    def __init__(self, stream: gzip.GzipFile) -> None:
        self._stream = stream
        self._left = MOST_BYTES

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes; raises ShutterlessError once all together are too many."""
        self._left -= size
        if self._left < 0:
            raise _refusal(f"it unpacks to more than {MOST_BYTES:,} bytes")
        return self._stream.read(size)


def _refusal(reason: str) -> ShutterlessError:
    return ShutterlessError(
        f"The archive is refused: {reason}",
        "It is not what was published: run it again, and look at the network in between if it stays so.",
    )
