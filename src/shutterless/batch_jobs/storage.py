"""The output of a batch job: a folder or a prefix of S3, whose files appear complete or not at all."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.utils import parsedate_to_datetime
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Protocol

from shutterless.artifacts.lock import LOCK, locked
from shutterless.batch_jobs.s3 import file_system, list_pages, s3_errors, split_url
from shutterless.errors import InputError, OutputError
from shutterless.files import atomic_file, ensure_writable, entries
from shutterless.sources import S3

# A lock in S3 is renewed while its job runs, and counts no longer when it has not been for so long.
LEASE_SECONDS, RENEWAL_SECONDS = 30.0, 10.0
SECONDS_BETWEEN_CHECKS = 2.0
S3_LOCK = "_lock"


class Storage(Protocol):
    """Where the files of a job are."""

    def names(self) -> set[str]:
        """Return the names of the files."""

    def open(self, name: str) -> BinaryIO:
        """Open a file to read it."""

    def write(self, name: str, content: bytes) -> None:
        """Write a file, complete or not at all; raises OutputError (`cannot-write`)."""

    def locked(self, on_note: Callable[[str], None]) -> Any:
        """Return a context in which no other job writes; raises OutputError (`batch-in-progress`)."""


def open_storage(output: str) -> Storage:
    """Return the storage of an output: a folder, or s3://bucket/prefix.

    Raises:
        InputError: The URL has no bucket.
        OutputError: The folder cannot be written (`cannot-write`).
    """
    return Bucket(output) if output.startswith(S3) else Folder(Path(output))


def _in_progress(output: object, process: str = "") -> OutputError:
    by = f" (process {process})" if process else ""
    return OutputError(
        "batch-in-progress",
        f"Another batch job is writing to {output}{by}",
        "Wait until it ends, stop it, or choose another output.",
    )


class Folder:
    """A folder on this machine, or on a disk that it shares."""

    def __init__(self, folder: Path) -> None:
        ensure_writable(folder)
        self._folder = folder

    def names(self) -> set[str]:
        """Return the names of the files, without the lock and what a killed process left behind."""
        return entries(self._folder) - {LOCK} if self._folder.is_dir() else set()

    def open(self, name: str) -> BinaryIO:
        """Open a file to read it."""
        return (self._folder / name).open("rb")

    def write(self, name: str, content: bytes) -> None:
        """Write a file beside its name and rename it."""
        with atomic_file(self._folder / name) as draft:
            draft.write_bytes(content)

    def locked(self, on_note: Callable[[str], None]) -> Any:
        """Return a context that holds a lock of the operating system."""
        return locked(self._folder, _in_progress)


class Bucket:
    """A prefix of S3. An object appears when it has arrived completely."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/") + "/"
        self._bucket, self._prefix = split_url(self._url)
        self._files = file_system()

    def names(self) -> set[str]:
        """Return the names of the objects, without the lock."""
        pages = list_pages(self._url)
        return {entry["Key"].removeprefix(self._prefix) for page in pages for entry in page} - {S3_LOCK, ""}

    def open(self, name: str) -> BinaryIO:
        """Read an object into memory."""
        with s3_errors(self._url):
            return BytesIO(self._files.cat_file(self._path(name)))

    def write(self, name: str, content: bytes) -> None:
        """Write an object."""
        try:
            with s3_errors(self._url):
                self._files.pipe_file(self._path(name), content)
        except InputError as error:
            raise OutputError("cannot-write", error.message, error.hint) from error

    @contextmanager
    def locked(self, on_note: Callable[[str], None]) -> Iterator[None]:
        """Hold a lock object, which is renewed while the block runs."""
        self._acquire(on_note)
        is_over = threading.Event()

        def renew() -> None:
            while not is_over.wait(RENEWAL_SECONDS):
                with suppress(OutputError):
                    self.write(S3_LOCK, _new_token())

        thread = threading.Thread(target=renew, daemon=True)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()
            self._remove_lock()

    def _acquire(self, on_note: Callable[[str], None]) -> None:
        """Write the lock object if there is none, or none that is renewed."""
        first = self._read_lock()
        if first and first.age < LEASE_SECONDS:
            on_note(f"Waiting up to {LEASE_SECONDS:.0f} s to see whether another job is running")
            while (lock := self._read_lock()) and lock.age < LEASE_SECONDS:
                if lock.tag != first.tag:
                    raise _in_progress(self._url)
                time.sleep(SECONDS_BETWEEN_CHECKS)
        if first:
            self._remove_lock()
        try:
            with s3_errors(self._url):
                self._files.pipe_file(self._path(S3_LOCK), _new_token(), mode="create")
        except InputError as error:
            if isinstance(error.__cause__, FileExistsError):
                raise _in_progress(self._url) from error
            raise OutputError("cannot-write", error.message, error.hint) from error

    def _read_lock(self) -> "_Lock | None":
        try:
            with s3_errors(self._url):
                key = f"{self._prefix}{S3_LOCK}"
                answer = self._files.call_s3("head_object", Bucket=self._bucket, Key=key)
        except InputError as error:
            if error.code == "not-found":
                return None
            raise
        now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
        return _Lock(answer["ETag"], (now - answer["LastModified"]).total_seconds())

    def _remove_lock(self) -> None:
        with suppress(Exception):  # it counts no longer in a moment
            self._files.rm_file(self._path(S3_LOCK))

    def _path(self, name: str) -> str:
        return f"{self._bucket}/{self._prefix}{name}"


class _Lock(NamedTuple):
    """A lock object: its version, and the seconds since it was written, by the clock of S3."""

    tag: str
    age: float


def _new_token() -> bytes:
    return os.urandom(8).hex().encode()
