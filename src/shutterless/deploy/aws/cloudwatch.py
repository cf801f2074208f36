"""What CloudWatch saw of a deployed function."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import boto3

from shutterless.deploy.aws.errors import aws_errors

# A week with its weekend, twice.
PAST = timedelta(days=14)
METRICS = {
    "requests": ("Invocations", "Sum"),
    "errors": ("Errors", "Sum"),
    "duration": ("Duration", "Sum"),
    "p95": ("Duration", "p95"),
}


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


def _query(name: str, metric: str, statistic: str, function: str, past: timedelta) -> dict[str, object]:
    asked = {
        "Namespace": "AWS/Lambda",
        "MetricName": metric,
        "Dimensions": [{"Name": "FunctionName", "Value": function}],
    }
    period = round(min(past, timedelta(days=1)).total_seconds())
    return {"Id": name, "MetricStat": {"Metric": asked, "Period": period, "Stat": statistic}}
