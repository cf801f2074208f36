"""Estimate a deployment's cost per request and per month from its workload and a price table."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

from shutterless.deploy.cost.prices import Prices
from shutterless.deploy.cost.workload import CPU_MB, MONTH_S, Workload
from shutterless.runtime.json_types import JsonObject

MEMORY_SIZES = (512, 768, 1024, 1280, 1536, CPU_MB, 2048, 3008)

# Bytes of an answer with ten labels and its headers, and of a request's lines in the log: ours and Lambda's
# START, END and REPORT.
ANSWER_BYTES = 1_200
LOG_BYTES = 1_200
# CloudWatch compresses the logs it keeps; the examples of its price page assume this ratio.
LOG_COMPRESSION = 0.15
ALARMS = 4  # error answers, crashes, throttles, slow calls: see alarms.py
# Duration, confidence, rejected, unfamiliar: see runtime/access_log.py. That of errors is sent with errors.
METRICS = 4
MONTH_HOURS = MONTH_S / 3600
# What keeps the code of all versions, and its price. Lambda's own copies of zips are free.
CODE_STORAGE = {"zip": ("Zips kept", "s3_gb_month"), "image": ("Images kept", "ecr_gb_month")}


@dataclass(frozen=True)
class Item:
    """One line of a bill.

    Attributes:
        name: What is billed.
        quantity: How much of it per month.
        unit: The unit of `quantity`.
        usd: US dollars per month.
        per_request: Whether it grows in proportion to the requests.
        free_usd: The part that the account's free tier covers, if nothing else in the account uses it.
    """

    name: str
    quantity: float
    unit: str
    usd: float
    per_request: bool
    free_usd: float = 0.0


@dataclass(frozen=True)
class Estimate:
    """The bill of a month.

    Attributes:
        workload: What it is for.
        prices: The prices it is based on.
        items: Its lines.
    """

    workload: Workload
    prices: Prices
    items: tuple[Item, ...]

    @property
    def monthly_usd(self) -> float:
        """US dollars per month without the free tier."""
        return sum(item.usd for item in self.items)

    @property
    def free_usd(self) -> float:
        """US dollars per month that the free tier covers at most."""
        return sum(item.free_usd for item in self.items)

    @property
    def fixed_usd(self) -> float:
        """US dollars per month without any request."""
        return estimate_cost(replace(self.workload, requests=0), self.prices).monthly_usd

    @property
    def per_request_usd(self) -> float:
        """US dollars for one request, without what does not grow in proportion to them."""
        total = sum(item.usd for item in self.items if item.per_request)
        return total / self.workload.requests if self.workload.requests else 0.0

    def to_json(self) -> JsonObject:
        """Return the estimate as a JSON object, with its sums."""
        return {
            "workload": {**asdict(self.workload), "cold_starts": self.workload.cold_starts},
            "prices": {
                "region": self.prices.region,
                "date": self.prices.date,
                "sources": self.prices.sources,
            },
            "items": [asdict(item) for item in self.items],
            "monthly_usd": self.monthly_usd,
            "fixed_usd": self.fixed_usd,
            "per_request_usd": self.per_request_usd,
            "free_usd": self.free_usd,
        }


def estimate_cost(workload: Workload, prices: Prices) -> Estimate:
    """Estimate the monthly bill of a workload.

    Args:
        workload: What runs, and how often.
        prices: The prices of a region, see `load_prices`.

    Returns:
        The bill, item by item.

    Raises:
        ShutterlessError: A price is not in the table.

    Example:
        >>> from shutterless import deploy
        >>> bill = deploy.estimate_cost(deploy.Workload(duration_ms=100), deploy.load_prices("us-east-1"))
        >>> f"${bill.monthly_usd:.2f} per month, ${bill.fixed_usd:.2f} without any request"
        '$2.33 per month, $0.40 without any request'
    """
    return Estimate(workload, prices, tuple(_list_items(workload, prices)))


def sweep_memory(workload: Workload, prices: Prices, sizes: tuple[int, ...] = MEMORY_SIZES) -> list[Estimate]:
    """Return an estimate for each memory size in MB, with durations by `Workload.with_memory`."""
    return [estimate_cost(workload.with_memory(size), prices) for size in sizes]


def find_cheapest(estimates: list[Estimate], latency_ms: float) -> Estimate | None:
    """Return the cheapest estimate that meets a latency, None if none does.

    Among those that cost the same to a cent it is the fastest.
    """
    candidates = [each for each in estimates if each.workload.duration_ms <= latency_ms]
    return min(
        candidates, key=lambda each: (round(each.monthly_usd, 2), each.workload.duration_ms), default=None
    )


def _list_items(workload: Workload, prices: Prices) -> Iterator[Item]:
    yield from _lambda_items(workload, prices)
    yield from _snapshot_items(workload, prices)
    if workload.front == "rest":
        yield _api_item(workload, prices)
    gb = workload.requests * ANSWER_BYTES / 1e9
    yield _partly_free("Data out", gb, "GB", prices.price("data_out_gb"), prices.free["data_out_gb"])
    yield from _cloudwatch_items(workload, prices)
    name, price = CODE_STORAGE[workload.package]
    yield Item(name, workload.stored_gb, "GB", workload.stored_gb * prices.price(price), False)


def _partly_free(
    name: str, quantity: float, unit: str, price: float, free: float, per_request: bool = True
) -> Item:
    """Return an item of which the free tier covers up to `free` units."""
    return Item(name, quantity, unit, quantity * price, per_request, min(quantity, max(0.0, free)) * price)


def _lambda_items(workload: Workload, prices: Prices) -> Iterator[Item]:
    """Yield requests, duration and cold starts. Instances kept warm serve every request."""
    free, seconds = prices.free, workload.gb_seconds
    million, million_usd = workload.requests / 1e6, prices.price("lambda_million_requests")
    yield _partly_free("Lambda requests", million, "million", million_usd, free["lambda_requests"] / 1e6)
    if workload.provisioned:
        warm = workload.provisioned * workload.gb * MONTH_S
        warm_usd = warm * prices.price("provisioned_gb_second", workload.architecture)
        run_usd = seconds * prices.price("provisioned_run_gb_second", workload.architecture)
        yield Item("Provisioned concurrency", warm, "GB-s", warm_usd, False)
        yield Item("Lambda duration", seconds, "GB-s", run_usd, True)
        return
    price, free_seconds = prices.price("lambda_gb_second", workload.architecture), free["lambda_gb_seconds"]
    yield _partly_free("Lambda duration", seconds, "GB-s", price, free_seconds)
    if not workload.snapstart:
        start_seconds = workload.start_gb_seconds
        yield _partly_free("Cold starts", start_seconds, "GB-s", price, free_seconds - seconds)


def _snapshot_items(workload: Workload, prices: Prices) -> Iterator[Item]:
    if cache := workload.billed_snapshots * workload.gb * MONTH_S:
        cache_usd = cache * prices.price("snapstart_cache_gb_second")
        yield Item("SnapStart cache", cache, "GB-s", cache_usd, False)
    if workload.snapstart:
        restores = workload.cold_starts * workload.gb
        restores_usd = restores * prices.price("snapstart_restore_gb")
        yield Item("SnapStart restores", restores, "GB", restores_usd, True)


def _api_item(workload: Workload, prices: Prices) -> Item:
    million = workload.requests / 1e6
    usd, below = 0.0, 0.0
    for limit, price in prices.tiers("api_million"):
        usd += max(0.0, min(million, limit) - below) * price
        below = limit
    return Item("API Gateway requests", million, "million", usd, True)


def _cloudwatch_items(workload: Workload, prices: Prices) -> Iterator[Item]:
    free = prices.free
    log = workload.requests * (LOG_BYTES + workload.record_bytes) / 1e9
    yield _partly_free("Logs written", log, "GB", prices.price("logs_gb"), free["logs_gb"])
    archive = log * LOG_COMPRESSION * workload.log_days / (MONTH_S / 86_400)
    archive_usd = archive * prices.price("logs_gb_month")
    archive_free_usd = archive_usd if log + archive <= free["logs_gb"] else 0.0
    yield Item("Logs kept", archive, "GB", archive_usd, True, archive_free_usd)
    yield _partly_free("Alarms", ALARMS, "alarms", prices.price("alarm_month"), free["alarms"], False)
    # Only hours in which requests send metrics are billed: 1 - exp(-x) of them, with x requests an hour.
    metrics = METRICS * (1 - math.exp(-workload.requests / MONTH_HOURS))
    yield _partly_free("Metrics", metrics, "metrics", prices.price("metric_month"), free["metrics"], False)
