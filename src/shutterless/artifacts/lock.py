"""Lock a folder, so that only one process at a time writes to it, such as one training to its run."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from shutterless.errors import RunError, ShutterlessError, cannot_write

LOCK = ".lock"
# Not through a link: a folder from a stranger may have one to a file of yours.
OPEN_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)


def training_in_progress(run: Path, process: str) -> RunError:
    """Return the error for a run folder that another training has locked."""
    return RunError(
        "training-in-progress",
        f"Another training is running in {run} (process {process})",
        "Wait until it ends, stop it, or choose another folder.",
    )


@contextmanager
def locked(
    folder: Path, in_use: Callable[[Path, str], ShutterlessError] = training_in_progress
) -> Iterator[None]:
    """Lock a folder, which is created if it does not exist, while the block runs.

    The operating system holds the lock and releases it when the process ends, however it ends, so a lock
    file that `kill -9` leaves behind locks nothing. A new folder that is still empty at the end is removed.

    Args:
        folder: The folder, such as that of a run.
        in_use: Returns the error for a folder that another process has locked, from the folder and the
            process's number.

    Raises:
        ShutterlessError: Another process has locked the folder; by default a RunError
            (`training-in-progress`).
        OutputError: The folder cannot be written (`cannot-write`).
    """
    new_folders = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        stream = _lock(folder, in_use)
    except OSError as error:
        raise cannot_write(folder, error) from error
    try:
        yield
    finally:
        with suppress(OSError):  # Windows does not remove open files
            (folder / LOCK).unlink()
        stream.close()
        with suppress(OSError):  # not empty: something was written
            for each in new_folders:
                each.rmdir()


def _lock(folder: Path, in_use: Callable[[Path, str], ShutterlessError]) -> BinaryIO:
    """Return the locked lock file, opened again if another process removed it before it was locked."""
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        stream = os.fdopen(os.open(folder / LOCK, OPEN_FLAGS, 0o666), "a+b")
        try:
            _lock_file(stream)
        except BlockingIOError:
            stream.seek(0)
            process = stream.read(20).decode(errors="replace")
            stream.close()
            raise in_use(folder, process) from None
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(stream.fileno()), (folder / LOCK).stat()):
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
            # Some network file systems have no locks; work there must still be possible.
            if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
                raise
