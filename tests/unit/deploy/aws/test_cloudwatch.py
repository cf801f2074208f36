from datetime import timedelta

import pytest

from shutterless.deploy.aws.cloudwatch import Observed, observe


def results(**values):
    return {"MetricDataResults": [{"Id": name, "Values": found} for name, found in values.items()]}


def test_days_are_added_up_and_the_mean_is_that_of_all_requests(aws):
    seen = results(requests=[100.0, 300.0], errors=[1.0], duration=[10_000.0, 20_000.0], p95=[90.0, 140.0])
    aws.answer("cloudwatch", "get_metric_data", seen)
    assert observe(aws, "f", timedelta(days=14)) == Observed(400, 1, 75.0, 140.0)


@pytest.mark.parametrize("seen", [results(), results(requests=[], errors=[], duration=[], p95=[])])
def test_a_function_that_was_not_called_has_nothing_to_tell(aws, seen):
    aws.answer("cloudwatch", "get_metric_data", seen)
    assert observe(aws, "f", timedelta(hours=1)) is None


@pytest.mark.parametrize(("past", "period"), [(timedelta(hours=1), 3600), (timedelta(days=14), 86_400)])
def test_the_function_is_asked_for_by_the_hour_or_the_day(aws, past, period):
    asked = {}

    def keep(params, **rest):
        asked.update(params)

    cloudwatch = aws.client("cloudwatch")
    cloudwatch.meta.events.register("provide-client-params.cloudwatch.GetMetricData", keep)
    aws.answer("cloudwatch", "get_metric_data", results())
    observe(aws, "f", past)
    assert {query["MetricStat"]["Period"] for query in asked["MetricDataQueries"]} == {period}
    assert asked["EndTime"] - asked["StartTime"] == past
