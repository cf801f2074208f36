"""Unpack photos from a .tar.gz that may be hostile.

The headers are read by `tarfile`, but extended headers are skipped: they hold no name that is wanted, and
before Python 3.13 parsing a hostile one can take minutes or exhaust the stack. Files are written by their
names alone, which must match a strict pattern, so that nothing of what `tarfile`'s data filter refuses
(which Python 3.11.2 does not have) can happen.
"""

import gzip
import re
import tarfile
import zlib
from pathlib import Path, PurePosixPath

from shutterless.errors import DatasetError

# What is unpacked from the archive's outermost folder; everything else is skipped.
WANTED = re.compile(r"(train|validation|test)/[a-z][a-z-]*/[A-Za-z0-9_-]+\.jpg|LICENSE")
# Entries, and unpacked bytes with headers: three times those of the clothing photos.
MAX_ENTRIES = 12_000
MAX_BYTES = 350_000_000
# Of a single photo.
MAX_FILE_BYTES = 20_000_000
EXTENSIONS = (tarfile.XHDTYPE, tarfile.XGLTYPE)
FILES = (tarfile.REGTYPE, tarfile.AREGTYPE)


def unpack(archive: Path, folder: Path) -> None:
    """Unpack the photos of an archive of a Git repository, without its outermost folder.

    Args:
        archive: A .tar.gz file.
        folder: Where the photos and the licence are written.

    Raises:
        DatasetError: The archive is damaged, too large, or has entries that are links or devices, would
            be written outside the folder, or occur twice (`archive-refused`).
        OSError: `folder` cannot be written.
    """
    try:
        with (
            _LimitedGzipFile(archive) as stream,
            tarfile.open(fileobj=stream, mode="r|", tarinfo=_Entry) as entries,
        ):
            for number, entry in enumerate(entries):
                if number >= MAX_ENTRIES:
                    raise _refusal(f"it has more than {MAX_ENTRIES:,} entries")
                if (name := _wanted_name(entry)) and (content := entries.extractfile(entry)):
                    _write(folder / name, content.read())
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise _refusal(f"it is damaged: {error}") from error


class _LimitedGzipFile(gzip.GzipFile):
    """The unpacked bytes, until there are too many: headers may say anything about their size."""

    total = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.total += len(data)
        if self.total > MAX_BYTES:
            raise _refusal(f"it unpacks to more than {MAX_BYTES:,} bytes")
        return data


class _Entry(tarfile.TarInfo):
    """An entry by its own header: an extended header before it is an entry, too, and changes nothing."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:  # which tarfile calls to be replaced
        if not 0 <= self.size <= MAX_BYTES:  # tarfile would skip back, or forward for ever
            raise _refusal(f"it is damaged: an entry of {self.size:,} bytes")
        return self._proc_builtin(archive)  # type: ignore[attr-defined]


def _wanted_name(entry: tarfile.TarInfo) -> str:
    """Return the path of a file to write, relative to the folder; empty for an entry to skip."""
    if entry.type in EXTENSIONS:
        return ""
    if entry.type not in FILES and not entry.isdir():
        raise _refusal(f"it has an entry that is no plain file: {entry.name!r}")
    path = PurePosixPath(entry.name)
    if path.is_absolute() or ".." in path.parts:
        raise _refusal(f"it would write outside its folder: {entry.name!r}")
    name = "/".join(path.parts[1:])
    if entry.isdir() or not WANTED.fullmatch(name):
        return ""
    if entry.size > MAX_FILE_BYTES:
        raise _refusal(f"it has a photo of more than {MAX_FILE_BYTES:,} bytes: {entry.name!r}")
    return name


def _write(file: Path, content: bytes) -> None:
    if file.exists():
        raise _refusal(f"it has an entry twice: {file.name!r}")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def _refusal(reason: str) -> DatasetError:
    return DatasetError(
        "archive-refused",
        f"The archive is refused: {reason}",
        "It is not what was published. Run it again; if it fails again, check the network in between.",
    )
