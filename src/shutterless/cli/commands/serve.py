"""`shutterless serve`: answer HTTP on this machine."""

from pathlib import Path
from typing import Annotated, Any

import typer

from shutterless.cli.console import console, result, say

Urls = Annotated[
    str,
    typer.Option(
        metavar="public|any|off", help="From which addresses to fetch pictures; any is for development."
    ),
]


def serve(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle, as convert writes it.")],
    host: Annotated[
        str, typer.Option(metavar="IP", help="Address to listen on; 0.0.0.0 lets others in.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(metavar="N", min=0, max=65535, help="Port to listen on; 0 takes a free one.")
    ] = 8080,
    urls: Urls = "public",
) -> None:
    """Serve a bundle over HTTP on this machine: the page and the API.

    Through the same handler that Lambda calls, until Ctrl-C.

    \b
    Examples:
      shutterless serve bundle
      shutterless serve bundle --host 0.0.0.0 --port 80 --urls off
    """
    from shutterless.runtime.access_log import to_stderr
    from shutterless.runtime.settings import Settings, check_urls
    from shutterless.serving import serve as serve_bundle

    settings = Settings(bundle, urls=check_urls(urls, "--urls"), port=port)
    serve_bundle(settings, host, say_ready, say_request if console.is_terminal else to_stderr)


def say_ready(url: str) -> None:
    """Say what is served where; the URL goes to standard output, alone on its line, for scripts."""
    from shutterless.runtime.adapters.http_server import INVOCATIONS

    result(url)
    say(f"Page: {url}/   API: POST {url}/predict   As Lambda: POST {url}{INVOCATIONS}   Stop: Ctrl-C")


def say_request(entry: dict[str, Any]) -> None:
    """Say a line of the log in the few words that a person at a terminal wants."""
    label = entry.get("label", entry.get("code", ""))
    what = ", ".join(label) if isinstance(label, list) else label
    sure = f" {entry['confidence']:.2f}" if isinstance(entry.get("confidence"), float) else ""
    words = (
        entry["time"][11:19],
        entry["status"],
        entry["route"],
        f"{entry['duration_ms']:.0f} ms",
        what + sure,
    )
    say("  ".join(map(str, words)).rstrip())
    if "error" in entry:
        say(f"request {entry['request_id']}: {entry['error']['kind']} at {entry['error']['at'][-1]}")
