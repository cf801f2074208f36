"""`shutterless cost`: what a deployment costs, before or after it is made."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shutterless.cli.aws_options import Profile, Region
from shutterless.cli.console import print_json, result, show, table
from shutterless.errors import InputError
from shutterless.utils.quiet import quiet_start

if TYPE_CHECKING:
    from shutterless.deploy.cost.estimate import Estimate, Workload

# Whose prices are shown where neither a region nor a deployment is given.
UNTOLD_REGION = "us-east-1"


def cost(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="A deployment, of which CloudWatch tells the rest.")
    ] = None,
    bundle: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Without a deployment: measure this bundle on this machine."),
    ] = None,
    photo: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A typical photo to measure with.  [default: a drawn one]"),
    ] = None,
    duration: Annotated[
        float | None, typer.Option(metavar="MS", min=1, help="Milliseconds that a request takes.")
    ] = None,
    memory: Annotated[
        int | None,
        typer.Option(metavar="MB", min=128, max=10_240, help="The function's.  [default: 1769, one CPU]"),
    ] = None,
    requests: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="Requests a month.  [default: 100000]")
    ] = None,
    architecture: Annotated[
        str | None, typer.Option(metavar="NAME", help="x86_64 or arm64.  [default: x86_64]")
    ] = None,
    provisioned: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="Instances kept warm.  [default: 0]")
    ] = None,
    snapstart: Annotated[
        bool | None, typer.Option("--snapstart/--no-snapstart", help="Start from a snapshot.")
    ] = None,
    latency: Annotated[
        float | None,
        typer.Option(metavar="MS", min=1, help="Find the cheapest memory that answers in so long."),
    ] = None,
    prices: Annotated[Path | None, typer.Option(metavar="FILE", help="A price table of your own.")] = None,
    region: Region = None,
    profile: Profile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Estimate what a request and a month cost.

    From memory, duration and a dated price table.

    \b
    Examples:
      shutterless cost --bundle bundle --requests 100000 --region us-east-1
      shutterless cost --duration 100 --provisioned 1 --latency 180
      shutterless cost clothes
    """
    from shutterless.deploy.cost.estimate import cheapest, estimate_cost, sweep
    from shutterless.deploy.cost.prices import load_prices

    told: dict[str, Any] = {
        "duration_ms": duration,
        "requests": requests,
        "architecture": architecture,
        "provisioned": provisioned,
        "snapstart": snapstart,
    }
    if name:
        workload, region, source = _deployed(name, region, profile)
    else:
        workload, source = _planned(bundle, photo, duration)
    workload = workload.resized(memory) if memory else workload
    workload = replace(workload, **{what: value for what, value in told.items() if value is not None})
    known = load_prices(region or UNTOLD_REGION, prices)
    bill = estimate_cost(workload, known)
    sizes = sweep(workload, known) if latency else []
    best = cheapest(sizes, latency) if latency else None
    if as_json:
        print_json({**bill.to_json(), "duration_source": source, **_sizes_document(sizes, best)})
        return
    _show(bill, source)
    if latency:
        _show_sizes(sizes, best, latency)


def _deployed(name: str, region: str | None, profile: str | None) -> tuple["Workload", str, str]:
    """Return what CloudWatch makes of a deployment's month, its region, and where the duration is from."""
    from shutterless.deploy.aws.session import connect
    from shutterless.deploy.status import deployed_workload

    session = connect(profile, region)
    return deployed_workload(session, name), session.region_name, "CloudWatch's mean of the last 14 days"


def _planned(bundle: Path | None, photo: Path | None, duration: float | None) -> tuple["Workload", str]:
    """Return a workload of the duration that is given or measured here, and where that is from."""
    from shutterless.deploy.cost.estimate import Workload
    from shutterless.deploy.cost.local_latency import measure

    if duration:
        return Workload(duration), "as given"
    if not bundle:
        raise InputError(
            "unknown-duration",
            "The duration of a request is unknown",
            "Give a deployment's name, --bundle BUNDLE to measure it here, or --duration MS.",
        )
    source = "measured on a core of this machine, which may be faster than Lambda's; no cold starts"
    with quiet_start():
        return Workload(measure(bundle, photo)), source


def _show(bill: "Estimate", source: str) -> None:
    workload, prices = bill.workload, bill.prices
    bills = table("", "a month", "USD")
    for item in bill.items:
        bills.add_row(item.what, f"{_rounded(item.quantity)} {item.unit}", f"{item.usd:,.2f}")
    bills.add_section()
    bills.add_row("together", f"{workload.requests:,} requests", f"{bill.monthly_usd:,.2f}")
    show(bills)
    result(
        f"One request: ${bill.per_request_usd:.8f}. Without any: ${bill.fixed_usd:,.2f} a month. "
        f"The free tier, if nothing else uses it: up to ${bill.free_usd:,.2f} off."
    )
    result(
        f"{workload.memory:,} MB, {workload.architecture}, {workload.duration_ms:.1f} ms a request: {source}."
    )
    result(
        f"Prices of {prices.date} for {prices.region}, without tax; check before you rely on them: "
        f"{prices.sources['lambda']}"
    )


def _rounded(quantity: float) -> str:
    if 0 < quantity < 0.001:
        return "< 0.001"
    return f"{quantity:,.0f}" if quantity >= 100 else f"{quantity:.3g}"


def _show_sizes(sizes: list["Estimate"], best: "Estimate | None", latency: float) -> None:
    rows = table("memory", "ms", "USD a month", text=0)
    for each in sizes:
        mark = " ←" if each is best else ""
        rows.add_row(
            f"{each.workload.memory:,} MB",
            f"{each.workload.duration_ms:.0f}",
            f"{each.monthly_usd:,.2f}{mark}",
        )
    show(rows)
    if best:
        result(f"Cheapest that answers within {latency:g} ms, by estimate: --memory {best.workload.memory}")
    else:
        result(f"None answers within {latency:g} ms: one request uses one virtual CPU, which 1,769 MB buy.")


def _sizes_document(sizes: list["Estimate"], best: "Estimate | None") -> dict[str, Any]:
    if not sizes:
        return {}
    rows = [
        {
            "memory": each.workload.memory,
            "duration_ms": each.workload.duration_ms,
            "monthly_usd": each.monthly_usd,
        }
        for each in sizes
    ]
    return {"sizes": rows, "cheapest_memory": best.workload.memory if best else None}
