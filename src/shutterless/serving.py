"""Serve a bundle over HTTP on this machine, whoever made it."""

from collections.abc import Callable

from shutterless.model_check import open_bundle
from shutterless.runtime.access_log import Log, to_stderr
from shutterless.runtime.adapters import http_server
from shutterless.runtime.settings import Settings


def serve(
    settings: Settings,
    host: str = "127.0.0.1",
    ready: Callable[[str], None] = lambda url: None,
    write: Log = to_stderr,
) -> None:
    """Serve a bundle over HTTP until SIGINT or SIGTERM; running requests are finished.

    Args:
        settings: The bundle, the port (0 takes a free one), and how pictures are fetched.
        host: The IP address to listen on.
        ready: Called with the URL once the port is open.
        write: Called with a line of the log for every request.

    Raises:
        ShutterlessError: The bundle does not verify, its model cannot be run safely, or the port is taken.
        KeyboardInterrupt: At the end, if it was stopped by SIGINT.
    """
    open_bundle(settings.bundle)
    http_server.serve(settings, host, ready, write)
