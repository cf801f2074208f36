import json
from datetime import UTC, datetime

import pytest

from shutterless.deploy.aws.logs import LogEntry
from shutterless.deploy.canary.answers import FILTER_PATTERN
from shutterless.deploy.canary.watch import FIRST_LOOK, Watch, watch_canary

LIVE, CANARY = "5", "6"


def line(version, label="hat", **members):
    record = {"route": "POST /predict", "status": 200, "version": version, "label": label, "accepted": True}
    return json.dumps({**record, **members})


class Log:
    """A log that is written while it is read."""

    def __init__(self):
        self.entries, self.now = [], 0

    def write(self, *texts):
        for text in texts:
            self.now += 1
            self.entries.append(LogEntry(self.now, text))

    def read(self):
        entries, self.entries = self.entries, []
        return entries


@pytest.fixture
def log():
    return Log()


def traffic(count, label="hat"):
    """Return so many requests to the canary, each after nine to the live version."""
    return ([line(LIVE)] * 9 + [line(CANARY, label)]) * count


def test_it_looks_when_the_canary_has_answered_5_10_20_and_so_on(log):
    watch, looks = Watch(log, LIVE, CANARY), []
    for _ in range(50):
        log.write(*traffic(1))
        looks.append(watch.look().canary_requests)
    assert sorted(set(looks)) == [0, 5, 10, 20, 40]
    assert looks.index(FIRST_LOOK) == FIRST_LOOK  # the first request only tells when the canary began


def test_the_last_look_is_at_what_there_is(log):
    log.write(*traffic(8))
    watch = Watch(log, LIVE, CANARY)
    assert watch.look().canary_requests == 7
    log.write(*traffic(1))
    assert watch.look().canary_requests == 7
    assert watch.look(is_last=True).canary_requests == 8


def test_every_look_may_be_wrong_less_often_than_the_one_before(log, monkeypatch):
    alphas = []
    monkeypatch.setattr(
        "shutterless.deploy.canary.watch.compare", lambda *arguments, **_: alphas.append(arguments[2])
    )
    watch = Watch(log, LIVE, CANARY)
    for _ in range(100):
        log.write(*traffic(1))
        watch.look()
    assert alphas == pytest.approx([0.01 / 2, 0.01 / 6, 0.01 / 12, 0.01 / 20, 0.01 / 30])
    assert sum(0.01 / (look * (look + 1)) for look in range(1, 10_000)) < 0.01


def test_a_bad_canary_is_noticed_while_it_gets_traffic(log):
    watch = Watch(log, LIVE, CANARY)
    log.write(*traffic(3, "pants"))
    assert watch.look().verdict == "too-few"
    log.write(*traffic(3, "pants"))
    comparison = watch.look()
    assert (comparison.verdict, comparison.canary_requests) == ("worse", 5)


def test_what_the_live_version_answered_before_the_canary_does_not_count(log):
    """The traffic was another one, and nobody could have got the other version."""
    log.write(*[line(LIVE, "pants")] * 500, *traffic(10))
    comparison = Watch(log, LIVE, CANARY).look()
    assert (comparison.verdict, comparison.live_requests, comparison.canary_requests) == ("healthy", 81, 9)


def test_other_versions_and_other_lines_do_not_count(log):
    others = [line("4", "pants"), line(CANARY, route="GET /"), "START RequestId: 1", "[]"]
    log.write(*(traffic(1) + others) * 10)
    comparison = Watch(log, LIVE, CANARY).look()
    assert (comparison.live_requests, comparison.canary_requests) == (81, 9)


def test_lines_that_come_late_are_put_in_order(log):
    log.write(*traffic(10))
    log.entries.reverse()
    comparison = Watch(log, LIVE, CANARY).look()
    assert (comparison.live_requests, comparison.canary_requests) == (81, 9)


@pytest.mark.parametrize("traffic", [[], [line(LIVE)] * 100, [line(CANARY)] * 100])
def test_without_traffic_of_both_there_are_too_few(log, traffic):
    log.write(*traffic)
    assert Watch(log, LIVE, CANARY).look(is_last=True).verdict == "too-few"


def test_errors_alone_are_compared_if_answers_are_to_be_ignored(log):
    log.write(*traffic(50, "pants"))
    assert Watch(log, LIVE, CANARY, ignore_answers=True).look().verdict == "healthy"


def test_only_predictions_since_the_canary_began_are_read_from_cloudwatch(aws):
    start = datetime(2026, 11, 26, 12, tzinfo=UTC)
    request = {
        "logGroupName": "/aws/lambda/shutterless-clothes",
        "startTime": round(start.timestamp() * 1000),
        "filterPattern": FILTER_PATTERN,
    }
    texts = traffic(10)
    events = [
        {"eventId": str(number), "timestamp": request["startTime"] + number, "message": text}
        for number, text in enumerate(texts)
    ]
    aws.answer("logs", "filter_log_events", {"events": events[:50], "nextToken": "more"}, **request)
    aws.answer("logs", "filter_log_events", {"events": events[50:]}, **request, nextToken="more")
    watch = watch_canary(aws, "clothes", LIVE, CANARY, start=start)
    assert watch.look(is_last=True).live_requests == 81
