"""Metrics of a deployed function from CloudWatch."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import boto3

from shutterless.deploy.aws.errors import aws_errors

# name: (metric of AWS/Lambda, statistic)
METRICS = {
    "requests": ("Invocations", "Sum"),
    "errors": ("Errors", "Sum"),
    "duration": ("Duration", "Sum"),
    "p95": ("Duration", "p95"),
}


@dataclass(frozen=True)
class FunctionMetrics:
    """What CloudWatch measured of a function.

    Attributes:
        requests: The number of calls.
        errors: The number of calls that failed.
        mean_ms: The mean duration of a call.
        p95_ms: The 95th percentile of the duration, that of the worst day.
    """

    requests: int
    errors: int
    mean_ms: float
    p95_ms: float


def read_metrics(session: boto3.Session, function: str, period: timedelta) -> FunctionMetrics | None:
    """Return a function's metrics of the most recent `period`, None if it was not called.

    Duration is what AWS bills, apart from rounding and the initialisation at a cold start.
    """
    now = datetime.now(UTC)
    with aws_errors():
        answer = session.client("cloudwatch").get_metric_data(
            MetricDataQueries=[_query(name, *metric, function, period) for name, metric in METRICS.items()],
            StartTime=now - period,
            EndTime=now,
        )
    values = {result["Id"]: result["Values"] for result in answer["MetricDataResults"]}
    requests, errors, duration = (sum(values.get(name, [])) for name in ("requests", "errors", "duration"))
    if not requests:
        return None
    return FunctionMetrics(
        round(requests), round(errors), duration / requests, max(values.get("p95") or [0.0])
    )


def _query(name: str, metric: str, statistic: str, function: str, period: timedelta) -> dict[str, object]:
    description = {
        "Namespace": "AWS/Lambda",
        "MetricName": metric,
        "Dimensions": [{"Name": "FunctionName", "Value": function}],
    }
    seconds = round(min(period, timedelta(days=1)).total_seconds())
    return {"Id": name, "MetricStat": {"Metric": description, "Period": seconds, "Stat": statistic}}
