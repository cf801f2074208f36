"""Serve a bundle over HTTP on this machine."""

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
    *,
    reload: bool = False,
) -> None:
    """Serve a bundle over HTTP until SIGINT or SIGTERM; running requests are finished.

    The bundle is held in memory. On SIGHUP it is read again: if it verifies and its model can be run
    safely, it answers from the next request on; if not, the log has the reason and nothing changes.

    Args:
        settings: The bundle, the port (0 for any free one), and how pictures are fetched.
        host: IP address to listen on.
        ready: Called with the URL once the port is open.
        write: Called with a log entry for every request and reload.
        reload: Whether to read the bundle again, too, when its folder has changed.

    Raises:
        BundleError: The bundle does not verify, or its model cannot be run safely.
        InputError: The port is taken, or `host` is not an address of this machine.
        KeyboardInterrupt: At the end, if SIGINT stopped it.

    Example:
        >>> from pathlib import Path
        >>> import shutterless
        >>> shutterless.serve(shutterless.Settings(Path("bundle")), ready=print)  # doctest: +SKIP
        http://127.0.0.1:8080
    """
    http_server.serve(settings, host, ready, write, read=open_bundle, reread=open_bundle, reload=reload)
