"""`shutterless serve`: answer HTTP on this machine."""

from pathlib import Path
from typing import Annotated

import typer

from shutterless.cli.console import say


def serve(
    bundle: Annotated[Path, typer.Argument(help="A bundle.")],
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 lets others in.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")
    ] = 8080,
    urls: Annotated[
        str,
        typer.Option(help="Fetch pictures from public addresses, from any (development), or turn it off."),
    ] = "public",
) -> None:
    """Answer HTTP on this machine, through the same handler that Lambda calls.

    \b
    Examples:
      shutterless serve bundle
      shutterless serve bundle --host 0.0.0.0 --port 80 --urls off
    """
    from shutterless.runtime.server import INVOCATIONS
    from shutterless.runtime.server import serve as serve_bundle
    from shutterless.runtime.settings import Settings, check_urls

    def ready(url: str) -> None:
        typer.echo(url)  # on standard output and alone on its line, for scripts
        say(f"Page: {url}/   API: POST {url}/predict   As Lambda: POST {url}{INVOCATIONS}   Stop: Ctrl-C")

    serve_bundle(Settings(bundle, urls=check_urls(urls, "--urls"), port=port), host, ready)
