"""The same work on many photos at once, in threads: Pillow decodes outside Python's global lock."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from shutterless.progress import Progress

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_in_threads(
    function: Callable[[Item], Result], items: Sequence[Item], *, progress: Progress, what: str
) -> Iterator[Result]:
    """Yield `function` of every item, in the items' order, and report `what` after each of them.

    The first exception ends the iteration; what has not been started by then is dropped.
    """
    progress(what, 0, len(items))
    with ThreadPoolExecutor(thread_name_prefix="photos") as pool:
        for done, result in enumerate(pool.map(function, items), start=1):
            progress(what, done, len(items))
            yield result
