"""Read photos from files, URLs and S3, several at the same time but few from one host."""

import errno
import os
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from queue import Queue
from threading import Condition, Thread
from urllib.parse import unquote_to_bytes, urlsplit

from shutterless.batch_jobs.options import BatchOptions
from shutterless.runtime.image.limits import MAX_BYTES
from shutterless.runtime.problems import Problem
from shutterless.sources import S3, is_url
from shutterless.text_files import read_bytes

READ_THREADS = 16  # for URLs and S3
FILE_THREADS = 2  # one reads from the disk while the other waits for the photo before it
FILE = "file://"

# The content of a photo's file, or the code of the error.
Content = bytes | str


def read_photos(uris: Sequence[str], options: BatchOptions) -> Iterator[tuple[int, Content]]:
    """Yield the index and content of each photo, as they arrive.

    Args:
        uris: Paths, http, https, s3 and file URLs.
        options: Say what may be fetched, and for how long.
    """
    threads = min(len(uris), READ_THREADS if any(map(is_remote, uris)) else FILE_THREADS)
    pending = _Pending(uris, options.per_host)
    # So few that photos wait for the model, not in memory.
    contents: Queue[tuple[int, Content]] = Queue(FILE_THREADS)

    def work() -> None:
        while item := pending.take():
            index, host = item
            try:
                content = read_photo(uris[index], options)
            finally:
                pending.release(host)
            contents.put((index, content))

    for _ in range(threads):
        Thread(target=work, daemon=True).start()
    for _ in uris:
        yield contents.get()


def read_photo(uri: str, options: BatchOptions) -> Content:
    """Return the content of a photo's file, or the code of the error."""
    try:
        if is_url(uri):
            return _fetch(uri, options)
        if uri.startswith(S3):
            from shutterless.batch_jobs.s3 import read_object

            return read_object(uri, MAX_BYTES)
        return read_bytes(local_path(uri), MAX_BYTES)
    except Problem as problem:
        return problem.code
    except (FileNotFoundError, NotADirectoryError):
        return "not-found"
    except PermissionError:
        return "access-denied"
    except OSError as error:
        return "too-large" if error.errno == errno.EFBIG else "unreadable-file"
    except Exception:  # whatever an S3 client raises; one photo must not end the job
        return "unreadable-file"


def is_remote(uri: str) -> bool:
    """Tell whether a photo is at a URL or in S3."""
    return is_url(uri) or uri.startswith(S3)


def local_path(uri: str) -> Path:
    """Return the path of a file; a file URL stands for a name that is not valid UTF-8."""
    return Path(os.fsdecode(unquote_to_bytes(urlsplit(uri).path))) if uri.startswith(FILE) else Path(uri)


def _fetch(uri: str, options: BatchOptions) -> bytes:
    from shutterless.runtime import fetch

    return fetch.fetch(uri, fetch.Policy(options.urls, timeout=options.timeout), max_bytes=MAX_BYTES)


class _Pending:
    """Photos that have not been read, by host; of no host are more than `per_host` read at once."""

    def __init__(self, uris: Sequence[str], per_host: int) -> None:
        self._indices: dict[str, deque[int]] = defaultdict(deque)
        for index, uri in enumerate(uris):
            self._indices[_host(uri)].append(index)
        self._active: Counter[str] = Counter()
        self._per_host = per_host
        self._condition = Condition()

    def take(self) -> tuple[int, str] | None:
        """Return the index and host of a photo to read, None if all have been taken; wait for a host."""
        with self._condition:
            self._condition.wait_for(lambda: not self._indices or self._free_host() is not None)
            host = self._free_host()
            if host is None:
                return None
            index = self._indices[host].popleft()
            if not self._indices[host]:
                del self._indices[host]
            self._active[host] += 1
            return index, host

    def release(self, host: str) -> None:
        """Record that a photo of a host has been read."""
        with self._condition:
            self._active[host] -= 1
            self._condition.notify_all()

    def _free_host(self) -> str | None:
        return next((host for host in self._indices if self._has_slot(host)), None)

    def _has_slot(self, host: str) -> bool:
        return not host or self._active[host] < self._per_host


def _host(uri: str) -> str:
    """Return a URL's host in lower case; empty for a file, S3, and what is not a URL."""
    if not is_url(uri):
        return ""
    try:
        return urlsplit(uri).hostname or ""
    except ValueError:
        return ""
