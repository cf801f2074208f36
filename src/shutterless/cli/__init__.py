"""The command line: one file per command, which imports what it needs when it runs."""

import signal
import sys
import warnings
from contextlib import suppress

from shutterless.utils.interrupt import interruptible


def main() -> None:
    """Run the command line; the entry point of the installed `shutterless`.

    The commands are imported in here, so that even an early Ctrl-C prints a line instead of a traceback.
    """
    try:
        with interruptible():
            from shutterless.cli.app import app

            for stream in (sys.stdout, sys.stderr):
                with suppress(AttributeError):  # a replaced stream may not have the method
                    stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
            warnings.filterwarnings(
                "ignore", module="PIL"
            )  # about odd pictures that can be read all the same
            app()
    except KeyboardInterrupt:
        sys.stderr.write("error: Stopped by Ctrl-C\n")
        sys.exit(130)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # while Python shuts down, Ctrl-C ends the process
