"""What a deployment costs: per request and per month, from memory, duration and a dated price table."""

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

from shutterless.deploy.cost.prices import Prices
from shutterless.errors import InputError

# AWS's calculator counts 730 hours in a month.
MONTH_S = 730 * 3600
# One virtual CPU, https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
CPU_MB = 1769
ARCHITECTURES = ("x86_64", "arm64")
SIZES = (512, 768, 1024, 1280, 1536, CPU_MB, 2048, 3008)

# What a request leaves behind besides its duration, in bytes: an answer of ten labels with its headers, and
# the log's line of ours with Lambda's START, END and REPORT.
ANSWER_BYTES = 1_200
LOG_BYTES = 1_200
# CloudWatch keeps logs gzipped; the examples of its price page take them to shrink to this.
LOG_COMPRESSION = 0.15
ALARMS = 3  # errors, throttles, slow calls
METRICS = 3  # duration, confidence, rejected: see runtime/access_log.py


@dataclass(frozen=True)
class Workload:
    """What runs and how often.

    duration_ms: of one request, as billed. memory: MB. requests: a month. architecture: `x86_64` or
    `arm64`. provisioned: instances kept warm. snapstart: start from a snapshot; `versions` of them are
    kept, and `cold_share` of the requests find no warm instance. image_mb: of the images kept, together
    and compressed. log_days: how long logs are kept.
    """

    duration_ms: float
    memory: int = CPU_MB
    requests: int = 100_000
    architecture: str = "x86_64"
    provisioned: int = 0
    snapstart: bool = False
    versions: int = 2
    cold_share: float = 0.01
    image_mb: float = 300
    log_days: int = 30

    def __post_init__(self) -> None:
        if self.architecture not in ARCHITECTURES:
            raise InputError(
                "unknown-architecture",
                f"The architecture is {self.architecture!r}",
                f"Set it to one of: {', '.join(ARCHITECTURES)}.",
            )
        if self.snapstart and self.provisioned:
            raise InputError(
                "conflicting-options",
                "SnapStart and provisioned concurrency exclude each other at AWS",
                "Choose one of them.",
            )

    @property
    def gb(self) -> float:
        """Memory in GB."""
        return self.memory / 1024

    @property
    def gb_seconds(self) -> float:
        """What Lambda bills for duration: every request's, rounded up to a millisecond."""
        return self.requests * math.ceil(self.duration_ms) / 1000 * self.gb

    def resized(self, memory: int) -> "Workload":
        """Return the workload with another memory and the duration that it would have there.

        Lambda gives CPU in proportion to memory, one virtual CPU at 1,769 MB, and one request's inference
        is taken to use no more than one: below, it takes longer in proportion, above, no less. An
        estimate; what waits for others, as the fetch of a URL does, changes less than it says.
        https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
        """
        slower = min(self.memory, CPU_MB) / min(memory, CPU_MB)
        return replace(self, memory=memory, duration_ms=self.duration_ms * slower)


@dataclass(frozen=True)
class Item:
    """One line of the bill: `quantity` in `unit`s, `usd` a month.

    per_request: whether it grows with the requests. free_usd: what an account's monthly free tier takes
    off it, if nothing else in the account has used it up.
    """

    what: str
    quantity: float
    unit: str
    usd: float
    per_request: bool
    free_usd: float = 0.0


@dataclass(frozen=True)
class Estimate:
    """A month's bill."""

    workload: Workload
    prices: Prices
    items: tuple[Item, ...]

    @property
    def monthly_usd(self) -> float:
        """The whole month, as if there were no free tier."""
        return sum(item.usd for item in self.items)

    @property
    def free_usd(self) -> float:
        """What the free tier takes off it at most."""
        return sum(item.free_usd for item in self.items)

    @property
    def fixed_usd(self) -> float:
        """What a month without a request costs."""
        return sum(item.usd for item in self.items if not item.per_request)

    @property
    def per_request_usd(self) -> float:
        """What one more request costs."""
        grows = sum(item.usd for item in self.items if item.per_request)
        return grows / self.workload.requests if self.workload.requests else 0.0

    def to_json(self) -> dict[str, Any]:
        """Return the members as JSON has them, the sums with them."""
        sums = ("monthly_usd", "fixed_usd", "per_request_usd", "free_usd")
        prices = {name: getattr(self.prices, name) for name in ("region", "date", "sources")}
        return {
            "workload": asdict(self.workload),
            "prices": prices,
            "items": [asdict(item) for item in self.items],
            **{name: getattr(self, name) for name in sums},
        }


def estimate_cost(workload: Workload, prices: Prices) -> Estimate:
    """Return a month's bill for a workload; raises `ShutterlessError` if a price is not in the table."""
    items = [*_lambda(workload, prices), *_api(workload, prices), *_around(workload, prices)]
    return Estimate(workload, prices, tuple(items))


def sweep(workload: Workload, prices: Prices, sizes: tuple[int, ...] = SIZES) -> list[Estimate]:
    """Return the estimate for each size of memory, in order, durations by `Workload.resized`."""
    return [estimate_cost(workload.resized(size), prices) for size in sizes]


def cheapest(estimates: list[Estimate], latency_ms: float) -> Estimate | None:
    """Return the cheapest estimate that meets a latency, or None; of those equal to a cent the fastest."""
    meeting = [each for each in estimates if each.workload.duration_ms <= latency_ms]
    return min(
        meeting, key=lambda each: (round(each.monthly_usd, 2), each.workload.duration_ms), default=None
    )


def _lambda(workload: Workload, prices: Prices) -> list[Item]:
    million = workload.requests / 1e6
    request = prices.of("lambda_million_requests")
    free = min(workload.requests, prices.free["lambda_requests"]) / 1e6
    items = [Item("Lambda requests", million, "million", million * request, True, free * request)]
    if workload.provisioned:
        return [*items, *_provisioned(workload, prices)]
    second = prices.of("lambda_gb_second", workload.architecture)
    free = min(workload.gb_seconds, prices.free["lambda_gb_seconds"])
    bill = workload.gb_seconds * second
    items.append(Item("Lambda duration", workload.gb_seconds, "GB-s", bill, True, free * second))
    return [*items, *_snapstart(workload, prices)] if workload.snapstart else items


def _provisioned(workload: Workload, prices: Prices) -> list[Item]:
    """Every request is taken to find a warm instance; the free tier does not count for these."""
    kept = workload.provisioned * workload.gb * MONTH_S
    kept_usd = kept * prices.of("provisioned_gb_second", workload.architecture)
    run_usd = workload.gb_seconds * prices.of("provisioned_run_gb_second", workload.architecture)
    return [
        Item("Provisioned concurrency", kept, "GB-s", kept_usd, False),
        Item("Lambda duration", workload.gb_seconds, "GB-s", run_usd, True),
    ]


def _snapstart(workload: Workload, prices: Prices) -> list[Item]:
    cached = workload.versions * workload.gb * MONTH_S
    restored = workload.requests * workload.cold_share * workload.gb
    cached_usd = cached * prices.of("snapstart_cache_gb_second")
    return [
        Item("SnapStart cache", cached, "GB-s", cached_usd, False),
        Item("SnapStart restores", restored, "GB", restored * prices.of("snapstart_restore_gb"), True),
    ]


def _api(workload: Workload, prices: Prices) -> list[Item]:
    million = workload.requests / 1e6
    usd, below = 0.0, 0.0
    for limit, price in prices.tiers("api_million"):
        usd += max(0.0, min(million, limit) - below) * price
        below = limit
    out = workload.requests * ANSWER_BYTES / 1e9
    gb = prices.of("data_out_gb")
    free = min(out, prices.free["data_out_gb"]) * gb
    return [
        Item("API Gateway requests", million, "million", usd, True),
        Item("Data out", out, "GB", out * gb, True, free),
    ]


def _around(workload: Workload, prices: Prices) -> list[Item]:
    """Logs, alarms, metrics and images."""
    logged = workload.requests * LOG_BYTES / 1e9
    kept = logged * LOG_COMPRESSION * workload.log_days / (MONTH_S / 86_400)
    ingest, alarm, metric = (prices.of(name) for name in ("logs_gb", "alarm_month", "metric_month"))
    keep = kept * prices.of("logs_gb_month")
    free = prices.free
    images = workload.image_mb / 1000
    return [
        Item("Logs written", logged, "GB", logged * ingest, True, min(logged, free["logs_gb"]) * ingest),
        Item("Logs kept", kept, "GB", keep, True, keep if logged + kept <= free["logs_gb"] else 0.0),
        Item("Alarms", ALARMS, "alarms", ALARMS * alarm, False, min(ALARMS, free["alarms"]) * alarm),
        Item("Metrics", METRICS, "metrics", METRICS * metric, False, min(METRICS, free["metrics"]) * metric),
        Item("Images kept", images, "GB", images * prices.of("ecr_gb_month"), False),
    ]
