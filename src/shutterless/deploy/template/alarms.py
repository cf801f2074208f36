"""The template's alarms: on the calls of the alias, and on those that a canary answers.

Lambda's metric `Errors` only counts calls that crashed, ran out of memory or timed out: an answer with
status 500 is a success to it. The runtime counts those itself, see `runtime.access_log`. There is an alarm
for each of the two metrics and no metric math: an expression costs as much as two alarms, has no value
where one of its metrics has none, and with FILL it takes a late data point for a zero.
"""

from collections.abc import Sequence

from shutterless.deploy.options import Options
from shutterless.deploy.template.function import ALIAS, version_number
from shutterless.deploy.template.notifications import alarm_actions
from shutterless.deploy.template.types import Resource
from shutterless.runtime.json_types import Json

# The logical ids of a canary's alarms.
CANARY_ALARM_IDS = ("CanaryErrorsAlarm", "CanaryCrashesAlarm", "CanarySlowAlarm")
# The namespace of the metrics that the runtime writes.
NAMESPACE = "shutterless"
FUNCTION: Json = {"Ref": "Function"}
RESOURCE: Json = {"Fn::Sub": f"${{Function}}:{ALIAS}"}

Dimensions = Sequence[tuple[str, Json]]


def alarm_names(function: str) -> tuple[str, str, str, str]:
    """Return the names of a function's alarms: error answers, crashes, throttles, slow calls."""
    return f"{function}-errors", f"{function}-crashes", f"{function}-throttles", f"{function}-slow"


def alarm_resources(function: str, options: Options) -> dict[str, Resource]:
    """Return the alarms of a deployment, by logical id.

    Args:
        function: The function's name.
        options: How it is deployed.
    """
    errors, crashes, throttles, slow = alarm_names(function)
    alias = [("FunctionName", FUNCTION), ("Resource", RESOURCE)]
    return {
        "ErrorsAlarm": _error_answers(errors, options, [("function", FUNCTION)]),
        "CrashesAlarm": _crashes(crashes, options, alias),
        "ThrottlesAlarm": _count_alarm(
            throttles, options, "AWS/Lambda", alias, "Throttles", 1, "Lambda rejected calls: too many at once"
        ),
        "SlowAlarm": _slow_calls(slow, options, alias),
    }


def canary_alarm_names(function: str, version: str) -> tuple[str, str, str]:
    """Return the names of a canary's alarms: error answers, crashes, slow calls.

    Each canary has alarms of its own, because an existing alarm would keep its state, and one that is
    already in alarm would roll the next canary back at once.

    Args:
        function: The function's name.
        version: The logical id of the canary's version.
    """
    prefix = f"{function}-{version.lower()}"
    return f"{prefix}-errors", f"{prefix}-crashes", f"{prefix}-slow"


def canary_alarm_resources(function: str, version: str, options: Options) -> dict[str, Resource]:
    """Return the alarms that only see the calls which a canary answers, by logical id.

    They are the rollback triggers of the change that gives the canary its share, so they must exist before.

    Args:
        function: The function's name.
        version: The logical id of the canary's version.
        options: How it is deployed.
    """
    errors, crashes, slow = canary_alarm_names(function, version)
    number = version_number(version)
    # Lambda's metrics have the version that answered only together with the alias that was called.
    alias = [("FunctionName", FUNCTION), ("Resource", RESOURCE), ("ExecutedVersion", number)]
    return {
        "CanaryErrorsAlarm": _error_answers(errors, options, [("function", FUNCTION), ("version", number)]),
        "CanaryCrashesAlarm": _crashes(crashes, options, alias),
        "CanarySlowAlarm": _slow_calls(slow, options, alias),
    }


def _error_answers(name: str, options: Options, dimensions: Dimensions) -> Resource:
    limit = options.alarm_errors
    description = f"{limit} or more answers within a minute had status 500 or above"
    return _count_alarm(name, options, NAMESPACE, dimensions, "errors", limit, description)


def _crashes(name: str, options: Options, dimensions: Dimensions) -> Resource:
    limit = options.alarm_errors
    description = f"{limit} or more calls within a minute crashed or timed out"
    return _count_alarm(name, options, "AWS/Lambda", dimensions, "Errors", limit, description)


def _count_alarm(
    name: str,
    options: Options,
    namespace: str,
    dimensions: Dimensions,
    metric: str,
    limit: int,
    description: str,
) -> Resource:
    """Return an alarm on a metric that counts something: so many or more within a minute."""
    return _alarm(
        name,
        options,
        namespace,
        dimensions,
        MetricName=metric,
        Statistic="Sum",
        Threshold=limit,
        EvaluationPeriods=1,
        AlarmDescription=description,
    )


def _slow_calls(name: str, options: Options, dimensions: Dimensions) -> Resource:
    return _alarm(
        name,
        options,
        "AWS/Lambda",
        dimensions,
        MetricName="Duration",
        ExtendedStatistic="p95",
        Threshold=options.alarm_p95_ms,
        EvaluationPeriods=3,
        AlarmDescription=f"5 % of the calls took longer than {options.alarm_p95_ms} ms for three minutes",
    )


def _alarm(
    name: str, options: Options, namespace: str, dimensions: Dimensions, **condition: Json
) -> Resource:
    properties: dict[str, Json] = {
        "AlarmName": name,
        "Namespace": namespace,
        "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions],
        "Period": 60,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "notBreaching",
        **condition,
    }
    if actions := alarm_actions(options):
        properties["AlarmActions"] = actions
    return {"Type": "AWS::CloudWatch::Alarm", "Properties": properties}
