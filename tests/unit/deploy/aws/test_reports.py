from datetime import timedelta

import pytest

from shutterless.deploy.aws import reports
from shutterless.deploy.aws.reports import ColdStarts, read_cold_starts

COLD = (
    "REPORT RequestId: 8f5 Duration: 12.34 ms\tBilled Duration: 513 ms\tMemory Size: 1769 MB\t"
    "Max Memory Used: 120 MB\tInit Duration: 500.25 ms\t\n"
)
RESTORED = (
    "REPORT RequestId: 8f5\tDuration: 12.34 ms\tBilled Duration: 54 ms\tMemory Size: 1769 MB\t"
    "Max Memory Used: 120 MB\tRestore Duration: 300.5 ms\tBilled Restore Duration: 41 ms\t\n"
)
AS_JSON = (
    '{"time":"2026-11-26T17:00:00Z","type":"platform.report","record":{"requestId":"8f5","metrics":'
    '{"durationMs":12.34,"billedDurationMs":513,"memorySizeMB":1769,"initDurationMs":500.25}}}'
)


def read(aws):
    return read_cold_starts(aws, "shutterless-clothes", timedelta(days=1))


def answer(aws, *messages, token=None):
    events = [{"eventId": "1", "timestamp": 1, "message": message} for message in messages]
    aws.answer("logs", "filter_log_events", {"events": events, **({"nextToken": token} if token else {})})


@pytest.mark.parametrize(("message", "ms"), [(COLD, 500.25), (RESTORED, 300.5), (AS_JSON, 500.25)])
def test_a_cold_start_is_read_from_each_format_of_the_report(aws, message, ms):
    answer(aws, message)
    assert read(aws) == ColdStarts(1, ms, is_complete=True)


def test_the_mean_is_that_of_all_pages(aws):
    answer(aws, COLD, token="2")
    answer(aws, token="3")  # pages may be empty while CloudWatch searches
    answer(aws, COLD.replace("500.25", "700.25"))
    assert read(aws) == ColdStarts(2, 600.25, is_complete=True)


def test_what_a_user_s_line_contains_is_no_cold_start(aws):
    answer(aws, '{"label": "Init Duration", "initDurationMs": "pants"}')
    assert read(aws) == ColdStarts(0, 0.0, is_complete=True)


def test_a_log_with_too_many_pages_is_only_read_at_its_beginning(aws, monkeypatch):
    monkeypatch.setattr(reports, "MAX_PAGES", 2)
    answer(aws, COLD, token="2")
    answer(aws, token="3")
    answer(aws, COLD)
    assert read(aws) == ColdStarts(1, 500.25, is_complete=False)
