"""`shutterless status`: what is deployed and how it fares."""

from typing import TYPE_CHECKING, Annotated

import typer

from shutterless.cli.aws_options import Profile, Region
from shutterless.cli.console import print_json, show, table, warn

if TYPE_CHECKING:
    from shutterless.deploy.status import Status


def status(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A deployment's name.")],
    show_key: Annotated[bool, typer.Option("--show-key", help="Show the API key too.")] = False,
    region: Region = None,
    profile: Profile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show what is deployed, its health and its cost.

    Address, version, model, alarms, the last hour, and the month at this pace.

    \b
    Examples:
      shutterless status clothes
      shutterless status clothes --show-key
    """
    from shutterless.deploy.aws.errors import stuck
    from shutterless.deploy.aws.session import connect
    from shutterless.deploy.status import read_status
    from shutterless.deploy.template.template import stack_name

    found = read_status(connect(profile, region), name, show_key=show_key)
    if as_json:
        print_json(found.to_json())
        return
    lines = table(found.name, f"in {found.region}", text=2)
    for what, value in _lines(found):
        lines.add_row(what, value)
    show(lines)
    if problem := stuck(stack_name(name), found.state):
        warn(f"{problem.message}. {problem.hint}")


def _lines(found: "Status") -> list[tuple[str, str]]:
    """Return what there is to say, a row each; what is not known is left out."""
    canary = ", ".join(f"{share:.0%} to version {version}" for version, share in found.canary.items())
    rows = [
        ("stack", f"{found.state}, changed {found.updated}"),
        ("address", found.url),
        ("API key", found.key or ""),
        ("model", found.model),
        ("version", f"{found.version} {canary and f'({canary})'}".strip()),
        ("image", found.image),
        ("memory", f"{found.memory:,} MB, {found.architecture}" if found.memory else ""),
        ("alarms", ", ".join(f"{alarm}: {state}" for alarm, state in found.alarms.items())),
        ("last hour", _hour(found)),
        ("costs", _cost(found)),
    ]
    return [(what, value) for what, value in rows if value]


def _hour(found: "Status") -> str:
    hour = found.last_hour
    if not hour:
        return "no requests"
    requests, errors = _number(hour.requests, "request"), _number(hour.errors, "error")
    return f"{requests}, {errors}, p95 {hour.p95_ms:.0f} ms"


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _cost(found: "Status") -> str:
    if found.monthly_usd is None:
        return ""
    return (
        f"about ${found.monthly_usd:,.2f} a month at the last 14 days' pace; shutterless cost {found.name} "
        "shows of what"
    )
