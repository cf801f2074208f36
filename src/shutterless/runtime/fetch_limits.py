"""Limits on what all requests together fetch at once, whatever the hosts of their URLs do."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from shutterless.runtime.host_resources import cores, memory
from shutterless.runtime.image.budget import Budget
from shutterless.runtime.image.limits import MAX_BYTES
from shutterless.runtime.problems import Problem
from shutterless.runtime.settings import Settings

# URLs fetched at once, by core and in all (each has an open file). Further ones are refused, so that hosts
# that do not answer delay nobody but those who named them.
FETCHES_PER_CORE, MAX_FETCHES = 32, 192
# The share of the memory that fetched pictures may fill until they are classified, and the least of it: the
# largest picture with what is around it.
FETCHED_SHARE, MIN_FETCHED = 1 / 16, 24 << 20


class FetchLimits:
    """Fetches pictures within the limits of a service."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._slots = threading.BoundedSemaphore(min(FETCHES_PER_CORE * cores(), MAX_FETCHES))
        self._free_bytes = max(MIN_FETCHED, int(memory() * FETCHED_SHARE))
        self._lock = threading.Lock()

    @contextmanager
    def fetch(self, url: str, budget: Budget) -> Iterator[bytes]:
        """Fetch the picture behind a URL; its bytes count until the context ends.

        Args:
            url: Where it is.
            budget: What the request may take; what the fetch takes is subtracted.

        Raises:
            Problem: If it cannot be fetched, or `busy` if others fetch too much.
        """
        from shutterless.runtime import fetch  # TLS and HTTP cost a cold start that many never need

        if not budget.seconds:
            raise Problem("fetch-failed", "the pictures before this one took all the time")
        timeout = min(fetch.TIMEOUT, budget.seconds)
        policy = fetch.Policy(self._settings.urls, self._settings.url_hosts, timeout)
        received = 0

        def count(size: int) -> None:
            nonlocal received
            budget.count_bytes(size)
            self._take(size)
            received += size

        if not self._slots.acquire(blocking=False):
            raise _busy("too many URLs are being fetched")
        try:
            try:
                with budget.measured():
                    data = fetch.fetch(url, policy, max_bytes=MAX_BYTES, count=count)
            finally:
                self._slots.release()
            yield data
        finally:
            self._take(-received)

    def _take(self, size: int) -> None:
        """Subtract bytes from those that are free, or give them back."""
        with self._lock:
            if size > self._free_bytes:
                raise _busy("the pictures that are being fetched take too much memory")
            self._free_bytes -= size


def _busy(detail: str) -> Problem:
    return Problem("busy", detail, headers={"Retry-After": "1"})
