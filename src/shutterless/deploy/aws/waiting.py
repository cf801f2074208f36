"""Waiting for AWS. No other module of `deploy` sleeps, so tests only have to replace this one's `time`."""

import math
import time
from collections.abc import Iterator


def poll(interval_s: float, timeout_s: float = math.inf) -> Iterator[float]:
    """Yield at once, then again after each interval until the timeout: the seconds that have passed.

    Args:
        interval_s: Seconds to sleep between two attempts.
        timeout_s: Seconds after which there is no further attempt.
    """
    start_time = time.monotonic()
    while True:
        yield time.monotonic() - start_time
        if time.monotonic() + interval_s > start_time + timeout_s:
            return
        time.sleep(interval_s)
