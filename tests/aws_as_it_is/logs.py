"""CloudWatch Logs, which moto simulates, except for filter patterns and pages that are empty."""

import json
import re
from typing import TYPE_CHECKING, Any

from tests.aws_as_it_is.errors import missing

if TYPE_CHECKING:
    from tests.aws_as_it_is.account import Account

PAGE = 10_000
TERM = re.compile(r'(\?)?(?:"([^"]*)"|([^\s"]+))')
CONDITION = re.compile(r"""\(?\s*\$\.(\w+)\s*(=|!=|>=|<=|>|<)\s*(?:"([^"]*)"|([\w.*-]+))\s*\)?""")


class Logs:
    """The logs of an account."""

    def __init__(self, account: "Account") -> None:
        self.account = account

    def filter_log_events(
        self,
        logGroupName: str,
        startTime: int = 0,
        endTime: int = 1 << 62,
        filterPattern: str = "",
        nextToken: str | None = None,
        **_: Any,
    ) -> dict[str, Any]:
        group = self.account.log_backend.groups.get(logGroupName)
        if group is None:
            raise missing("The specified log group does not exist.")
        if nextToken is None:
            return {"events": [], "nextToken": "0"}  # a page may be empty although there are more
        events = [
            {
                "logStreamName": name,
                "timestamp": event.timestamp,
                "message": event.message,
                "ingestionTime": event.ingestion_time,
                "eventId": str(event.event_id),
            }
            for name, stream in group.streams.items()
            for event in stream.events
            if startTime <= event.timestamp < endTime and fits(filterPattern, event.message)
        ]
        events.sort(key=lambda event: event["timestamp"])
        start = int(nextToken)
        more = {"nextToken": str(start + PAGE)} if len(events) > start + PAGE else {}
        return {"events": events[start : start + PAGE], **more}


def fits(pattern: str, message: str) -> bool:
    """Tell whether a line fits a filter pattern: terms, or conditions on the members of a JSON line."""
    if pattern.strip().startswith("{"):
        return _fits_json(pattern.strip().strip("{}"), message)
    terms = [(bool(is_optional), quoted or plain) for is_optional, quoted, plain in TERM.findall(pattern)]
    optional = [text for is_optional, text in terms if is_optional]
    return all(text in message for is_optional, text in terms if not is_optional) and (
        not optional or any(text in message for text in optional)
    )


def _fits_json(pattern: str, message: str) -> bool:
    try:
        record = json.loads(message)
    except ValueError:
        return False
    if not isinstance(record, dict):
        return False
    return any(
        all(_holds(condition, record) for condition in alternative.split("&&"))
        for alternative in pattern.split("||")
    )


def _holds(condition: str, record: dict[str, Any]) -> bool:
    match = CONDITION.fullmatch(condition.strip())
    assert match, f"unsupported condition: {condition}"
    name, operator, text, word = match.groups()
    if name not in record:
        return False
    value = record[name]
    if operator == "=":
        return word == "*" or str(value) == (text if text is not None else word)
    if operator == "!=":
        return str(value) != (text if text is not None else word)
    comparisons = {">": value > float(word), "<": value < float(word)}
    comparisons |= {">=": value >= float(word), "<=": value <= float(word)}
    return comparisons[operator]
