"""Work on a stream of any length in threads that read a few items ahead."""

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Thread
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

# Seconds that work which is no longer wanted may go on.
PATIENCE = 1.0


def map_ahead(function: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Generator[Result]:
    """Yield `function` of every item, in the items' order, while a few further items are worked on.

    However many items there are, three for each worker are held at most. The first exception ends the
    iteration; so does closing it, and neither waits longer than `PATIENCE` for what is under way.
    """
    tasks: SimpleQueue[tuple[Future[Result], Item] | None] = SimpleQueue()
    # Not an executor's threads, for which Python waits when it ends, as long as a silent host likes.
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
        deadline = time.monotonic() + PATIENCE
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
