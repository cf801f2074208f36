"""`shutterless cost`: estimate what a deployment costs, before or after it exists."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shutterless.cli.aws_options import Config, Env, Profile, find_environment, find_place
from shutterless.cli.console import format_period, make_table, print_json, print_result, show, warn
from shutterless.cli.options import AsJson, share
from shutterless.errors import InputError
from shutterless.utils.quiet import quiet_start

if TYPE_CHECKING:
    from shutterless.deploy.cost.estimate import Estimate
    from shutterless.deploy.cost.prices import Prices
    from shutterless.deploy.cost.workload import Workload
    from shutterless.runtime.json_types import JsonObject

# The region of the prices if neither a region nor a deployment is given.
DEFAULT_REGION = "us-east-1"


def cost(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="A deployment, whose duration and requests CloudWatch knows."),
    ] = None,
    bundle: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Measure the duration with this bundle on this machine."),
    ] = None,
    photo: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A typical photo to measure with.  [default: a drawn one]"),
    ] = None,
    duration: Annotated[
        float | None, typer.Option(metavar="MS", min=1, help="Duration of a request in milliseconds.")
    ] = None,
    start: Annotated[
        float | None,
        typer.Option(
            metavar="MS", min=1, help="Initialization of a cold start in milliseconds.  [default: 200]"
        ),
    ] = None,
    cold_share: Annotated[
        float | None,
        typer.Option(
            parser=share,
            metavar="PERCENT",
            help="Requests that start cold.  [default: estimated from their number]",
        ),
    ] = None,
    memory: Annotated[
        int | None,
        typer.Option(metavar="MB", min=128, max=10_240, help="Memory in MB.  [default: 1769, one CPU]"),
    ] = None,
    requests: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="Requests per month.  [default: 100000]")
    ] = None,
    architecture: Annotated[
        str | None, typer.Option(metavar="NAME", help="x86_64 or arm64.  [default: x86_64]")
    ] = None,
    front: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="rest (API Gateway) or url (function URL).  [default: rest]"),
    ] = None,
    package: Annotated[
        str | None, typer.Option(metavar="NAME", help="zip or image.  [default: zip, or the deployment's]")
    ] = None,
    provisioned: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="Instances kept warm.  [default: 0]")
    ] = None,
    snapstart: Annotated[
        bool | None, typer.Option("--snapstart/--no-snapstart", help="Start from a snapshot.")
    ] = None,
    records: Annotated[
        str | None,
        typer.Option(metavar="on|off", help="Records of each picture in the log.  [default: off]"),
    ] = None,
    keep_photos: Annotated[
        str | None,
        typer.Option(metavar="WHICH", help="Photos in the records: off, refused, sample:SHARE, or both."),
    ] = None,
    latency: Annotated[
        float | None,
        typer.Option(metavar="MS", min=1, help="Find the cheapest memory size with at most this latency."),
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="Compare what N photos cost on Lambda, a spot instance and this machine."
        ),
    ] = None,
    spot_price: Annotated[
        float | None,
        typer.Option(metavar="USD", help="Price of a spot instance, per virtual CPU and hour, for --batch."),
    ] = None,
    prices: Annotated[Path | None, typer.Option(metavar="FILE", help="Your own price table.")] = None,
    fetch_prices: Annotated[
        bool,
        typer.Option(
            "--fetch-prices",
            help="Get the current price table from AWS, of one region or of several, separated by commas.",
        ),
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write the fetched price table to this file."),
    ] = None,
    env: Env = None,
    config: Config = None,
    region: Annotated[
        str | None, typer.Option(metavar="R", help="AWS region.  [default: us-east-1, or the deployment's]")
    ] = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Estimate the cost of a request and of a month.

    The estimate is based on memory, duration and a dated price table.

    \b
    Examples:
      shutterless cost --bundle bundle --requests 100000 --region us-east-1
      shutterless cost --duration 100 --provisioned 1 --latency 180
      shutterless cost --bundle bundle --batch 1000000
      shutterless cost clothes
      shutterless cost --fetch-prices --region us-west-2 -o prices.toml
    """
    if fetch_prices:
        _fetch_prices(region, output, profile, as_json)
        return
    if output:
        raise typer.BadParameter("only --fetch-prices writes a file", param_hint="--output")
    from shutterless.deploy.cost.estimate import estimate_cost, find_cheapest, sweep_memory
    from shutterless.deploy.cost.prices import load_prices
    from shutterless.deploy.cost.records import estimate_record_bytes

    environment = find_environment(env, config)
    if name or environment:
        name, region, profile = find_place(name, region, profile, environment)
        from shutterless.deploy.aws.session import connect
        from shutterless.deploy.status import read_workload

        session = connect(profile, region)
        measurement = read_workload(session, name)
        workload, region = measurement.workload, session.region_name
        source = f"CloudWatch's mean of the last {format_period(measurement.period)}"
    else:
        workload, source = _planned_workload(bundle, photo, duration)
    workload = workload.with_memory(memory) if memory else workload
    workload = replace(
        workload,
        duration_ms=duration or workload.duration_ms,
        start_ms=start or workload.start_ms,
        requests=workload.requests if requests is None else requests,
        architecture=architecture or workload.architecture,
        front=front or workload.front,
        package=package or workload.package,
        provisioned=workload.provisioned if provisioned is None else provisioned,
        snapstart=workload.snapstart if snapstart is None else snapstart,
        cold_share=workload.cold_share if cold_share is None else cold_share,
        record_bytes=estimate_record_bytes(records or "on", keep_photos or "off")
        if records or keep_photos
        else workload.record_bytes,
    )
    price_table = load_prices(region or DEFAULT_REGION, prices)
    if batch:
        _show_batch(batch, workload, source, price_table, spot_price, as_json)
        return
    bill = estimate_cost(workload, price_table)
    sizes = sweep_memory(workload, price_table) if latency else []
    best = find_cheapest(sizes, latency) if latency else None
    if as_json:
        print_json({**bill.to_json(), "duration_source": source, **_sizes_document(sizes, best)})
        return
    _show(bill, source)
    if latency:
        _show_sizes(sizes, best, latency)


def _fetch_prices(region: str | None, output: Path | None, profile: str | None, as_json: bool) -> None:
    """Fetch a price table, and write it to a file or print it."""
    from shutterless.deploy.cost.price_list import ensure_replaceable_table, fetch_prices

    if output:
        ensure_replaceable_table(output)
    table = fetch_prices(region.split(",") if region else [], profile=profile)
    if output:
        table.write(output)
    if as_json:
        print_json({"file": str(output) if output else None, "table": table.text, "missing": table.missing})
        return
    for name, missing in table.missing.items():
        if missing:
            warn(f"AWS's price list has no single price in {name} for: {', '.join(missing)}.")
    print_result(
        f"Wrote {output}. To use it: shutterless cost --prices {output}" if output else table.text.rstrip()
    )


def _planned_workload(
    bundle: Path | None, photo: Path | None, duration: float | None
) -> tuple["Workload", str]:
    """Return a workload with the durations given or measured, and their source."""
    from shutterless.deploy.cost.local_latency import measure_latency, measure_start
    from shutterless.deploy.cost.workload import Workload

    if duration:
        return Workload(duration), "given"
    if not bundle:
        raise InputError(
            "unknown-duration",
            "The duration of a request is unknown",
            "Give a deployment's name, --duration MS, or --bundle BUNDLE to measure it on this machine.",
        )
    with quiet_start():
        workload = Workload(measure_latency(bundle, photo), start_ms=measure_start(bundle))
    return workload, "measured on a core of this machine, which may be faster than Lambda's"


def _show(bill: "Estimate", source: str) -> None:
    workload, prices = bill.workload, bill.prices
    rows = make_table("", "per month", "USD")
    for item in bill.items:
        rows.add_row(item.name, f"{_rounded(item.quantity)} {item.unit}", f"{item.usd:,.2f}")
    rows.add_section()
    rows.add_row("total", f"{workload.requests:,} requests", f"{bill.monthly_usd:,.2f}")
    show(rows)
    print_result(
        f"One request: ${bill.per_request_usd:.8f}. Without any request: ${bill.fixed_usd:,.2f} a month. "
        f"The free tier covers up to ${bill.free_usd:,.2f} of it, if nothing else uses it."
    )
    print_result(
        f"{workload.memory:,} MB, {workload.architecture}, {workload.duration_ms:.1f} ms per request "
        f"({source})."
    )
    if workload.cold_starts:
        cold = workload.cold_starts / workload.requests
        source = " (estimated)" if workload.cold_share is None else ""
        takes = "restores a snapshot" if workload.snapstart else f"takes {workload.start_ms:,.0f} ms more"
        print_result(f"{cold:.2%} of the requests start cold{source}, which {takes}.")
    print_result(
        f"Prices of {prices.date} for {prices.region}, without tax. Check them before you rely on them: "
        f"{prices.sources['lambda']}"
    )


def _show_batch(
    photos: int,
    workload: "Workload",
    source: str,
    prices: "Prices",
    spot_price: float | None,
    as_json: bool,
) -> None:
    """Print what a batch job costs in each place."""
    from shutterless.deploy.cost.batch import estimate_batch

    costs = estimate_batch(photos, workload, prices, spot_price)
    if as_json:
        print_json(
            {
                "photos": photos,
                "duration_ms": workload.duration_ms,
                "duration_source": source,
                "places": [each.to_json() for each in costs],
            }
        )
        return
    rows = make_table("", "at the same time", "hours", "USD")
    for each in costs:
        usd = "" if each.usd is None else f"{each.usd:,.2f}"
        rows.add_row(each.place, f"{each.workers:,}", _rounded(each.hours), usd)
    show(rows)
    print_result(
        f"{photos:,} photos of {workload.duration_ms:.1f} ms ({source}), prices for {prices.region}."
    )


def _rounded(quantity: float) -> str:
    if 0 < quantity < 0.001:
        return "< 0.001"
    return f"{quantity:,.0f}" if quantity >= 100 else f"{quantity:.3g}"


def _show_sizes(sizes: list["Estimate"], best: "Estimate | None", latency: float) -> None:
    rows = make_table("memory", "ms", "USD per month", text=0)
    for each in sizes:
        mark = " ←" if each is best else ""
        rows.add_row(
            f"{each.workload.memory:,} MB",
            f"{each.workload.duration_ms:.0f}",
            f"{each.monthly_usd:,.2f}{mark}",
        )
    show(rows)
    if best:
        print_result(f"Estimated to be the cheapest within {latency:g} ms: --memory {best.workload.memory}")
    else:
        print_result(
            f"No memory size answers within {latency:g} ms: a request uses one virtual CPU, which 1,769 MB "
            "provide."
        )


def _sizes_document(sizes: list["Estimate"], best: "Estimate | None") -> "JsonObject":
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
