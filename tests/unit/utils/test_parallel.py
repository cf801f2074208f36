import threading

import pytest

from shutterless.runtime.host_resources import cores
from shutterless.utils.parallel import EXTRA_THREADS, map_in_threads
from shutterless.utils.progress import silent


def test_results_come_in_the_items_order_with_a_report_after_each():
    steps = []
    results = map_in_threads(
        lambda x: x * x, [3, 1, 2], progress=lambda *step: steps.append(step), what="squaring"
    )
    assert list(results) == [9, 1, 4]
    assert steps == [("squaring", done, 3) for done in range(4)]


def test_the_first_failure_ends_the_work_and_drops_what_has_not_begun():
    begun, is_over = [], threading.Event()

    def work(item: int) -> None:
        begun.append(item)
        if item == 0:
            raise ValueError("first")
        is_over.wait()

    try:
        with pytest.raises(ValueError, match="first"):
            list(map_in_threads(work, range(1000), progress=silent, what="working"))
    finally:
        is_over.set()
    assert len(begun) <= cores() + EXTRA_THREADS + 1  # the thread that failed may take one more


def test_all_callers_share_the_threads():
    def names() -> set[str]:
        work = map_in_threads(lambda _: threading.current_thread(), range(50), progress=silent, what="")
        return {thread.name for thread in work}

    assert len(names() | names() | names()) <= cores() + EXTRA_THREADS


def test_work_within_work_ends_though_all_threads_are_busy():
    def outer(item: int) -> int:
        return sum(map_in_threads(lambda inner: inner * item, range(5), progress=silent, what="inner"))

    results = map_in_threads(outer, range(100), progress=silent, what="outer")
    assert list(results) == [10 * item for item in range(100)]
