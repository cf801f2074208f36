"""What a deployment runs, and how often: the workload that its bill is estimated for."""

import math
from dataclasses import dataclass, replace

from shutterless.deploy.cost.cold_starts import estimate_cold_share
from shutterless.errors import InputError

# AWS's calculator counts 730 hours in a month.
MONTH_S = 730 * 3600
# One virtual CPU, https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
CPU_MB = 1769
ARCHITECTURES = ("x86_64", "arm64")
FRONTS = ("rest", "url")
PACKAGES = ("zip", "image")
# One core's time until a fresh process can answer, measured with the bundle of docs/tutorial.md.
START_MS = 200.0
# Compressed MB of all kept versions together. Five zips share nothing; five images share all layers but the
# model's, and have two base images.
STORED_MB = {"zip": 75.0, "image": 150.0}


@dataclass(frozen=True)
class Workload:
    """What runs, and how often.

    Attributes:
        duration_ms: Billed milliseconds of one request.
        memory: The function's memory in MB.
        requests: Requests per month.
        architecture: `x86_64` or `arm64`.
        front: What answers requests and calls the function: API Gateway (`rest`) or a function URL (`url`).
        provisioned: The number of instances kept warm.
        snapstart: Whether the function starts from a snapshot.
        snapshots: The number of versions with a snapshot, which are billed until they are deleted; None for
            two with SnapStart, and none without.
        start_ms: Billed milliseconds of the initialization of a cold start.
        cold_share: The share of requests, 0 to 1, that find no warm instance; None for the share that is
            expected for so many requests, see `cold_starts`.
        package: `zip` or `image`: what the function is deployed as.
        stored_mb: Compressed size of all kept zips or images together, in MB; None for a typical size.
        log_days: Days that logs are kept.
        record_bytes: What records add to the log line of a request, see `estimate_record_bytes`.

    Raises:
        ShutterlessError: There is no such architecture, front or package, or AWS does not support the
            combination.
    """

    duration_ms: float
    memory: int = CPU_MB
    requests: int = 100_000
    architecture: str = "x86_64"
    front: str = "rest"
    provisioned: int = 0
    snapstart: bool = False
    snapshots: int | None = None
    start_ms: float = START_MS
    cold_share: float | None = None
    package: str = "zip"
    stored_mb: float | None = None
    log_days: int = 30
    record_bytes: int = 0

    def __post_init__(self) -> None:
        if self.architecture not in ARCHITECTURES:
            raise InputError(
                "unknown-architecture",
                f"The architecture cannot be {self.architecture!r}",
                f"Set it to one of: {', '.join(ARCHITECTURES)}.",
            )
        if self.front not in FRONTS:
            raise InputError(
                "unknown-front",
                f"The front cannot be {self.front!r}",
                f"Set it to one of: {', '.join(FRONTS)}.",
            )
        if self.package not in PACKAGES:
            raise InputError(
                "unknown-package",
                f"The package cannot be {self.package!r}",
                f"Set it to one of: {', '.join(PACKAGES)}.",
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
    def stored_gb(self) -> float:
        """GB of zips or images."""
        return (STORED_MB[self.package] if self.stored_mb is None else self.stored_mb) / 1000

    @property
    def gb_seconds(self) -> float:
        """GB-seconds of requests that Lambda bills per month. Each is rounded up to a millisecond."""
        return self.requests * math.ceil(self.duration_ms) / 1000 * self.gb

    @property
    def billed_snapshots(self) -> int:
        """The number of versions with a snapshot that AWS bills."""
        if self.snapshots is None:
            return 2 if self.snapstart else 0
        return self.snapshots

    @property
    def cold_starts(self) -> float:
        """Requests per month that find no warm instance. Instances that are kept warm serve all requests."""
        if self.provisioned:
            return 0.0
        if self.cold_share is not None:
            return self.requests * self.cold_share
        return self.requests * estimate_cold_share(self.requests / MONTH_S, self.duration_ms / 1000)

    @property
    def start_gb_seconds(self) -> float:
        """GB-seconds of initialization that Lambda bills per month; none with snapshots."""
        return 0.0 if self.snapstart else self.cold_starts * math.ceil(self.start_ms) / 1000 * self.gb

    def with_memory(self, memory: int) -> "Workload":
        """Return the workload with another memory and the durations estimated for it.

        Lambda provides CPU in proportion to memory, one virtual CPU at 1,769 MB
        (https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html), and one request, or the
        initialization, is assumed to use one CPU at most: with less, it takes longer in proportion; with
        more, it is no faster. Time spent on waiting, such as for the download of a URL, changes less.

        Args:
            memory: In MB.
        """
        slowdown = min(self.memory, CPU_MB) / min(memory, CPU_MB)
        return replace(
            self,
            memory=memory,
            duration_ms=self.duration_ms * slowdown,
            start_ms=self.start_ms * slowdown,
        )
