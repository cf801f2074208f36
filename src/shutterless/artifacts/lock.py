"""One training at a time in a run folder."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from shutterless.errors import RunError, cannot_write

LOCK = ".lock"


@contextmanager
def locked(run: Path) -> Iterator[None]:
    """Keep other trainings out of the run folder, which is created if it does not exist.

    The operating system holds the lock and releases it when its process ends, however it ends: a lock
    file that `kill -9` leaves behind locks nothing. A folder that is still empty at the end is removed.

    Raises:
        ShutterlessError: Another training is running in the folder, or it cannot be written to.
    """
    created = [folder for folder in (run, *run.parents) if not folder.exists()]
    try:
        stream = _lock(run)
    except OSError as error:
        raise cannot_write(run, error) from error
    try:
        yield
    finally:
        with suppress(OSError):  # Windows removes no open file
            (run / LOCK).unlink()
        stream.close()
        with suppress(OSError):  # not empty: something was trained
            for folder in created:
                folder.rmdir()


def _lock(run: Path) -> BinaryIO:
    """Return the lock file, locked; another training may remove it between its opening and its locking."""
    while True:
        run.mkdir(parents=True, exist_ok=True)
        stream = (run / LOCK).open("a+b")
        try:
            _lock_file(stream)
        except BlockingIOError:
            stream.seek(0)
            process = stream.read(20).decode(errors="replace")
            stream.close()
            raise RunError(
                "training-in-progress",
                f"Another training is running in {run} (process {process})",
                "Wait until it ends, stop it, or choose another folder.",
            ) from None
        if _is_at(stream, run / LOCK):
            stream.truncate(0)
            stream.write(str(os.getpid()).encode())
            stream.flush()
            return stream
        stream.close()


def _is_at(stream: BinaryIO, file: Path) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(stream.fileno()), file.stat())
    return False


if sys.platform == "win32":
    import msvcrt

    def _lock_file(stream: BinaryIO) -> None:
        stream.seek(1 << 30)  # a byte that nobody reads: Windows bars a locked range from being read
        try:
            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError as error:
            raise BlockingIOError from error

else:
    import errno
    import fcntl

    def _lock_file(stream: BinaryIO) -> None:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            # Some network file systems know no locks; training there must still be possible.
            if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
                raise
