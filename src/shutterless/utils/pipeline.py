"""Apply a function to a stream of any length, in threads that work a few items ahead."""

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Thread
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

CLOSE_TIMEOUT = 1.0  # seconds to wait for work in progress that is no longer needed


def map_ahead(function: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Generator[Result]:
    """Yield the result for each item, in the items' order, while the next few are being worked on.

    At most three items per worker are held in memory. The first exception ends the iteration, as does
    closing it; both wait up to `CLOSE_TIMEOUT` seconds for work in progress.

    Args:
        function: Applied to each item.
        items: Any number of items, read as they are needed.
        workers: Number of threads.
    """
    tasks: SimpleQueue[tuple[Future[Result], Item] | None] = SimpleQueue()
    # Not an executor's threads: Python waits for those at exit, as long as a silent host keeps them busy.
    threads = [Thread(target=_work, args=(function, tasks), daemon=True) for _ in range(workers)]
    for thread in threads:
        thread.start()
    pending: deque[Future[Result]] = deque()
    try:
        for item in items:
            pending.append(Future())
            tasks.put((pending[-1], item))
            if len(pending) > 2 * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        for future in pending:
            future.cancel()
        for _ in threads:
            tasks.put(None)
        deadline = time.monotonic() + CLOSE_TIMEOUT
        for thread in threads:
            thread.join(max(0, deadline - time.monotonic()))


def _work(
    function: Callable[[Item], Result], tasks: "SimpleQueue[tuple[Future[Result], Item] | None]"
) -> None:
    while task := tasks.get():
        future, item = task
        if not future.set_running_or_notify_cancel():
            continue
        try:
            future.set_result(function(item))
        except BaseException as error:
            future.set_exception(error)
