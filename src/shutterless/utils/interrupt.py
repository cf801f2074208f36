"""Handle Ctrl-C reliably: remember it where a library swallows it, and raise it again."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from shutterless.utils.progress import Progress

_pressed = threading.Event()


@contextmanager
def interruptible() -> Iterator[None]:
    """Make Ctrl-C end the block with KeyboardInterrupt, even if that exception gets lost inside.

    Python raises KeyboardInterrupt wherever the main thread happens to be. In a destructor or a callback
    from C it is printed and dropped; an import may turn it into an ImportError. So the signal is
    remembered, and `check_interrupt` and the end of the block raise it again.

    If another signal handler is set, or in another thread, nothing changes.
    """
    previous = signal.getsignal(signal.SIGINT)
    if previous is _remember:
        with _reraise_interrupt():
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
        with _reraise_interrupt():
            yield
    finally:
        signal.signal(signal.SIGINT, previous)
        sys.unraisablehook = hook
        _pressed.clear()


def check_interrupt() -> None:
    """Raise KeyboardInterrupt if Ctrl-C was pressed in the running `interruptible` block."""
    if interrupted():
        raise KeyboardInterrupt


def interrupted() -> bool:
    """Tell whether Ctrl-C was pressed in the running `interruptible` block."""
    return _pressed.is_set()


@contextmanager
def _reraise_interrupt() -> Iterator[None]:
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


def _report_unraisable(unraisable: "sys.UnraisableHookArgs") -> None:
    """Report an exception that cannot be raised, except the Ctrl-C that is remembered."""
    if not issubclass(unraisable.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(unraisable)


def interruptible_progress(progress: Progress) -> Progress:
    """Return a `progress` that first raises a Ctrl-C that Keras or TensorFlow has swallowed."""

    def report(what: str, done: int, total: int) -> None:
        check_interrupt()
        progress(what, done, total)

    return report
