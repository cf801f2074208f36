"""How long a request takes: seen by CloudWatch on the deployed function, or measured on this machine."""

import io
import statistics
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import boto3

from shutterless.deploy.failures import aws_errors

# A week with its weekend, twice.
PAST = timedelta(days=14)
METRICS = {
    "requests": ("Invocations", "Sum"),
    "errors": ("Errors", "Sum"),
    "duration": ("Duration", "Sum"),
    "p95": ("Duration", "p95"),
}
ROUNDS = 20
# The photo that stands for users' own, where none is given: as the page sends them, shrunk by the browser.
PHOTO_PX = 1024


@dataclass(frozen=True)
class Observed:
    """What CloudWatch saw of a function: requests, errors, mean duration, and the worst day's p95."""

    requests: int
    errors: int
    mean_ms: float
    p95_ms: float


def observe(session: boto3.Session, function: str, past: timedelta) -> Observed | None:
    """Return what a function did in the time just past, or None if it was not called.

    AWS/Lambda Duration is what is billed, but for rounding and cold starts' initialisation.
    """
    now = datetime.now(UTC)
    with aws_errors():
        answer = session.client("cloudwatch").get_metric_data(
            MetricDataQueries=[_query(name, *asked, function, past) for name, asked in METRICS.items()],
            StartTime=now - past,
            EndTime=now,
        )
    found = {result["Id"]: result["Values"] for result in answer["MetricDataResults"]}
    requests, errors, duration = (sum(found.get(name, [])) for name in ("requests", "errors", "duration"))
    if not requests:
        return None
    return Observed(round(requests), round(errors), duration / requests, max(found.get("p95") or [0.0]))


def measure(bundle: Path, photo: Path | None = None) -> float:
    """Return the milliseconds of one core of this machine that a request takes, the median of 20.

    From the photo's bytes to the answer; what a request waits for is not in it. photo: a typical one; a
    drawn JPEG of 1,024 × 1,024 pixels if not given. Raises `ShutterlessError` if the bundle does not
    verify, `Problem` if the photo cannot be read.
    """
    from shutterless.runtime.bundle import read_bundle
    from shutterless.runtime.classifier import Classifier
    from shutterless.runtime.pixels import decode, read

    classifier = Classifier(read_bundle(bundle), threads=1)
    data = read(photo) if photo else _drawn_photo()
    took = []
    for _ in range(ROUNDS):
        started = time.process_time()
        classifier.classify(decode(data, classifier.input))
        took.append((time.process_time() - started) * 1000)
    return statistics.median(took)


def _query(name: str, metric: str, statistic: str, function: str, past: timedelta) -> dict[str, object]:
    asked = {
        "Namespace": "AWS/Lambda",
        "MetricName": metric,
        "Dimensions": [{"Name": "FunctionName", "Value": function}],
    }
    period = round(min(past, timedelta(days=1)).total_seconds())
    return {"Id": name, "MetricStat": {"Metric": asked, "Period": period, "Stat": statistic}}


def _drawn_photo() -> bytes:
    from shutterless.dataset.sample import draw_garment

    file = io.BytesIO()
    draw_garment("dress", PHOTO_PX, Random(42)).save(file, "JPEG", quality=90)
    return file.getvalue()
