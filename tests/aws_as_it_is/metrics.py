"""CloudWatch: metrics by dimensions, metric math, and alarms that are evaluated every minute."""

import ast
import operator
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.aws_as_it_is.errors import AwsError

if TYPE_CHECKING:
    from tests.aws_as_it_is.account import Account

# start of a period in seconds since 1970 → value
Series = dict[int, float]
Key = tuple[str, str, frozenset[tuple[str, str]]]

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
STATISTICS: dict[str, Callable[[list[float]], float]] = {
    "Sum": sum,
    "Average": lambda values: sum(values) / len(values),
    "Minimum": min,
    "Maximum": max,
    "SampleCount": lambda values: float(len(values)),
}
ARITHMETIC: dict[type, Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
}


@dataclass
class Alarm:
    """An alarm."""

    name: str
    properties: dict[str, Any]
    state: str = "INSUFFICIENT_DATA"
    history: list[tuple[float, str]] = field(default_factory=list)


class Metrics:
    """The metrics and alarms of an account."""

    def __init__(self, account: "Account") -> None:
        self.account = account
        self.values: dict[Key, dict[int, list[float]]] = defaultdict(_minutes)
        self.alarms: dict[str, Alarm] = {}

    def record(self, namespace: str, name: str, dimensions: dict[str, str], value: float) -> None:
        """Add one value at the account's time."""
        key = (namespace, name, frozenset(dimensions.items()))
        self.values[key][int(self.account.clock.time_s // 60) * 60].append(value)

    def statistic(
        self, metric: dict[str, Any], period: int, statistic: str, start: float, end: float
    ) -> Series:
        """Return the statistic of a metric for each period in a time range that has values."""
        dimensions = frozenset((each["Name"], each["Value"]) for each in metric.get("Dimensions", []))
        periods: dict[int, list[float]] = defaultdict(list)
        for minute, values in self.values.get(
            (metric["Namespace"], metric["MetricName"], dimensions), {}
        ).items():
            if start <= minute < end:
                periods[minute // period * period] += values
        return {time: _statistic(statistic, values) for time, values in sorted(periods.items())}

    def evaluate(self) -> None:
        """Set the state of each alarm; called every minute."""
        for alarm in self.alarms.values():
            self._set_state(alarm, self._judge(alarm.properties))

    def _judge(self, properties: dict[str, Any]) -> str:
        """Return the state that an alarm should have by its last periods."""
        stats = [each["MetricStat"] for each in properties.get("Metrics", []) if "MetricStat" in each]
        period = int(stats[0]["Period"] if stats else properties["Period"])
        count = int(properties["EvaluationPeriods"])
        end = int(self.account.clock.time_s // period) * period
        start = end - count * period
        series = self._alarm_series(properties, start, end)
        compare, treatment = (
            COMPARISONS[properties["ComparisonOperator"]],
            properties.get("TreatMissingData", "missing"),
        )
        breaches = [
            compare(series[time], float(properties["Threshold"]))
            if time in series
            else treatment == "breaching"
            for time in range(start, end, period)
            if time in series or treatment in ("breaching", "notBreaching")
        ]
        if not breaches:
            return "" if treatment == "ignore" else "INSUFFICIENT_DATA"
        return "ALARM" if sum(breaches) >= int(properties.get("DatapointsToAlarm", count)) else "OK"

    def _alarm_series(self, properties: dict[str, Any], start: float, end: float) -> Series:
        if "Metrics" in properties:
            queries = properties["Metrics"]
            results = self._query(queries, start, end)
            (returned,) = [each["Id"] for each in queries if each.get("ReturnData", True)]
            return results[returned]
        statistic = properties.get("Statistic") or properties["ExtendedStatistic"]
        return self.statistic(properties, int(properties["Period"]), statistic, start, end)

    def _set_state(self, alarm: Alarm, state: str) -> None:
        if state and state != alarm.state:
            alarm.state = state
            alarm.history.append((self.account.clock.time_s, state))

    def put_alarm(self, name: str, properties: dict[str, Any]) -> None:
        alarm = self.alarms.setdefault(name, Alarm(name, properties))
        alarm.properties = properties

    def find(self, arn: str) -> Alarm | None:
        """Return the alarm with this ARN."""
        return self.alarms.get(arn.rpartition(":alarm:")[2])

    def _query(self, queries: list[dict[str, Any]], start: float, end: float) -> dict[str, Series]:
        results: dict[str, Series] = {}
        for query in sorted(queries, key=lambda each: "Expression" in each):
            if "MetricStat" in query:
                stat = query["MetricStat"]
                results[query["Id"]] = self.statistic(
                    stat["Metric"], int(stat["Period"]), stat["Stat"], start, end
                )
            else:
                periods = [int(each["MetricStat"]["Period"]) for each in queries if "MetricStat" in each]
                grid = range(int(start), int(end), min(periods, default=60))
                results[query["Id"]] = _evaluate(query["Expression"], results, grid)
        return results

    # The API.

    def put_metric_data(self, Namespace: str, MetricData: list[dict[str, Any]], **_: Any) -> dict[str, Any]:
        for each in MetricData:
            dimensions = {item["Name"]: item["Value"] for item in each.get("Dimensions", [])}
            for value in each.get("Values", [each.get("Value", 0.0)]):
                self.record(Namespace, each["MetricName"], dimensions, value)
        return {}

    def get_metric_data(
        self,
        MetricDataQueries: list[dict[str, Any]],
        StartTime: datetime,
        EndTime: datetime,
        **_: Any,
    ) -> dict[str, Any]:
        results = self._query(MetricDataQueries, _seconds(StartTime), _seconds(EndTime))
        return {
            "MetricDataResults": [
                {
                    "Id": query["Id"],
                    "Label": query.get("Label", query["Id"]),
                    "Timestamps": [_time(time) for time in reversed(results[query["Id"]])],
                    "Values": list(reversed(results[query["Id"]].values())),
                    "StatusCode": "Complete",
                }
                for query in MetricDataQueries
                if query.get("ReturnData", True)
            ],
            "Messages": [],
        }

    def get_metric_statistics(
        self,
        Namespace: str,
        MetricName: str,
        StartTime: datetime,
        EndTime: datetime,
        Period: int,
        Statistics: list[str] | None = None,
        ExtendedStatistics: list[str] | None = None,
        Dimensions: list[dict[str, str]] | None = None,
        **_: Any,
    ) -> dict[str, Any]:
        metric = {"Namespace": Namespace, "MetricName": MetricName, "Dimensions": Dimensions or []}
        start, end = _seconds(StartTime), _seconds(EndTime)
        points: dict[int, dict[str, Any]] = defaultdict(dict)
        for name in Statistics or []:
            for time, value in self.statistic(metric, Period, name, start, end).items():
                points[time][name] = value
        for name in ExtendedStatistics or []:
            for time, value in self.statistic(metric, Period, name, start, end).items():
                points[time].setdefault("ExtendedStatistics", {})[name] = value
        return {
            "Label": MetricName,
            "Datapoints": [{"Timestamp": _time(time), **point} for time, point in points.items()],
        }

    def list_metrics(
        self,
        Namespace: str | None = None,
        MetricName: str | None = None,
        Dimensions: list[dict[str, str]] | None = None,
        **_: Any,
    ) -> dict[str, Any]:
        def fits(dimensions: dict[str, str]) -> bool:
            return all(
                each["Name"] in dimensions
                and each.get("Value", dimensions[each["Name"]]) == dimensions[each["Name"]]
                for each in Dimensions or []
            )

        return {
            "Metrics": [
                {
                    "Namespace": namespace,
                    "MetricName": name,
                    "Dimensions": [{"Name": key, "Value": value} for key, value in sorted(dimensions)],
                }
                for namespace, name, dimensions in self.values
                if Namespace in (None, namespace) and MetricName in (None, name) and fits(dict(dimensions))
            ]
        }

    def describe_alarms(
        self,
        AlarmNames: list[str] | None = None,
        AlarmNamePrefix: str = "",
        StateValue: str | None = None,
        **_: Any,
    ) -> dict[str, Any]:
        return {
            "MetricAlarms": [
                {
                    "AlarmName": alarm.name,
                    "AlarmArn": self.account.arn("cloudwatch", f"alarm:{alarm.name}"),
                    "StateValue": alarm.state,
                    "StateReason": "",
                    **alarm.properties,
                }
                for alarm in self.alarms.values()
                if (AlarmNames is None or alarm.name in AlarmNames)
                and alarm.name.startswith(AlarmNamePrefix)
                and StateValue in (None, alarm.state)
            ]
        }

    def set_alarm_state(self, AlarmName: str, StateValue: str, **_: Any) -> dict[str, Any]:
        if AlarmName not in self.alarms:
            raise AwsError("ResourceNotFound", "", 404)
        self._set_state(self.alarms[AlarmName], StateValue)
        return {}

    def delete_alarms(self, AlarmNames: list[str]) -> dict[str, Any]:
        for name in AlarmNames:
            self.alarms.pop(name, None)
        return {}


def _minutes() -> dict[int, list[float]]:
    return defaultdict(list)


def _statistic(name: str, values: list[float]) -> float:
    if name in STATISTICS:
        return float(STATISTICS[name](values))
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(float(name.removeprefix("p")) / 100 * len(ordered)))]


def _evaluate(expression: str, series: dict[str, Series], grid: range) -> Series:
    """Return the value of a metric math expression at each time of a grid that has one."""

    def value(node: ast.AST) -> Series | float:
        match node:
            case ast.Expression():
                return value(node.body)
            case ast.Constant():
                return float(node.value)  # type: ignore[arg-type]
            case ast.Name():
                return series[node.id]
            case ast.BinOp():
                return _combine(ARITHMETIC[type(node.op)], value(node.left), value(node.right))
            case ast.Compare():
                return _combine(ARITHMETIC[type(node.ops[0])], value(node.left), value(node.comparators[0]))
            case ast.Call(func=ast.Name(id="FILL")):
                known, default = value(node.args[0]), value(node.args[1])
                assert isinstance(known, dict) and isinstance(default, float)
                return {time: known.get(time, default) for time in grid}
            case ast.Call(func=ast.Name(id="IF")):
                condition, then, other = map(value, node.args)
                assert isinstance(condition, dict)
                pairs = {time: then if truth else other for time, truth in condition.items()}
                return {
                    time: each[time] if isinstance(each, dict) else each
                    for time, each in pairs.items()
                    if not isinstance(each, dict) or time in each
                }
            case ast.UnaryOp(op=ast.USub()):
                return _combine(operator.sub, 0.0, value(node.operand))
        raise AwsError("ValidationError", f"Unsupported expression: {expression}")

    result = value(ast.parse(expression, mode="eval"))
    return result if isinstance(result, dict) else dict.fromkeys(grid, result)


def _combine(
    function: Callable[[float, float], float], left: Series | float, right: Series | float
) -> Series | float:
    if not isinstance(left, dict) and not isinstance(right, dict):
        return function(left, right)
    times = [set(each) for each in (left, right) if isinstance(each, dict)]
    result = {}
    for time in sorted(set.intersection(*times)):
        a = left[time] if isinstance(left, dict) else left
        b = right[time] if isinstance(right, dict) else right
        if function is not operator.truediv or b:
            result[time] = float(function(a, b))
    return result


def _seconds(time: datetime) -> float:
    return time.timestamp()


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
