"""Hide messages of TensorFlow and LiteRT that say nothing to users."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

LEVEL = "TF_CPP_MIN_LOG_LEVEL"


@contextmanager
def quiet_start() -> Iterator[None]:
    """Hide what a library writes to standard error while it is imported or loads a model.

    TensorFlow's C++ code writes some messages before it reads TF_CPP_MIN_LOG_LEVEL, so they are captured
    at the file descriptor, and shown only if the block fails. The environment is restored afterwards.
    """
    is_unset = LEVEL not in os.environ
    os.environ.setdefault(LEVEL, "2")
    try:
        with _captured_stderr():
            yield
    finally:
        if is_unset:
            os.environ.pop(LEVEL, None)


@contextmanager
def _captured_stderr() -> Iterator[None]:
    """Redirect file descriptor 2 to a file, and show the file if the block fails."""
    import tempfile  # slow to import, and `--help` does not need it

    if sys.stderr is not None:
        sys.stderr.flush()
    try:
        terminal = os.dup(2)
    except OSError:  # a process without standard error, as with pythonw
        yield
        return
    with tempfile.TemporaryFile() as messages:
        os.dup2(messages.fileno(), 2)
        try:
            yield
        except Exception:  # not KeyboardInterrupt: whoever stops an import does not need its messages
            messages.seek(0)
            os.write(terminal, messages.read())
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)


@contextmanager
def without_retracing_advice() -> Iterator[None]:
    """Hide TensorFlow's advice not to build functions in a loop: each model has functions of its own."""
    import logging  # `--help` does not need it

    def is_something_else(record: logging.LogRecord) -> bool:
        return "tf.function retracing" not in record.getMessage()

    logger = logging.getLogger("tensorflow")
    logger.addFilter(is_something_else)
    try:
        yield
    finally:
        logger.removeFilter(is_something_else)
