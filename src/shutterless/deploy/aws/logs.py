"""The log of a deployed function: our line for each request, and Lambda's own lines."""

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TypedDict

import boto3

from shutterless.deploy.aws.errors import aws_errors
from shutterless.deploy.aws.session import connect
from shutterless.deploy.aws.waiting import poll
from shutterless.deploy.options import check_name
from shutterless.deploy.template.template import stack_name
from shutterless.errors import DeployError, InputError
from shutterless.runtime.json_types import JsonObject

POLL_INTERVAL_S = 2.0
# CloudWatch may show a line some seconds after others that were written later.
MAX_DELAY_MS = 15_000
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
# Lines that Lambda writes at every request, and LiteRT at every start.
ROUTINE = re.compile(
    r"(START|END|REPORT) RequestId: |INIT_START |EXTENSION\t|RESTORE_(START|REPORT) |INFO: Created TensorFlow"
)


class LogEvent(TypedDict):
    """An event of CloudWatch Logs; its time is in ms since 1970."""

    eventId: str
    timestamp: int
    message: str


@dataclass(frozen=True)
class LogEntry:
    """One line of a log.

    Attributes:
        timestamp: When it was written, in ms since 1970.
        text: The line.
    """

    timestamp: int
    text: str

    @property
    def record(self) -> JsonObject:
        """The members of our JSON line for a request; empty for any other line."""
        try:
            members = json.loads(self.text)
        except (ValueError, RecursionError):
            return {}
        return members if isinstance(members, dict) else {}

    @property
    def is_routine(self) -> bool:
        """Whether Lambda or LiteRT writes it at every successful request or start."""
        return bool(ROUTINE.match(self.text)) and "Status:" not in self.text


def parse_duration(text: str) -> timedelta:
    """Return the duration that `30s`, `10m`, `2h` or `1d` stands for.

    Raises:
        ShutterlessError: It is no duration.
    """
    match = re.fullmatch(r"(\d{1,4})([smhd])", text)
    if not match:
        raise InputError(
            "invalid-duration",
            f"{text!r} is not a duration",
            "Give a number with s, m, h or d, for example 10m.",
        )
    return timedelta(**{UNITS[match[2]]: int(match[1])})


def read_logs(
    name: str, *, since: str | timedelta = "10m", profile: str | None = None, region: str | None = None
) -> Iterator[LogEntry]:
    """Return the log of a deployment, oldest line first.

    Args:
        name: The deployment's name.
        since: How far to look back, such as `10m`, `2h`, `1d`.
        profile: A profile of the AWS configuration; AWS_PROFILE by default.
        region: The AWS region; AWS_REGION or the profile's by default.

    Raises:
        ShutterlessError: There is no such deployment, `since` is not valid, or AWS refuses.

    Example:
        >>> from shutterless import deploy
        >>> entries = deploy.read_logs("clothes", since="1h", region="eu-central-1")  # doctest: +SKIP
        >>> for entry in entries:  # doctest: +SKIP
        ...     print(entry.text)
    """
    start = _start(since)
    return map(_entry, _events(connect(profile, region), name, start))


def follow_logs(
    name: str,
    *,
    since: str | timedelta = "10m",
    profile: str | None = None,
    region: str | None = None,
) -> Iterator[LogEntry]:
    """Yield the log of a deployment and then each new line, endlessly. CloudWatch is asked every 2 s.

    Args:
        name: The deployment's name.
        since: How far to look back at first, such as `10m`, `2h`, `1d`.
        profile: A profile of the AWS configuration; AWS_PROFILE by default.
        region: The AWS region; AWS_REGION or the profile's by default.

    Raises:
        ShutterlessError: There is no such deployment, `since` is not valid, or AWS refuses.

    Example:
        >>> from shutterless import deploy
        >>> for entry in deploy.follow_logs("clothes", region="eu-central-1"):  # doctest: +SKIP
        ...     print(entry.text)
    """
    start = _start(since)
    reader = LogReader(connect(profile, region), name, start)
    for _ in poll(POLL_INTERVAL_S):
        yield from reader.read()


@dataclass(frozen=True)
class LogPeriod:
    """A part of a deployment's log.

    Attributes:
        name: The deployment's name.
        session: The AWS session.
        start: The time to start from, in ms since 1970.
        end: The time before which it ends; None for now.
    """

    name: str
    session: boto3.Session
    start: int = 0
    end: int | None = None

    @property
    def region(self) -> str:
        """The AWS region."""
        return self.session.region_name

    def read(self) -> Iterator[LogEntry]:
        """Yield its lines, the oldest first.

        Raises:
            ShutterlessError: There is no such deployment, or AWS refuses.
        """
        return map(_entry, _events(self.session, self.name, self.start, end=self.end))


def read_period(
    name: str,
    *,
    since: str | timedelta | None = None,
    until: str | timedelta | None = None,
    profile: str | None = None,
    region: str | None = None,
) -> LogPeriod:
    """Return a part of a deployment's log, which is not read yet.

    Args:
        name: The deployment's name.
        since: How far to look back, such as `10m`, `2h`, `1d`; None for everything that is kept.
        until: How far from now it ends; None for now.
        profile: A profile of the AWS configuration; AWS_PROFILE by default.
        region: The AWS region; AWS_REGION or the profile's by default.

    Raises:
        ShutterlessError: A duration is not valid, or there are no credentials.
    """
    start = 0 if since is None else _start(since)
    end = None if until is None else _start(until)
    return LogPeriod(check_name(name), connect(profile, region), start, end)


class LogReader:
    """Reads the log of a deployment as it grows: each line once, also those that CloudWatch shows late.

    Args:
        session: The AWS session.
        name: The deployment's name.
        start: The time to start from, in ms since 1970.
        pattern: CloudWatch's filter pattern for the lines; empty for all.
    """

    def __init__(self, session: boto3.Session, name: str, start: int, pattern: str = "") -> None:
        self._session, self._name, self._start, self._pattern = session, name, start, pattern
        self._timestamps: dict[str, int] = {}  # of the events that were yielded and may come again

    def read(self) -> Iterator[LogEntry]:
        """Yield the lines that are new since the last call.

        Raises:
            ShutterlessError: There is no such deployment, or AWS refuses.
        """
        timestamps = self._timestamps
        for event in _events(self._session, self._name, self._start, self._pattern):
            if event["eventId"] not in timestamps:
                timestamps[event["eventId"]] = event["timestamp"]
                yield _entry(event)
        self._start = max([self._start, *(each - MAX_DELAY_MS for each in timestamps.values())])
        self._timestamps = {number: each for number, each in timestamps.items() if each >= self._start}


def _start(since: str | timedelta) -> int:
    """Return the time to start from, in ms since 1970."""
    if isinstance(since, str):
        since = parse_duration(since)
    return round(time.time() * 1000 - since.total_seconds() * 1000)


def _events(
    session: boto3.Session, name: str, start: int, pattern: str = "", end: int | None = None
) -> Iterator[LogEvent]:
    client = session.client("logs")
    pages = client.get_paginator("filter_log_events").paginate(
        logGroupName=f"/aws/lambda/{stack_name(check_name(name))}",
        startTime=start,
        **({"filterPattern": pattern} if pattern else {}),
        **({} if end is None else {"endTime": end}),
    )
    try:
        with aws_errors():
            for page in pages:
                yield from page["events"]
    except DeployError as error:
        if not isinstance(error.__cause__, client.exceptions.ResourceNotFoundException):
            raise
        raise DeployError(
            "no-deployment",
            f"There is no log of a deployment {name} in {session.region_name}",
            "Check the name, --region and --profile, or create it with shutterless deploy.",
        ) from error


def _entry(event: LogEvent) -> LogEntry:
    return LogEntry(event["timestamp"], event["message"].rstrip())
