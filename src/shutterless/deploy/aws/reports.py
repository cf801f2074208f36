"""Cold starts of a deployed function, from the report that Lambda writes to its log after each call."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice

import boto3

from shutterless.deploy.aws.errors import aws_errors

# Reports of calls that started an instance, in Lambda's text format and in its JSON format:
# https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html
FILTER = '?"Init Duration" ?"Restore Duration" ?initDurationMs ?restoreDurationMs'
DURATION = re.compile(r'(?:Init|Restore) Duration: ([\d.]+) ms|"(?:init|restore)DurationMs":\s*([\d.]+)')
# CloudWatch searches about a megabyte for each page. This bounds the seconds that a busy log takes.
MAX_PAGES = 20


@dataclass(frozen=True)
class ColdStarts:
    """Cold starts in a log.

    Attributes:
        number: How many there were.
        mean_ms: The mean duration of the initialization, or of restoring a snapshot; 0 if there were none.
        is_complete: Whether the whole period was searched, and not only its beginning.
    """

    number: int
    mean_ms: float
    is_complete: bool


def read_cold_starts(session: boto3.Session, function: str, period: timedelta) -> ColdStarts:
    """Return the cold starts of a function in the most recent `period`."""
    pages = iter(
        session.client("logs")
        .get_paginator("filter_log_events")
        .paginate(
            logGroupName=f"/aws/lambda/{function}",
            startTime=round((datetime.now(UTC) - period).timestamp() * 1000),
            filterPattern=FILTER,
        )
    )
    with aws_errors():
        durations = [
            float(match[1] or match[2])
            for page in islice(pages, MAX_PAGES)
            for event in page["events"]
            if (match := DURATION.search(event["message"]))
        ]
        is_complete = next(pages, None) is None
    return ColdStarts(len(durations), sum(durations) / max(len(durations), 1), is_complete)
