"""Progress reports of long functions.

A function takes a `Progress` and calls it with what it is doing, the steps done so far, and how many there
are; the command line draws a bar from that.
"""

import sys
import time
from collections.abc import Callable

Progress = Callable[[str, int, int], None]

SECONDS_BETWEEN_UPDATES = 0.1

_last_update = 0.0


def silent(what: str, done: int, total: int) -> None:
    """Show nothing: the default of internal functions."""


def automatic(what: str, done: int, total: int) -> None:
    """Show one line that is updated, in a notebook or at Python's prompt; nothing in a script.

    The default of the functions that users call.
    """
    global _last_update
    is_due = time.monotonic() - _last_update > SECONDS_BETWEEN_UPDATES
    if not hasattr(sys, "ps1") or not (is_due or done >= total):  # IPython and Jupyter have a prompt too
        return
    _last_update = time.monotonic()
    sys.stdout.write(f"\r{what}: {done:,} of {total:,}".ljust(79) + ("\n" if done >= total else ""))
    sys.stdout.flush()
