"""The log of a deployed function: what it wrote about each request, and what Lambda said around it."""

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import boto3

from shutterless.deploy.aws.errors import aws_errors
from shutterless.deploy.options import check_name
from shutterless.deploy.template.template import stack_name
from shutterless.errors import DeployError, InputError, ShutterlessError

POLL_S = 2.0
# CloudWatch shows a line up to some seconds after others that were written later.
LATENESS_MS = 15_000
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
# What Lambda writes around every request, and LiteRT at every start, and nobody reads.
ROUTINE = re.compile(
    r"(START|END|REPORT) RequestId: |INIT_START |EXTENSION\t|RESTORE_(START|REPORT) |INFO: Created TensorFlow"
)


@dataclass(frozen=True)
class Entry:
    """One line of the log: when, in ms since 1970, and its text."""

    timestamp: int
    text: str

    @property
    def record(self) -> dict[str, Any]:
        """The members of a line that the runtime wrote as JSON about a request; empty for any other."""
        try:
            members = json.loads(self.text)
        except (ValueError, RecursionError):
            return {}
        return members if isinstance(members, dict) else {}

    @property
    def is_routine(self) -> bool:
        """Whether it is one of the lines that are written around every request that went well."""
        return bool(ROUTINE.match(self.text)) and "Status:" not in self.text


def parse_since(text: str) -> timedelta:
    """Return the time that `10m`, `2h`, `1d` or `30s` stands for; raises `ShutterlessError` for others."""
    found = re.fullmatch(r"(\d{1,4})([smhd])", text)
    if not found:
        raise InputError(
            "invalid-duration", f"--since is {text!r}", "Give a number with s, m, h or d, as in 10m."
        )
    return timedelta(**{UNITS[found[2]]: int(found[1])})


def read_logs(session: boto3.Session, name: str, since: timedelta) -> Iterator[Entry]:
    """Yield the log of the deployment `name` since so long ago, oldest first.

    Raises `ShutterlessError` if there is none.
    """
    start = round(time.time() * 1000 - since.total_seconds() * 1000)
    for event in _events(session, name, start):
        yield _entry(event)


def follow_logs(
    session: boto3.Session, name: str, since: timedelta, wait: Callable[[float], None] = time.sleep
) -> Iterator[Entry]:
    """Yield the log since so long ago and then, for ever, each line as it comes; ask every two seconds.

    Raises as `read_logs`; ends when its user stops it.
    """
    start = round(time.time() * 1000 - since.total_seconds() * 1000)
    seen: dict[str, int] = {}
    while True:
        for event in _events(session, name, start):
            if event["eventId"] not in seen:
                seen[event["eventId"]] = event["timestamp"]
                yield _entry(event)
        start = max([start, *(timestamp - LATENESS_MS for timestamp in seen.values())])
        seen = {number: timestamp for number, timestamp in seen.items() if timestamp >= start}
        wait(POLL_S)


def _events(session: boto3.Session, name: str, start: int) -> Iterator[dict[str, Any]]:
    client = session.client("logs")
    pages = client.get_paginator("filter_log_events").paginate(
        logGroupName=f"/aws/lambda/{stack_name(check_name(name))}", startTime=start
    )
    try:
        with aws_errors():
            for page in pages:
                yield from page["events"]
    except ShutterlessError as error:
        if not isinstance(error.__cause__, client.exceptions.ResourceNotFoundException):
            raise
        raise DeployError(
            "no-log",
            f"There is no log of a deployment {name} in {session.region_name}",
            "Check the name, --region and --profile, or make it: shutterless deploy",
        ) from error


def _entry(event: dict[str, Any]) -> Entry:
    return Entry(event["timestamp"], event["message"].rstrip())
