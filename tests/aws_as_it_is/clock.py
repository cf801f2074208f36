"""A clock that stands still until it is told to go on, so that no test sleeps."""

import heapq
import itertools
import time
from collections.abc import Callable
from datetime import UTC, datetime


class Clock:
    """Simulated time, with what is to happen later.

    Attributes:
        time_s: The time, in seconds since 1970.
        minute_listeners: Called at each full minute that passes.
    """

    def __init__(self) -> None:
        self.time_s = time.time()
        self.minute_listeners: list[Callable[[], None]] = []
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.time_s, UTC)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is to happen later."""
        return not self._queue

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Call `action` once so many seconds have passed."""
        heapq.heappush(self._queue, (self.time_s + seconds, next(self._numbers), action))

    def advance(self, seconds: float) -> None:
        """Let time pass; everything that is due happens in order."""
        end = self.time_s + seconds
        while (due := self._next_event(end)) is not None:
            self.time_s, action = due
            action()
        self.time_s = end

    def _next_event(self, end: float) -> tuple[float, Callable[[], None]] | None:
        minute = (self.time_s // 60 + 1) * 60
        if self._queue and self._queue[0][0] <= min(end, minute):
            due, _, action = heapq.heappop(self._queue)
            return due, action
        if minute <= end:
            return minute, self._pass_minute
        return None

    def _pass_minute(self) -> None:
        for listener in self.minute_listeners:
            listener()
