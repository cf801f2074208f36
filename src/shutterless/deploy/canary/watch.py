"""Watch a canary: read the answers of both versions, and compare them at fixed numbers of requests."""

import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Protocol

import boto3

from shutterless.deploy.aws.logs import LogEntry, LogReader
from shutterless.deploy.canary.answers import FILTER_PATTERN, LoggedRequest, read_request
from shutterless.deploy.canary.comparison import Comparison, compare

# The probability with which a canary that answers as the live version does is turned back, all looks
# together.
FALSE_ALARM_RATE = 0.01
# Canary requests at the first look. Each later one follows when they have doubled.
FIRST_LOOK = 5
# How far back a single comparison looks. Reading a log takes a second for some 5,000 requests.
LOOKBACK = timedelta(hours=1)


class Reader(Protocol):
    """Reads a log as it grows."""

    def read(self) -> Iterable[LogEntry]:
        """Return the lines that are new since the last call."""


class Watch:
    """Compares a canary's answers with the live version's while both get traffic.

    Every look may mistake chance for a difference. So look number k may only do so with a probability of
    1 % / (k (k + 1)), which adds up to less than 1 % however many looks there are.

    Args:
        reader: Reads the log of both versions.
        live: The number of the live version.
        canary: The number of the canary's version.
        ignore_answers: Whether to compare errors only, because the new model is meant to answer differently.

    Attributes:
        comparison: What the last look showed.
    """

    def __init__(self, reader: Reader, live: str, canary: str, *, ignore_answers: bool = False) -> None:
        self._reader, self._live, self._canary = reader, live, canary
        self._ignore_answers = ignore_answers
        self._requests: list[tuple[int, LoggedRequest]] = []
        self._canary_requests = -1  # without the first one, see `_divide`
        self._looks, self._next_look = 0, FIRST_LOOK
        self.comparison = Comparison("too-few", 0, 0)

    def look(self, *, is_last: bool = False) -> Comparison:
        """Read what has been logged since the last call, and compare the answers once there are enough.

        Args:
            is_last: Whether to compare them in any case, because the canary's time is over.

        Returns:
            What the last comparison showed.

        Raises:
            ShutterlessError: AWS refuses.
        """
        for entry in self._reader.read():
            request = read_request(entry.record)
            if request and request.version in (self._live, self._canary):
                self._requests.append((entry.timestamp, request))
                self._canary_requests += request.version == self._canary
        if is_last or self._canary_requests >= self._next_look:
            self._looks += 1
            alpha = FALSE_ALARM_RATE / (self._looks * (self._looks + 1))
            self.comparison = compare(*self._divide(), alpha, ignore_answers=self._ignore_answers)
        while self._canary_requests >= self._next_look:
            self._next_look *= 2
        return self.comparison

    def _divide(self) -> tuple[list[LoggedRequest], list[LoggedRequest]]:
        """Return the requests of the live version and of the canary, after the first one of the canary.

        Nothing else tells when Lambda began to divide the calls.
        """
        self._requests.sort(key=lambda each: each[0])
        requests = [request for _, request in self._requests]
        is_canary = [request.version == self._canary for request in requests]
        requests = requests[is_canary.index(True) + 1 :] if True in is_canary else []
        live = [request for request in requests if request.version == self._live]
        return live, [request for request in requests if request.version == self._canary]


def watch_canary(
    session: boto3.Session,
    name: str,
    live: str,
    canary: str,
    *,
    start: datetime | None = None,
    ignore_answers: bool = False,
) -> Watch:
    """Return a watch over the canary of a deployment.

    Args:
        session: The AWS session.
        name: The deployment's name.
        live: The number of the live version.
        canary: The number of the canary's version.
        start: When the canary got its share of the calls, or a little before; now by default.
        ignore_answers: Whether to compare errors only, because the new model is meant to answer differently.
    """
    timestamp = start.timestamp() if start else time.time()
    reader = LogReader(session, name, round(timestamp * 1000), FILTER_PATTERN)
    return Watch(reader, live, canary, ignore_answers=ignore_answers)


def compare_canary(
    session: boto3.Session, name: str, live: str, canary: str, start: datetime | None = None
) -> Comparison:
    """Compare a canary's answers with the live version's once, by the last hour at most.

    Unlike the looks of one watch, repeated calls do not share one rate of false alarms.

    Args:
        session: The AWS session.
        name: The deployment's name.
        live: The number of the live version.
        canary: The number of the canary's version.
        start: When the canary got its share of the calls; an hour ago by default.

    Raises:
        ShutterlessError: AWS refuses.
    """
    earliest = datetime.now(UTC) - LOOKBACK
    start = max(start, earliest) if start else earliest
    return watch_canary(session, name, live, canary, start=start).look(is_last=True)
