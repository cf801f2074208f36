"""`shutterless status` and `releases`: what is deployed, its health, its cost, and what it was before."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from shutterless.cli.aws_options import (
    Config,
    Env,
    Name,
    Profile,
    Region,
    find_environment,
    find_place,
)
from shutterless.cli.console import format_period, make_table, print_json, print_result, show, warn
from shutterless.cli.options import AsJson
from shutterless.utils.messages import plural

if TYPE_CHECKING:
    from shutterless.deploy import Drift, Status

# As ECR's DescribeImageScanFindings names them, the most severe first.
SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNDEFINED", "UNTRIAGED")


def status(
    name: Name = None,
    show_key: Annotated[bool, typer.Option("--show-key", help="Show the API key too.")] = False,
    drift: Annotated[
        bool,
        typer.Option("--drift", help="Have CloudFormation look for resources that were changed by hand."),
    ] = False,
    env: Env = None,
    config: Config = None,
    region: Region = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Show what is deployed, its health and its cost.

    Address, version, model, alarms, the last hour, and the cost per month at the current pace.

    \b
    Examples:
      shutterless status clothes
      shutterless status clothes --show-key
      shutterless status clothes --drift
    """
    from shutterless.deploy.aws.cloudformation.states import stack_problem
    from shutterless.deploy.releases.drift import find_drift
    from shutterless.deploy.status import read_status
    from shutterless.deploy.template.template import stack_name

    name, region, profile = find_place(name, region, profile, find_environment(env, config))
    status = read_status(name, profile=profile, region=region, show_key=show_key)
    drifts = find_drift(name, profile=profile, region=region) if drift else None
    if as_json:
        members = {} if drifts is None else {"drift": [asdict(each) for each in drifts]}
        print_json({**status.to_json(), **members})
        return
    lines = make_table(status.name, f"in {status.region}", text=2)
    for row, value in _rows(status):
        lines.add_row(row, value)
    show(lines)
    if drifts is not None:
        _show_drift(drifts)
    if status.alias_change:
        warn(f"{status.alias_change}. The next deploy turns it back.")
    if problem := stack_problem(stack_name(name), status.state):
        warn(f"{problem.message}. {problem.hint}")


def _show_drift(drifts: list["Drift"]) -> None:
    if not drifts:
        print_result("Every resource is as the template says.")
        return
    listing = make_table("resource", "property", "template", "now", text=4)
    for each in drifts:
        listing.add_row(each.resource, each.property or "(deleted)", each.expected, each.actual)
    show(listing)


def releases(
    name: Name = None,
    env: Env = None,
    config: Config = None,
    region: Region = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """List the releases that you can roll back to.

    Example: shutterless releases clothes
    """
    from shutterless.deploy.releases import traffic

    name, region, profile = find_place(name, region, profile, find_environment(env, config))
    listing = traffic.list_releases(name, profile=profile, region=region)
    if as_json:
        print_json([asdict(release) for release in listing])
        return
    table = make_table("version", "model", "calls", "published (UTC)", "digest", "other options", text=6)
    for release in listing:
        digest = release.digest.removeprefix("sha256:")[:12]
        options = ", ".join(f"{key} {value}" for key, value in release.options.items())
        calls = f"{release.share:.0%}" if release.share else ""
        minute = release.created[:16].replace("T", " ")  # from ISO 8601, in UTC
        table.add_row(release.version, release.model, calls, minute, digest, options)
    show(table)


def _rows(status: "Status") -> list[tuple[str, str]]:
    """Return the rows of the table; what is not known is left out."""
    canary = ", ".join(f"{share:.0%} to version {version}" for version, share in status.canary.items())
    hour, last_hour = status.last_hour, "no requests"
    if hour:
        requests, errors = plural(hour.requests, "request"), plural(hour.errors, "error")
        last_hour = f"{requests}, {errors}, p95 {hour.p95_ms:.0f} ms"
    cost = ""
    if status.monthly_usd is not None:
        period = format_period(timedelta(hours=status.period_hours))
        cost = f"about ${status.monthly_usd:,.2f} a month at the pace of the last {period}; for details: "
        cost += f"shutterless cost {status.name}"
    has_scan = status.code_uploaded and status.package == "image"
    rows = [
        ("stack", f"{status.state}, updated {status.updated}"),
        ("address", status.url),
        ("API key", status.key or ""),
        ("model", status.model),
        ("version", f"{status.version} {canary and f'({canary})'}".strip()),
        ("canary", status.comparison.describe() if status.comparison else ""),
        ("code", status.code),
        ("uploaded", _age(status.code_uploaded)),
        ("scan", _vulnerabilities(status.vulnerabilities) if has_scan else ""),
        ("memory", f"{status.memory:,} MB, {status.architecture}" if status.memory else ""),
        ("alarms", ", ".join(f"{alarm}: {state}" for alarm, state in status.alarms.items())),
        ("last hour", last_hour),
        ("cost", cost),
    ]
    return [(row, value) for row, value in rows if value]


def _age(time: str) -> str:
    """Return a time with the number of days since then."""
    if not time:
        return ""
    days = (datetime.now(UTC) - datetime.fromisoformat(time)).days
    return f"{time}, {plural(days, 'day')} ago"


def _vulnerabilities(counts: dict[str, int] | None) -> str:
    """Return the findings of ECR's scan, the most severe first."""
    if counts is None:
        return "ECR has no finished scan of this image"
    listed = [f"{counts[severity]:,} {severity.lower()}" for severity in SEVERITIES if counts.get(severity)]
    return f"{', '.join(listed) or 'no'} vulnerabilities"
