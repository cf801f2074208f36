"""Estimate a deployment's cost per request and per month from its workload and a price table."""

import math
from dataclasses import asdict, dataclass, replace

from shutterless.deploy.cost.prices import Prices
from shutterless.errors import InputError
from shutterless.runtime.json_types import JsonObject

# AWS's calculator counts 730 hours in a month.
MONTH_S = 730 * 3600
# One virtual CPU, https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
CPU_MB = 1769
ARCHITECTURES = ("x86_64", "arm64")
MEMORY_SIZES = (512, 768, 1024, 1280, 1536, CPU_MB, 2048, 3008)

# Bytes of an answer with ten labels and its headers, and of a request's lines in the log: ours and Lambda's
# START, END and REPORT.
ANSWER_BYTES = 1_200
LOG_BYTES = 1_200
# CloudWatch compresses the logs it keeps; the examples of its price page assume this ratio.
LOG_COMPRESSION = 0.15
ALARMS = 3  # errors, throttles, slow calls
METRICS = 3  # duration, confidence, rejected: see runtime/access_log.py


@dataclass(frozen=True)
class Workload:
    """What runs, and how often.

    Attributes:
        duration_ms: Billed milliseconds of one request.
        memory: The function's memory in MB.
        requests: Requests per month.
        architecture: `x86_64` or `arm64`.
        provisioned: The number of instances kept warm.
        snapstart: Whether the function starts from a snapshot.
        versions: The number of versions with a snapshot.
        cold_share: The share of requests, 0 to 1, that find no warm instance.
        image_mb: Compressed size of all images together, in MB.
        log_days: Days that logs are kept.

    Raises:
        ShutterlessError: There is no such architecture, or AWS does not support the combination.
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
                f"The architecture cannot be {self.architecture!r}",
                f"Set it to one of: {', '.join(ARCHITECTURES)}.",
            )
        if self.snapstart and self.provisioned:
            raise InputError(
                "conflicting-options",
                "AWS does not support SnapStart together with provisioned concurrency",
                "Choose one of them.",
            )

    @property
    def gb(self) -> float:
        """Memory in GB."""
        return self.memory / 1024

    @property
    def gb_seconds(self) -> float:
        """The GB-seconds that Lambda bills per month. Each request is rounded up to a millisecond."""
        return self.requests * math.ceil(self.duration_ms) / 1000 * self.gb

    def with_memory(self, memory: int) -> "Workload":
        """Return the workload with another memory and the duration estimated for it.

        Lambda provides CPU in proportion to memory, one virtual CPU at 1,769 MB
        (https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html), and the inference of one
        request is assumed to use one CPU at most: with less, it takes longer in proportion; with more, it
        is no faster. Time spent on waiting, such as for the download of a URL, changes less than that.

        Args:
            memory: In MB.
        """
        slowdown = min(self.memory, CPU_MB) / min(memory, CPU_MB)
        return replace(self, memory=memory, duration_ms=self.duration_ms * slowdown)


@dataclass(frozen=True)
class Item:
    """One line of a bill.

    Attributes:
        name: What is billed.
        quantity: How much of it per month.
        unit: The unit of `quantity`.
        usd: US dollars per month.
        per_request: Whether it grows with the requests.
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
        return sum(item.usd for item in self.items if not item.per_request)

    @property
    def per_request_usd(self) -> float:
        """US dollars for one request."""
        total = sum(item.usd for item in self.items if item.per_request)
        return total / self.workload.requests if self.workload.requests else 0.0

    def to_json(self) -> JsonObject:
        """Return the estimate as a JSON object, with its sums."""
        return {
            "workload": asdict(self.workload),
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
        '$1.96 per month, $1.23 without any request'
    """
    items = [*_lambda_items(workload, prices), *_api_items(workload, prices), *_other_items(workload, prices)]
    return Estimate(workload, prices, tuple(items))


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


def _lambda_items(workload: Workload, prices: Prices) -> list[Item]:
    million = workload.requests / 1e6
    request_usd = prices.price("lambda_million_requests")
    free = min(workload.requests, prices.free["lambda_requests"]) / 1e6
    requests = Item("Lambda requests", million, "million", million * request_usd, True, free * request_usd)
    if workload.provisioned:
        return [requests, *_provisioned_items(workload, prices)]
    second_usd = prices.price("lambda_gb_second", workload.architecture)
    free = min(workload.gb_seconds, prices.free["lambda_gb_seconds"])
    usd = workload.gb_seconds * second_usd
    duration = Item("Lambda duration", workload.gb_seconds, "GB-s", usd, True, free * second_usd)
    return [requests, duration, *(_snapstart_items(workload, prices) if workload.snapstart else [])]


def _provisioned_items(workload: Workload, prices: Prices) -> list[Item]:
    """Assumes that every request finds a warm instance. The free tier does not apply."""
    warm = workload.provisioned * workload.gb * MONTH_S
    warm_usd = warm * prices.price("provisioned_gb_second", workload.architecture)
    run_usd = workload.gb_seconds * prices.price("provisioned_run_gb_second", workload.architecture)
    return [
        Item("Provisioned concurrency", warm, "GB-s", warm_usd, False),
        Item("Lambda duration", workload.gb_seconds, "GB-s", run_usd, True),
    ]


def _snapstart_items(workload: Workload, prices: Prices) -> list[Item]:
    cache = workload.versions * workload.gb * MONTH_S
    cache_usd = cache * prices.price("snapstart_cache_gb_second")
    restores = workload.requests * workload.cold_share * workload.gb
    restores_usd = restores * prices.price("snapstart_restore_gb")
    return [
        Item("SnapStart cache", cache, "GB-s", cache_usd, False),
        Item("SnapStart restores", restores, "GB", restores_usd, True),
    ]


def _api_items(workload: Workload, prices: Prices) -> list[Item]:
    million = workload.requests / 1e6
    usd, below = 0.0, 0.0
    for limit, price in prices.tiers("api_million"):
        usd += max(0.0, min(million, limit) - below) * price
        below = limit
    gb = workload.requests * ANSWER_BYTES / 1e9
    gb_usd = prices.price("data_out_gb")
    free_usd = min(gb, prices.free["data_out_gb"]) * gb_usd
    return [
        Item("API Gateway requests", million, "million", usd, True),
        Item("Data out", gb, "GB", gb * gb_usd, True, free_usd),
    ]


def _other_items(workload: Workload, prices: Prices) -> list[Item]:
    """Logs, alarms, metrics and images."""
    free = prices.free
    log, log_usd = workload.requests * LOG_BYTES / 1e9, prices.price("logs_gb")
    archive = log * LOG_COMPRESSION * workload.log_days / (MONTH_S / 86_400)
    archive_usd = archive * prices.price("logs_gb_month")
    archive_free_usd = archive_usd if log + archive <= free["logs_gb"] else 0.0
    alarm_usd, metric_usd = prices.price("alarm_month"), prices.price("metric_month")
    images = workload.image_mb / 1000
    return [
        Item("Logs written", log, "GB", log * log_usd, True, min(log, free["logs_gb"]) * log_usd),
        Item("Logs kept", archive, "GB", archive_usd, True, archive_free_usd),
        Item("Alarms", ALARMS, "alarms", ALARMS * alarm_usd, False, min(ALARMS, free["alarms"]) * alarm_usd),
        Item(
            "Metrics",
            METRICS,
            "metrics",
            METRICS * metric_usd,
            False,
            min(METRICS, free["metrics"]) * metric_usd,
        ),
        Item("Images kept", images, "GB", images * prices.price("ecr_gb_month"), False),
    ]
