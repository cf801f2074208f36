"""Lock a run folder, so that only one training at a time runs in it."""

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
    """Lock a run folder, which is created if it does not exist, while the block runs.

    The operating system holds the lock and releases it when the process ends, however it ends, so a lock
    file that `kill -9` leaves behind locks nothing. A new folder that is still empty at the end is removed.

    Args:
        run: The run folder.

    Raises:
        RunError: Another training is running in the folder (`training-in-progress`).
        OutputError: The folder cannot be written (`cannot-write`).
    """
    new_folders = [folder for folder in (run, *run.parents) if not folder.exists()]
    try:
        stream = _lock(run)
    except OSError as error:
        raise cannot_write(run, error) from error
    try:
        yield
    finally:
        with suppress(OSError):  # Windows does not remove open files
            (run / LOCK).unlink()
        stream.close()
        with suppress(OSError):  # not empty: something was trained
            for folder in new_folders:
                folder.rmdir()


def _lock(run: Path) -> BinaryIO:
    """Return the locked lock file, opened again if another training removed it before it was locked."""
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
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(stream.fileno()), (run / LOCK).stat()):
                stream.truncate(0)
                stream.write(str(os.getpid()).encode())
                stream.flush()
                return stream
        stream.close()


if sys.platform == "win32":
    import msvcrt

    def _lock_file(stream: BinaryIO) -> None:
        stream.seek(1 << 30)  # a byte that nobody reads: on Windows, a locked range cannot be read
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
            # Some network file systems have no locks; training there must still be possible.
            if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
                raise
