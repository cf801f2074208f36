"""Describe what a planned deployment would cost: fixed, per 1,000 requests, and by option."""

from dataclasses import replace

from shutterless.deploy.cost.estimate import Estimate, estimate_cost
from shutterless.deploy.cost.prices import Prices
from shutterless.deploy.cost.workload import Workload
from shutterless.deploy.options import Options
from shutterless.deploy.template.function import ARCHITECTURES
from shutterless.deploy.template.releases import MAX_RELEASES, MAX_SNAPSTART_RELEASES


def describe_costs(options: Options, measured: Workload, prices: Prices) -> list[str]:
    """Return what a deployment costs, as lines of text.

    Args:
        options: How it is deployed.
        measured: Durations of a request and a start on one virtual CPU, which Lambda provides at 1,769 MB.
        prices: The prices of its region.

    Raises:
        ShutterlessError: A price is not in the table.
    """
    bill = estimate_cost(_workload(options, measured), prices)
    lines = [
        f"Without any request: ${bill.fixed_usd:,.2f} a month; 1,000 requests: "
        f"${bill.per_request_usd * 1000:,.4f}, at {bill.workload.duration_ms:,.0f} ms each "
        f"(prices of {prices.date}, {prices.region}, without free tier)"
    ]
    if options.provisioned_concurrency:
        lines.append(
            f"Provisioned concurrency, {options.provisioned_concurrency} kept warm: "
            f"{_monthly(bill, 'Provisioned concurrency')}, used or not"
        )
    if options.snapstart:
        lines.append(
            f"SnapStart, {MAX_SNAPSTART_RELEASES} versions kept: {_monthly(bill, 'SnapStart cache')}, "
            "used or not; each cold start is billed as a restore"
        )
    if options.reserved_concurrency:
        lines.append(
            f"Reserved concurrency of {options.reserved_concurrency}: free, but no other function of the "
            "account can use it"
        )
    metrics = f"metrics: {_monthly(bill, 'Metrics')} with requests in every hour, else less"
    return [*lines, f"Alarms: {_monthly(bill, 'Alarms')}; {metrics}"]


def _workload(options: Options, measured: Workload) -> Workload:
    workload = replace(
        measured,
        architecture=ARCHITECTURES[options.platform],
        front=options.front,
        provisioned=options.provisioned_concurrency,
        snapstart=options.snapstart,
        versions=MAX_SNAPSTART_RELEASES if options.snapstart else MAX_RELEASES,
        log_days=options.log_days,
    )
    return workload.with_memory(options.memory)


def _monthly(bill: Estimate, name: str) -> str:
    return f"${sum(item.usd for item in bill.items if item.name == name):,.2f} a month"
