"""`shutterless logs`: what the deployed function wrote."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shutterless.cli.aws_options import Profile, Region
from shutterless.cli.console import INTERRUPTED, print_json, result, say, to_json

if TYPE_CHECKING:
    from shutterless.deploy.aws.logs import Entry


def logs(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A deployment's name.")],
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")
    ] = False,
    since: Annotated[str, typer.Option(metavar="TIME", help="How far back: 30s, 10m, 2h, 1d.")] = "10m",
    everything: Annotated[
        bool, typer.Option("--all", help="Show Lambda's START, END and REPORT lines too.")
    ] = False,
    region: Region = None,
    profile: Profile = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document, or with --follow one a line.")
    ] = False,
) -> None:
    """Show what the function wrote, times in UTC.

    Of each request: its status, how long it took, label and confidence, and its number.

    \b
    Examples:
      shutterless logs clothes --follow
      shutterless logs clothes --since 2h --json
    """
    from shutterless.deploy.aws.logs import follow_logs, parse_since, read_logs
    from shutterless.deploy.aws.session import connect

    past = parse_since(since)
    session = connect(profile, region)
    entries = follow_logs(session, name, past) if follow else read_logs(session, name, past)
    shown = (entry for entry in entries if everything or not entry.is_routine)
    if as_json and not follow:
        print_json({"events": [_document(entry) for entry in shown]})
        return
    lines = 0
    try:
        for entry in shown:
            lines += 1
            result(to_json(_document(entry)) if as_json else _line(entry))
    except KeyboardInterrupt as stopped:
        raise typer.Exit(INTERRUPTED) from stopped
    if not lines:
        say(f"Nothing was written in the last {since}; --since 1d looks further back.")


def _document(entry: "Entry") -> dict[str, Any]:
    return {"timestamp": entry.timestamp, **(entry.record or {"text": entry.text})}


def _line(entry: "Entry") -> str:
    """Return a request's record as one line to read, and any other line as it is, its time first."""
    when = datetime.fromtimestamp(entry.timestamp / 1000, UTC).strftime("%m-%d %H:%M:%S")
    record = entry.record
    if "request_id" not in record:
        return f"{when}  {entry.text}"
    took = f"{record.get('duration_ms', 0):.0f} ms"
    said = f"{record.get('status', '')}  {took:>7}  {_outcome(record)}  {record['request_id']}"
    return f"{when}  {said}"


def _outcome(record: dict[str, Any]) -> str:
    """Return what came of a request: its label or labels with confidence, its problem, or its route."""
    if "label" not in record:
        return str(record.get("code") or record.get("route", ""))
    labels, confidences, accepted = (
        said if isinstance(said, list) else [said]
        for said in (record.get(member) for member in ("label", "confidence", "accepted"))
    )
    return ", ".join(
        f"{label} {confidence:.2f}{'' if sure else ' (not sure)'}"
        for label, confidence, sure in zip(labels, confidences, accepted, strict=True)
    )
