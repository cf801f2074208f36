"""What a plan would cost: the month without a request, a thousand requests, and each option chosen."""

from shutterless.deploy.cost.estimate import Estimate, Workload, estimate_cost
from shutterless.deploy.cost.prices import Prices
from shutterless.deploy.options import Options
from shutterless.deploy.template.function import ARCHITECTURES
from shutterless.deploy.template.releases import KEPT, KEPT_SNAPSHOTS


def charges(options: Options, duration_ms: float, prices: Prices) -> list[str]:
    """Return what a deployment costs, a line each.

    duration_ms: of a request on one whole virtual CPU, which Lambda gives at 1,769 MB. Raises
    `ShutterlessError` if a price is not in the table.
    """
    bill = estimate_cost(_workload(options, duration_ms), prices)
    lines = [
        f"Without a request ${bill.fixed_usd:,.2f} a month; each 1,000 requests "
        f"${bill.per_request_usd * 1000:,.4f}, of {bill.workload.duration_ms:,.0f} ms each "
        f"(prices of {prices.date}, {prices.region}, without free tier)"
    ]
    if options.provisioned_concurrency:
        lines.append(
            f"Provisioned concurrency, {options.provisioned_concurrency} kept warm: "
            f"{_monthly(bill, 'Provisioned concurrency')}, used or not"
        )
    if options.snapstart:
        lines.append(
            f"SnapStart, {KEPT_SNAPSHOTS} versions kept: {_monthly(bill, 'SnapStart cache')}, used or not; "
            "each cold start is billed as a restore"
        )
    if options.reserved_concurrency:
        lines.append(
            f"Reserved concurrency of {options.reserved_concurrency}: nothing, but no other function of "
            "the account can use it"
        )
    return [*lines, f"Alarms: {_monthly(bill, 'Alarms')}"]


def _workload(options: Options, duration_ms: float) -> Workload:
    return Workload(
        duration_ms=duration_ms,
        architecture=ARCHITECTURES[options.platform],
        provisioned=options.provisioned_concurrency,
        snapstart=options.snapstart,
        versions=KEPT_SNAPSHOTS if options.snapstart else KEPT,
        log_days=options.log_days,
    ).resized(options.memory)


def _monthly(bill: Estimate, what: str) -> str:
    return f"${sum(item.usd for item in bill.items if item.what == what):,.2f} a month"
