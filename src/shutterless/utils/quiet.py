"""TensorFlow's and LiteRT's start-up notes, kept off the terminal."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

LEVEL = "TF_CPP_MIN_LOG_LEVEL"


@contextmanager
def quiet_start() -> Iterator[None]:
    """Keep start-up notes off standard error while a library is imported or a model is loaded.

    TensorFlow's C++ side writes some of them before it reads TF_CPP_MIN_LOG_LEVEL, so they are caught
    where the process writes its errors, and shown only if the import fails. The environment is as before
    afterwards.
    """
    unset = LEVEL not in os.environ
    os.environ.setdefault(LEVEL, "2")
    try:
        with _caught_errors():
            yield
    finally:
        if unset:
            os.environ.pop(LEVEL, None)


@contextmanager
def _caught_errors() -> Iterator[None]:
    """Send what is written to file descriptor 2 to a file, and show it if the block fails."""
    import tempfile  # which imports all kinds of things that `--help` needs not

    if sys.stderr is not None:
        sys.stderr.flush()
    try:
        terminal = os.dup(2)
    except OSError:  # a process without standard error, as behind pythonw
        yield
        return
    with tempfile.TemporaryFile() as notes:
        os.dup2(notes.fileno(), 2)
        try:
            yield
        except Exception:  # not KeyboardInterrupt: who stops an import does not ask for its notes
            notes.seek(0)
            os.write(terminal, notes.read())
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
