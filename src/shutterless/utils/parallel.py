"""The same work on many photos at once, in threads: Pillow decodes outside Python's global lock."""

import functools
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from shutterless.runtime.host_resources import cores, memory
from shutterless.utils.progress import Progress

Item = TypeVar("Item")
Result = TypeVar("Result")

# Beside one thread for each core, those that wait for a disk or a network.
WAITING = 4
MAX_THREADS = 32
MEMORY = 400_000_000  # bytes: what decoding the largest photo takes

_here = threading.local()


def map_in_threads(
    function: Callable[[Item], Result], items: Sequence[Item], *, progress: Progress, what: str
) -> Iterator[Result]:
    """Yield `function` of every item, in the items' order, and report `what` after each of them.

    The first exception ends the iteration; what has not been started by then is dropped. All callers share
    the threads. Within one of them, the work is done in turn: if it waited for others, they could all wait.
    """
    progress(what, 0, len(items))
    results = map(function, items) if hasattr(_here, "is_worker") else _pool().map(function, items)
    for done, result in enumerate(results, start=1):
        progress(what, done, len(items))
        yield result


@functools.cache
def _pool() -> ThreadPoolExecutor:
    threads = min(cores() + WAITING, MAX_THREADS, memory() // MEMORY)
    return ThreadPoolExecutor(max(1, threads), "photos", initializer=_mark_worker)


def _mark_worker() -> None:
    _here.is_worker = True
