"""The period whose records are compared."""

import re
from datetime import UTC, datetime, timedelta

from shutterless.errors import InputError

WINDOWS = {"day": timedelta(days=1), "week": timedelta(weeks=1), "month": timedelta(days=30)}
_AGO = re.compile(r"(\d{1,5})([hdw])")
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


def choose_period(
    since: str | datetime | None, until: str | datetime | None, window: str
) -> tuple[datetime, datetime]:
    """Return the start and the end of the period, in UTC.

    Args:
        since: Its start: a date, a date with time, or how long ago, such as `7d`. By default a `window`
            before its end.
        until: Its end; now by default.
        window: day, week or month (30 days).

    Raises:
        InputError: `unknown-window`, `invalid-time`, or `empty-period` if the end is not after the start.
    """
    if window not in WINDOWS:
        raise InputError(
            "unknown-window", f"There is no window {window!r}", f"Choose one of: {', '.join(WINDOWS)}."
        )
    end = _parse(until) if until else datetime.now(UTC)
    start = _parse(since) if since else end - WINDOWS[window]
    if start >= end:
        raise InputError(
            "empty-period",
            f"The period from {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} is empty",
            "Give a --since that is before --until.",
        )
    return start, end


def _parse(time: str | datetime) -> datetime:
    """Return a time in UTC; one without a time zone is taken as UTC."""
    if isinstance(time, str):
        try:
            if match := _AGO.fullmatch(time.strip()):
                return datetime.now(UTC) - timedelta(**{_UNITS[match[2]]: int(match[1])})
            time = datetime.fromisoformat(time.strip())
        except (ValueError, OverflowError):
            raise InputError(
                "invalid-time",
                f"{time!r} is not a time",
                "Give a date such as 2026-11-20, or 7d for days ago.",
            ) from None
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
