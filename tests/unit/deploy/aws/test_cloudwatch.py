from datetime import timedelta

import pytest

from shutterless.deploy.aws.cloudwatch import FunctionMetrics, read_metrics


def results(**values):
    return {"MetricDataResults": [{"Id": name, "Values": each} for name, each in values.items()]}


def test_hours_are_added_up_and_the_mean_is_that_of_all_requests(aws):
    answer = results(requests=[100.0, 300.0], crashes=[1.0], duration=[10_000.0, 20_000.0], p95=[90.0, 140.0])
    aws.answer("cloudwatch", "get_metric_data", answer)
    assert read_metrics(aws, "f", timedelta(days=14)) == FunctionMetrics(400, 1, 75.0, 140.0)


def test_answers_with_status_500_are_errors_too(aws):
    """Lambda's own metric `Errors` does not count them."""
    answer = results(requests=[10.0], crashes=[1.0], errors=[2.0, 3.0], duration=[10.0], p95=[1.0])
    aws.answer("cloudwatch", "get_metric_data", answer)
    metrics = read_metrics(aws, "f", timedelta(hours=1))
    assert metrics is not None
    assert metrics.errors == 6


@pytest.mark.parametrize("answer", [results(), results(requests=[], errors=[], duration=[], p95=[])])
def test_a_function_that_was_not_called_has_no_metrics(aws, answer):
    aws.answer("cloudwatch", "get_metric_data", answer)
    assert read_metrics(aws, "f", timedelta(hours=1)) is None


@pytest.mark.parametrize("period", [timedelta(hours=1), timedelta(hours=30), timedelta(days=14)])
def test_the_function_is_asked_for_by_the_hour(aws, period):
    request = {}

    def keep(params, **rest):
        request.update(params)

    cloudwatch = aws.client("cloudwatch")
    cloudwatch.meta.events.register("provide-client-params.cloudwatch.GetMetricData", keep)
    aws.answer("cloudwatch", "get_metric_data", results())
    read_metrics(aws, "f", period)
    assert {query["MetricStat"]["Period"] for query in request["MetricDataQueries"]} == {3600}
    assert request["EndTime"] - request["StartTime"] == period
    metrics = {query["Id"]: query["MetricStat"]["Metric"] for query in request["MetricDataQueries"]}
    assert metrics["crashes"]["Namespace"] == "AWS/Lambda"
    assert metrics["errors"] == {
        "Namespace": "shutterless",
        "MetricName": "errors",
        "Dimensions": [{"Name": "function", "Value": "f"}],
    }
