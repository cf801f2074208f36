"""Metrics of a deployed function from CloudWatch."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import boto3

from shutterless.deploy.aws.errors import aws_errors
from shutterless.deploy.template.alarms import NAMESPACE

# name: (namespace, dimension of the function's name, metric, statistic)
METRICS = {
    "requests": ("AWS/Lambda", "FunctionName", "Invocations", "Sum"),
    "crashes": ("AWS/Lambda", "FunctionName", "Errors", "Sum"),
    "errors": (NAMESPACE, "function", "errors", "Sum"),  # which Lambda counts as successes
    "duration": ("AWS/Lambda", "FunctionName", "Duration", "Sum"),
    "p95": ("AWS/Lambda", "FunctionName", "Duration", "p95"),
}
# CloudWatch adds up hours: days might not begin with the period, and a young deployment has only a few hours.
BUCKET_S = 3600


@dataclass(frozen=True)
class FunctionMetrics:
    """What CloudWatch measured of a function.

    Attributes:
        requests: The number of calls.
        errors: The number of calls that crashed, timed out, or were answered with status 500 or above.
        mean_ms: The mean duration of a call.
        p95_ms: The 95th percentile of the duration, that of the worst hour.
    """

    requests: int
    errors: int
    mean_ms: float
    p95_ms: float


def read_metrics(session: boto3.Session, function: str, period: timedelta) -> FunctionMetrics | None:
    """Return a function's metrics of the most recent `period` of whole hours, None if it was not called.

    Duration is what AWS bills, apart from rounding and the initialisation at a cold start.
    """
    now = datetime.now(UTC)
    with aws_errors():
        answer = session.client("cloudwatch").get_metric_data(
            MetricDataQueries=[_query(name, function) for name in METRICS],
            StartTime=now - period,
            EndTime=now,
        )
    values = {result["Id"]: result["Values"] for result in answer["MetricDataResults"]}
    sums = {name: sum(values.get(name, [])) for name in METRICS}
    if not sums["requests"]:
        return None
    return FunctionMetrics(
        requests=round(sums["requests"]),
        errors=round(sums["crashes"] + sums["errors"]),
        mean_ms=sums["duration"] / sums["requests"],
        p95_ms=max(values.get("p95") or [0.0]),
    )


def _query(name: str, function: str) -> dict[str, object]:
    namespace, dimension, metric, statistic = METRICS[name]
    description = {
        "Namespace": namespace,
        "MetricName": metric,
        "Dimensions": [{"Name": dimension, "Value": function}],
    }
    return {"Id": name, "MetricStat": {"Metric": description, "Period": BUCKET_S, "Stat": statistic}}


def read_alarm_states(session: boto3.Session, names: Sequence[str]) -> dict[str, str]:
    """Return the state of each of these alarms, such as `OK` or `ALARM`; none for those that do not exist."""
    if not names:
        return {}
    with aws_errors():
        answer = session.client("cloudwatch").describe_alarms(AlarmNames=list(names))
    return {alarm["AlarmName"]: alarm["StateValue"] for alarm in answer["MetricAlarms"]}
