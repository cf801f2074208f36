"""The command line: one thin file per command group, each importing its stage when it runs."""

import signal
import sys
import warnings
from contextlib import suppress

from shutterless.utils.interrupt import interruptible


def main() -> None:
    """Run the command line; the entry point of the installed `shutterless`.

    The commands are imported in here, so that Ctrl-C at the very start is a line too and no traceback.
    """
    try:
        with interruptible():
            from shutterless.cli.app import app

            for stream in (sys.stdout, sys.stderr):
                with suppress(AttributeError):  # a stream that a caller put in place need not have it
                    stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
            warnings.filterwarnings("ignore", module="PIL")  # of a picture that is odd but read
            app()
    except KeyboardInterrupt:
        sys.stderr.write("error: Stopped by Ctrl-C\n")
        sys.exit(130)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # while Python shuts down, Ctrl-C just ends it
