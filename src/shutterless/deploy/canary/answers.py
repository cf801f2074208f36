"""The answers of each version of a function, read from the lines that the runtime logs."""

from dataclasses import dataclass
from typing import NamedTuple

from shutterless.runtime.json_types import Json, JsonObject

# Requests for predictions: over HTTP, and by a direct invocation. Pages and health checks are not compared.
ROUTES = ("POST /predict", "event")
# For CloudWatch, so that it only sends the lines of those requests.
FILTER_PATTERN = "{ " + " || ".join(f'($.route = "{route}")' for route in ROUTES) + " }"


class Answer(NamedTuple):
    """The answer for one picture.

    Attributes:
        name: The label, or the code of the problem, such as `unreadable-image`.
        accepted: Whether the label was accepted; None for a problem.
    """

    name: str
    accepted: bool | None


@dataclass(frozen=True)
class LoggedRequest:
    """A request for predictions, as the log has it.

    Attributes:
        version: The number of the version that answered.
        is_error: Whether the answer's status was 500 or above.
        answers: One for each picture, sorted; none if the answer was an error.
    """

    version: str
    is_error: bool
    answers: tuple[Answer, ...]


def read_request(record: JsonObject) -> LoggedRequest | None:
    """Return the request that a line of the log records.

    Args:
        record: The members of the line; it may be any JSON object.

    Returns:
        The request, None if the line is something else.
    """
    version, status = record.get("version"), record.get("status")
    if record.get("route") not in ROUTES or not isinstance(version, str) or not isinstance(status, int):
        return None
    if status >= 500:
        return LoggedRequest(version, True, ())
    labels, values = _as_list(record.get("label")), _as_list(record.get("accepted"))
    codes = [*_as_list(record.get("code")), *_as_list(record.get("codes"))]
    answers = [Answer(str(label), bool(value)) for label, value in zip(labels, values, strict=False)]
    answers += [Answer(str(code), None) for code in codes]
    return LoggedRequest(version, False, tuple(sorted(answers, key=str)))


def _as_list(value: Json) -> list[Json]:
    """Return the items of a member that is a list in a request with several pictures."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
