"""The command line: one thin file per command group, each importing its stage when it runs."""

import signal
import sys
from contextlib import suppress


def main() -> None:
    """Run the command line; the entry point of the installed `shutterless`."""
    # An import that Ctrl-C breaks off ends in a traceback, so until all is there Ctrl-C ends the process.
    interruptible = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if interruptible:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from shutterless.cli.app import app

    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError):  # a stream that a caller put in place need not have it
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    if interruptible:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    app()
