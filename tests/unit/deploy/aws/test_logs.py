import json
from datetime import timedelta
from itertools import islice

import pytest

from shutterless.deploy.aws import logs
from shutterless.deploy.aws.logs import (
    POLL_INTERVAL_S,
    LogEntry,
    follow_logs,
    parse_duration,
    read_logs,
    read_period,
)
from shutterless.errors import DeployError, InputError

GROUP = "/aws/lambda/shutterless-clothes"


@pytest.fixture(autouse=True)
def _connected(aws, monkeypatch):
    monkeypatch.setattr(logs, "connect", lambda profile, region: aws)


def page(*events, **rest):
    members = [{"eventId": number, "timestamp": when, "message": f"{number}\n"} for number, when in events]
    return {"events": members, **rest}


def test_all_pages_are_read_oldest_first(aws):
    aws.answer("logs", "filter_log_events", page(("a", 1), nextToken="more"))
    aws.answer("logs", "filter_log_events", page(nextToken="still more"))
    aws.answer("logs", "filter_log_events", page(("b", 2)))
    entries = read_logs("clothes")
    assert list(entries) == [LogEntry(1, "a"), LogEntry(2, "b")]


def test_the_log_of_the_function_is_read_from_that_time_on(aws, monkeypatch):
    monkeypatch.setattr("time.time", lambda: 2_000_000.0)
    request = {"logGroupName": GROUP, "startTime": 2_000_000_000 - 600_000}
    aws.answer("logs", "filter_log_events", page(), **request)
    assert list(read_logs("clothes")) == []


def test_a_period_of_the_log_ends_where_it_says(aws, monkeypatch):
    monkeypatch.setattr("time.time", lambda: 2_000_000.0)
    request = {"logGroupName": GROUP, "startTime": 2_000_000_000 - 7_200_000}
    aws.answer("logs", "filter_log_events", page(("a", 1)), endTime=2_000_000_000 - 3_600_000, **request)
    assert list(read_period("clothes", since="2h", until="1h").read()) == [LogEntry(1, "a")]
    aws.answer("logs", "filter_log_events", page(), logGroupName=GROUP, startTime=0)
    assert list(read_period("clothes").read()) == []


def test_following_shows_each_line_once_late_ones_too_and_waits_between(aws, clock, monkeypatch):
    monkeypatch.setattr("time.time", lambda: 100.0)
    aws.answer("logs", "filter_log_events", page(("a", 200_000)), logGroupName=GROUP, startTime=40_000)
    # From here on it asks again only for what may still come late.
    request = {"logGroupName": GROUP, "startTime": 185_000}
    aws.answer("logs", "filter_log_events", page(("late", 190_000), ("a", 200_000)), **request)
    aws.answer("logs", "filter_log_events", page(("a", 200_000), ("b", 200_001)), **request)
    entries = follow_logs("clothes", since=timedelta(minutes=1))
    assert [entry.text for entry in islice(entries, 3)] == ["a", "late", "b"]
    assert clock.pauses == [POLL_INTERVAL_S, POLL_INTERVAL_S]


def test_a_deployment_without_a_log_is_refused(aws):
    aws.fail("logs", "filter_log_events", "ResourceNotFoundException")
    with pytest.raises(DeployError) as error:
        list(read_logs("clothes"))
    assert error.value.code == "no-deployment"
    assert "clothes in us-east-1" in error.value.message


def test_a_failure_in_the_middle_is_a_deploy_error(aws):
    aws.answer("logs", "filter_log_events", page(("a", 1), nextToken="more"))
    aws.fail("logs", "filter_log_events", "ThrottlingException", "Rate exceeded")
    with pytest.raises(DeployError) as error:
        list(read_logs("clothes"))
    assert error.value.code == "throttled"


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("10m", 600), ("2h", 7200), ("1d", 86_400), ("0s", 0)]
)
def test_a_duration_is_parsed(text, seconds):
    assert parse_duration(text).total_seconds() == seconds


@pytest.mark.parametrize("text", ["", "10", "m", "-5m", "10 m", "10w", "1.5h", "99999d"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(InputError) as error:
        parse_duration(text)
    assert error.value.code == "invalid-duration"


@pytest.mark.parametrize(
    ("text", "routine"),
    [
        ("START RequestId: 1 Version: 7", True),
        ("END RequestId: 1", True),
        ("REPORT RequestId: 1\tDuration: 41.00 ms\tBilled Duration: 42 ms", True),
        ("REPORT RequestId: 1\tDuration: 28000.00 ms\tStatus: timeout", False),
        ("INIT_START Runtime Version: python:3.13", True),
        ("RESTORE_START Runtime Version: python:3.13", True),
        ("2026-11-25T00:00:00Z 1 Task timed out after 28.00 seconds", False),
        ('{"request_id": "1"}', False),
        ("INFO: Created TensorFlow Lite XNNPACK delegate for CPU.", True),
    ],
)
def test_routine_lines_are_recognised(text, routine):
    assert LogEntry(0, text).is_routine is routine


@pytest.mark.parametrize(
    ("text", "record"),
    [(json.dumps({"a": 1}), {"a": 1}), ("[1]", {}), ("{", {}), ("text", {}), ("[" * 100_000, {})],
    ids=["object", "list", "broken", "text", "deep"],
)
def test_only_an_object_is_a_record(text, record):
    assert LogEntry(0, text).record == record
