"""`shutterless serve`: serve a bundle over HTTP on this machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shutterless.cli.console import INTERRUPTED, console, print_result, say

if TYPE_CHECKING:
    from shutterless.runtime.access_log import Record

Urls = Annotated[
    str,
    typer.Option(metavar="public|any|off", help="Addresses to fetch pictures from; any is for development."),
]

Records = Annotated[
    str,
    typer.Option(
        metavar="on|off", help="Add a record of each picture to the log, with its scores and embedding."
    ),
]
KeepPhotos = Annotated[
    str,
    typer.Option(
        metavar="WHICH",
        help="Photos that the records keep, small: off, refused (not accepted), sample:SHARE, or both.",
    ),
]


def serve(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle folder.")],
    host: Annotated[
        str, typer.Option(metavar="IP", help="Address to listen on; 0.0.0.0 for all networks.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(metavar="N", min=0, max=65535, help="Port to listen on; 0 for any free one.")
    ] = 8080,
    urls: Urls = "public",
    records: Records = "off",
    keep_photos: KeepPhotos = "off",
    reload: Annotated[
        bool, typer.Option("--reload", help="Load the bundle again whenever its folder has changed.")
    ] = False,
) -> None:
    """Serve a bundle over HTTP on this machine: a web page and the API.

    Requests are answered by the same code as on Lambda. Press Ctrl-C to stop. The bundle is held in memory;
    send SIGHUP to load it again. A bundle that is damaged or fails the check never replaces a good one.

    \b
    Examples:
      shutterless serve bundle
      shutterless serve bundle --reload
      shutterless serve bundle --host 0.0.0.0 --port 80 --urls off
      shutterless serve bundle --records on --keep-photos refused 2>> requests.log
    """
    from shutterless.runtime.access_log import to_stderr
    from shutterless.runtime.settings import Settings, check_records, check_urls, parse_kept_photos
    from shutterless.serving import serve as serve_bundle

    settings = Settings(
        bundle,
        urls=check_urls(urls, "--urls"),
        port=port,
        records=check_records(records, "--records") == "on",
        kept_photos=parse_kept_photos(keep_photos, "--keep-photos"),
    )
    try:
        write = say_record if console.is_terminal and not settings.records else to_stderr
        serve_bundle(settings, host, say_ready, write, reload=reload)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


def say_ready(url: str) -> None:
    """Print where the server is; the URL alone on a line of standard output, for scripts."""
    from shutterless.runtime.adapters.http_app import INVOCATIONS

    print_result(url)
    say(f"Page: {url}/   API: POST {url}/predict   As Lambda: POST {url}{INVOCATIONS}   Stop: Ctrl-C")


def say_record(record: "Record") -> None:
    """Print a record of the log in a few words, for a person at a terminal."""
    if record.get("event") == "reload":
        reason = f"bundle not reloaded: {record.get('detail', record.get('code'))}"
        what = reason if "code" in record else "bundle reloaded"
        say(f"{str(record['time'])[11:19]}  {what}; model {record['model']} answers")
    else:
        _say_request(record)


def _say_request(record: "Record") -> None:
    from shutterless.cli.answers import describe_outcome

    what = describe_outcome(record) if "label" in record else record.get("code", "")
    time, milliseconds = str(record["time"])[11:19], f"{record['duration_ms']:.0f} ms"
    words = (time, record["status"], record["route"], milliseconds, what)
    say("  ".join(map(str, words)).rstrip())
    if isinstance(error := record.get("error"), dict):
        say(f"request {record['request_id']}: {error['kind']} at {error['at'][-1]}")
