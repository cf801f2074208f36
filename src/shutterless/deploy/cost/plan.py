"""Describe what a planned deployment would cost: fixed, per 1,000 requests, by option, and at worst."""

from collections.abc import Iterator
from dataclasses import replace

from shutterless.deploy.cost.estimate import Estimate, estimate_cost
from shutterless.deploy.cost.prices import Prices
from shutterless.deploy.cost.records import REFUSED_SHARE, estimate_record_bytes
from shutterless.deploy.cost.workload import Workload
from shutterless.deploy.cost.worst_case import ACCOUNT_CONCURRENCY, describe_worst_case
from shutterless.deploy.options import Options
from shutterless.deploy.template.function import ARCHITECTURES
from shutterless.deploy.template.releases import read_releases
from shutterless.deploy.template.types import Template
from shutterless.runtime.settings import parse_kept_photos
from shutterless.utils.messages import plural

# In every region, https://aws.amazon.com/kms/pricing/. E-mails, budgets without actions and domains are free,
# https://aws.amazon.com/sns/pricing/, https://aws.amazon.com/aws-cost-management/aws-budgets/pricing/,
# https://aws.amazon.com/certificate-manager/pricing/
KMS_KEY_USD = 1.00
# For which the price of records is given.
RECORDED_REQUESTS = 150_000


def describe_costs(
    options: Options,
    measured: Workload,
    prices: Prices,
    snapshots: int | None = None,
    account_concurrency: int = ACCOUNT_CONCURRENCY,
) -> list[str]:
    """Return what a deployment costs, as lines of text.

    Args:
        options: How it is deployed.
        measured: Durations of a request and a start on one virtual CPU, which Lambda provides at 1,769 MB.
        prices: The prices of its region.
        snapshots: The number of its versions that have a snapshot; None for what `options` lead to.
        account_concurrency: How many calls the account can run at once, without a reservation.

    Raises:
        ShutterlessError: A price is not in the table.
    """
    workload = replace(
        measured,
        architecture=ARCHITECTURES[options.platform],
        front=options.front,
        package=options.package,
        provisioned=options.provisioned_concurrency,
        snapstart=options.snapstart,
        snapshots=snapshots,
        log_days=options.log_days,
        record_bytes=estimate_record_bytes(options.records, options.keep_photos),
    ).with_memory(options.memory)
    bill = estimate_cost(workload, prices)
    return [
        f"Without any request: ${bill.fixed_usd:,.2f} a month; 1,000 requests: "
        f"${bill.per_request_usd * 1000:,.4f}, at {workload.duration_ms:,.0f} ms each "
        f"(prices of {prices.date}, {prices.region}, without free tier)",
        *_describe_records(options, bill),
        *_describe_options(options, bill),
        f"Alarms: {_monthly(bill, 'Alarms')}; metrics: {_monthly(bill, 'Metrics')} with requests in every "
        "hour, else less",
        *describe_worst_case(options, workload, prices, account_concurrency),
    ]


def count_snapshots(template: Template) -> int:
    """Return how many versions of a template have a snapshot, which AWS bills until they are deleted."""
    return sum(bool(release.options.get("snapstart")) for release in read_releases(template).history)


def _describe_records(options: Options, bill: Estimate) -> Iterator[str]:
    """Yield what records cost, and that photos are kept."""
    if options.records == "off":
        return
    recorded = replace(bill.workload, requests=RECORDED_REQUESTS)
    plain = replace(recorded, record_bytes=0)
    usd = estimate_cost(recorded, bill.prices).monthly_usd - estimate_cost(plain, bill.prices).monthly_usd
    yield (
        f"Records: about {recorded.record_bytes:,} bytes more in the log for each picture, ${usd:,.2f} for "
        f"{RECORDED_REQUESTS:,} pictures a month"
    )
    kept = parse_kept_photos(options.keep_photos, "--keep-photos")
    refused = f"those that are not accepted (assumed to be {REFUSED_SHARE:.0%})" if kept.refused else ""
    sample = f"{kept.share:.4g} of all at random" if kept.share else ""
    if which := " and ".join(filter(None, (refused, sample))):
        yield f"Photos will be kept in the log for {plural(options.log_days, 'day')}: {which}"


def _describe_options(options: Options, bill: Estimate) -> Iterator[str]:
    """Yield a line for each option that costs something, or whose name suggests it."""
    if warm := options.provisioned_concurrency:
        usd = _monthly(bill, "Provisioned concurrency")
        yield f"Provisioned concurrency, {warm} kept warm: {usd}, used or not"
    if snapshots := bill.workload.billed_snapshots:
        versions = f"{plural(snapshots, 'version')} with a snapshot"
        usage = "used or not; each cold start is billed as a restore"
        usage = usage if options.snapstart else "until deleted"
        yield f"SnapStart, {versions}: {_monthly(bill, 'SnapStart cache')}, {usage}"
    if limit := options.reserved_concurrency:
        yield f"Reserved concurrency of {limit}: free, but no other function of the account can use it"
    if keys := {options.log_kms_key, options.image_kms_key} - {""}:
        yield f"KMS, {plural(len(keys), 'key')} of yours: ${len(keys) * KMS_KEY_USD:,.2f} a month"
    if options.alarm_email:
        yield "E-mails of alarms: free, up to 1,000 a month for the account"
    if options.budget:
        yield "Budget: free, because it only sends e-mails"
    if options.subnets:
        yield "VPC: free, but a NAT gateway of yours is not, and pictures from URLs need one"
    if options.domain:
        yield "Domain: free, with its certificate; a hosted zone of yours is not"


def _monthly(bill: Estimate, name: str) -> str:
    return f"${sum(item.usd for item in bill.items if item.name == name):,.2f} a month"
