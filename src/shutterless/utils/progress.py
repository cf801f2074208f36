"""How long work reports how far it is.

A stage takes a `Progress` and calls it with what it is doing, how many steps are done and how many there
are in all; the command line turns that into a bar.
"""

import sys
import time
from collections.abc import Callable

Progress = Callable[[str, int, int], None]

SECONDS_BETWEEN_UPDATES = 0.1

_last_update = 0.0


def silent(what: str, done: int, total: int) -> None:
    """Report to nobody: the default of functions that other functions call."""


def automatic(what: str, done: int, total: int) -> None:
    """Show a line that is updated in a notebook or at Python's prompt, and nothing in a script.

    The default of the functions that people call.
    """
    global _last_update
    is_due = time.monotonic() - _last_update > SECONDS_BETWEEN_UPDATES
    if not hasattr(sys, "ps1") or not (is_due or done >= total):  # IPython and Jupyter have a prompt too
        return
    _last_update = time.monotonic()
    sys.stdout.write(f"\r{what}: {done:,} of {total:,}".ljust(79) + ("\n" if done >= total else ""))
    sys.stdout.flush()
