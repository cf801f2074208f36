"""Ctrl-C that is never lost: remembered where it was swallowed, and raised again."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_pressed = threading.Event()


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C end the block with KeyboardInterrupt, also where the exception itself gets lost.

    Python raises KeyboardInterrupt wherever the main thread happens to be. In a destructor or a callback
    from C it is printed and dropped; an import may turn it into an ImportError. So the signal is
    remembered: `check_interrupt` raises it again, and so does the end of the block.

    Where another handler than Python's own is set, or in another thread, nothing is changed.
    """
    previous = signal.getsignal(signal.SIGINT)
    if previous is _remember:
        with _raised_again():
            yield
        return
    if (
        previous is not signal.default_int_handler
        or threading.current_thread() is not threading.main_thread()
    ):
        yield
        return
    hook, sys.unraisablehook = sys.unraisablehook, _report_unraisable
    signal.signal(signal.SIGINT, _remember)
    try:
        with _raised_again():
            yield
    finally:
        signal.signal(signal.SIGINT, previous)
        sys.unraisablehook = hook
        _pressed.clear()


def check_interrupt() -> None:
    """Raise KeyboardInterrupt if Ctrl-C was pressed in an `interruptible` block and has been swallowed."""
    if interrupted():
        raise KeyboardInterrupt


def interrupted() -> bool:
    """Tell whether Ctrl-C has been pressed in the `interruptible` block that is running."""
    return _pressed.is_set()


@contextmanager
def _raised_again() -> Iterator[None]:
    try:
        check_interrupt()
        yield
    except Exception as error:
        if interrupted():
            raise KeyboardInterrupt from error
        raise
    check_interrupt()


def _remember(number: int, frame: FrameType | None) -> None:
    _pressed.set()
    raise KeyboardInterrupt


def _report_unraisable(unraisable: Any) -> None:
    """Report what was raised where nothing can be raised, but for the Ctrl-C that is remembered."""
    if not issubclass(unraisable.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(unraisable)
