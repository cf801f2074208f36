"""Apply a function to many photos in threads; Pillow releases the global interpreter lock."""

import functools
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from shutterless.runtime.host_resources import cores, memory
from shutterless.utils.progress import Progress

Item = TypeVar("Item")
Result = TypeVar("Result")

EXTRA_THREADS = 4  # beyond the number of cores, as some wait for a disk or a network
MAX_THREADS = 32
DECODE_BYTES = 400_000_000  # memory for decoding the largest photo

_local = threading.local()


def map_in_threads(
    function: Callable[[Item], Result], items: Sequence[Item], *, progress: Progress, what: str
) -> Iterator[Result]:
    """Yield the result for each item, in the items' order.

    All callers share the threads. A call from within one of them works sequentially: if it waited for the
    others, all of them could wait for each other.

    Args:
        function: Applied to each item. Its first exception ends the iteration and drops items that have
            not been started.
        items: The items.
        progress: Called after each item.
        what: What is being done, for `progress`.
    """
    progress(what, 0, len(items))
    results = map(function, items) if hasattr(_local, "is_worker") else _pool().map(function, items)
    for number, result in enumerate(results, start=1):
        progress(what, number, len(items))
        yield result


@functools.cache
def _pool() -> ThreadPoolExecutor:
    threads = min(cores() + EXTRA_THREADS, MAX_THREADS, memory() // DECODE_BYTES)
    return ThreadPoolExecutor(
        max(1, threads), "photos", initializer=setattr, initargs=(_local, "is_worker", True)
    )
