"""`shutterless logs`: the log of a deployed function."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from shutterless.cli.answers import describe_outcome
from shutterless.cli.aws_options import (
    Config,
    Env,
    Name,
    Profile,
    Region,
    find_environment,
    find_place,
)
from shutterless.cli.console import INTERRUPTED, print_json, print_result, say
from shutterless.utils.escaping import to_json

if TYPE_CHECKING:
    from shutterless.deploy import LogEntry
    from shutterless.runtime.json_types import JsonObject


def logs(
    name: Name = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Continue with new lines until Ctrl-C.")
    ] = False,
    since: Annotated[
        str, typer.Option(metavar="TIME", help="How far to look back: 30s, 10m, 2h, 1d.")
    ] = "10m",
    everything: Annotated[
        bool, typer.Option("--all", help="Show Lambda's START, END and REPORT lines too.")
    ] = False,
    env: Env = None,
    config: Config = None,
    region: Region = None,
    profile: Profile = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document, or with --follow one per line.")
    ] = False,
) -> None:
    """Show a deployment's log, with times in UTC.

    One line per request: status, duration, label with confidence, and request id.

    \b
    Examples:
      shutterless logs clothes --follow
      shutterless logs clothes --since 2h --json
    """
    from shutterless.deploy.aws.logs import follow_logs, read_logs

    name, region, profile = find_place(name, region, profile, find_environment(env, config))
    read = follow_logs if follow else read_logs
    lines = (
        entry
        for entry in read(name, since=since, profile=profile, region=region)
        if everything or not entry.is_routine
    )
    if as_json and not follow:
        print_json({"events": [_document(entry) for entry in lines]})
        return
    count = 0
    try:
        for entry in lines:
            count += 1
            print_result(to_json(_document(entry)) if as_json else _line(entry))
    except KeyboardInterrupt as error:
        raise typer.Exit(INTERRUPTED) from error
    if not count:
        say(f"Nothing was written in the last {since}. --since 1d looks further back.")


def _document(entry: "LogEntry") -> "JsonObject":
    return {"timestamp": entry.timestamp, **(entry.record or {"text": entry.text})}


def _line(entry: "LogEntry") -> str:
    """Return a request as one readable line, and any other line as it is, each after its time."""
    time = datetime.fromtimestamp(entry.timestamp / 1000, UTC).strftime("%m-%d %H:%M:%S")
    record = entry.record
    if "request_id" not in record:
        return f"{time}  {entry.text}"
    duration = f"{record.get('duration_ms', 0):.0f} ms"
    outcome = describe_outcome(record)
    return f"{time}  {record.get('status', '')}  {duration:>7}  {outcome}  {record['request_id']}"
