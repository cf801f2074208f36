"""LiteRT's notice of its CPU delegate, kept off standard error."""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# LiteRT writes this to standard error with the first model of a process, and no setting turns it off.
_NOTICE = b"Created TensorFlow Lite XNNPACK delegate for CPU"
PIPE_CAPACITY = 64 * 1024  # on Linux
_redirecting = threading.Lock()
_is_notice_written = False


@contextmanager
def without_notice() -> Iterator[None]:
    """Keep LiteRT's notice, but nothing else, off standard error."""
    global _is_notice_written
    if _is_notice_written or not hasattr(os, "set_blocking"):  # Windows before Python 3.12
        yield
        return
    with _redirecting:
        pipe, restore = _redirect_stderr()
        try:
            yield
        finally:
            restore()
            with os.fdopen(pipe, "rb", buffering=0) as stream:
                output = stream.read(PIPE_CAPACITY) or b""
            _is_notice_written = _NOTICE in output
            rest = b"".join(line for line in output.splitlines(True) if _NOTICE not in line)
            with contextlib.suppress(OSError):  # nobody reads it
                os.write(2, rest)


def _redirect_stderr() -> tuple[int, Callable[[], None]]:
    """Redirect standard error into a pipe; return its other end, and a function that undoes it.

    Neither end blocks: what does not fit into the pipe is lost.
    """
    pipe, writing = os.pipe()
    try:
        stderr = os.dup(2)
    except OSError:  # it is closed
        os.close(writing)
        return pipe, lambda: None
    for end in (pipe, writing):
        os.set_blocking(end, False)
    os.dup2(writing, 2)
    os.close(writing)

    def restore() -> None:
        os.dup2(stderr, 2)
        os.close(stderr)

    return pipe, restore
