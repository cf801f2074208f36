"""The access log: one JSON line for each request, with the outcome and nothing of what was sent.

No address, query, key or file name gets into it, and no photo unless photos are kept: a line contains only
what this program or the bundle provides.
"""

import contextlib
import json
import os
import re
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TextIO

from shutterless.errors import ShutterlessError
from shutterless.runtime.http_messages import Response
from shutterless.runtime.settings import Settings

# CloudWatch took log lines of 256 KB until 2025, Google Cloud takes no longer ones. A line that is longer all
# the same, as with thousands of labels, goes without these members.
MAX_LINE_BYTES = 250_000
LONG_MEMBERS = ("photo", "embedding", "scores")

Record = dict[str, object]
Log = Callable[[Record], None]

# CloudWatch's metrics, and their units.
UNITS = {
    "duration_ms": "Milliseconds",
    "confidence": "None",
    "rejected": "Count",
    "unfamiliar": "Count",
    "errors": "Count",
}

# What the log has of each prediction, and of some.
ALWAYS = ("label", "confidence", "accepted")
SOMETIMES = ("familiar", "novelty", "record_id", "scores", "embedding", "photo")
# An answer has its scores, but its line in the log does not.
NOT_RECORDED = {"scores": None}

# A request id from outside goes into the log and back to the sender, so it may hold nothing that means
# anything there.
SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}")


def choose_request_id(headers: Mapping[str, str], context: object = None) -> str:
    """Return a request's id: Lambda's own, or else that of the header X-Request-Id, or else a new one.

    Args:
        headers: The request's headers, by name in lower case.
        context: Lambda's context object, if there is one.
    """
    candidate = getattr(context, "aws_request_id", None) or headers.get("x-request-id", "")
    return candidate if SAFE_ID.fullmatch(candidate) else os.urandom(8).hex()


def add_request_id(response: Response, request_id: str) -> Response:
    """Return the response with the header X-Request-Id."""
    return response.replace(headers={**response.headers, "X-Request-Id": request_id})


def make_record(
    request_id: str, route: str, model_version: str, start_time: float, response: Response
) -> Record:
    """Return the log record of a request.

    Args:
        request_id: See `choose_request_id`.
        route: The route's name, without anything that the sender chose.
        model_version: Version of the model that answered.
        start_time: `time.perf_counter()` when the request began.
        response: What was answered.
    """
    is_error = response.status >= 500
    return {
        **_time_and_level(is_error),
        "request_id": request_id,
        "route": route,
        "status": response.status,
        "duration_ms": round((time.perf_counter() - start_time) * 1000, 2),
        "model": model_version,
        **_outcome(response.document),
        **({"errors": 1} if is_error else {}),
        **({"error": _describe_error(response.cause)} if response.cause else {}),
    }


def make_reload_record(model_version: str, error: Exception | None = None) -> Record:
    """Return the log record of a reload.

    Args:
        model_version: Version of the model that answers from now on.
        error: Why it is still the old one.
    """
    record = {**_time_and_level(error is not None), "event": "reload", "model": model_version}
    if error is None:
        return record
    if isinstance(error, ShutterlessError):
        return {**record, "code": error.code, "detail": error.message}
    return {**record, "code": "internal", "error": _describe_error(error)}


def choose_log(settings: Settings) -> Log:
    """Return the log for these settings: CloudWatch with metrics on Lambda, standard error elsewhere."""
    if not settings.function:
        return to_stderr
    return partial(_to_cloudwatch, settings.function, settings.version)


def to_stderr(record: Record) -> None:
    """Write a record to standard error, so that it does not mix with what goes to standard output."""
    _write(record, sys.stderr)


def _to_cloudwatch(function: str, version: str, record: Record) -> None:
    """Write a record to standard output in CloudWatch's embedded metric format.

    AWS charges for each combination of dimension values in the hours in which it occurs. So only `errors`,
    which a healthy function never sends, also has the version as a dimension, for the alarms of a canary.
    The label is a member, by which Logs Insights groups for nothing.
    """
    metrics = [{"Name": name, "Unit": unit} for name, unit in UNITS.items() if record.get(name, []) != []]
    directives = [{"Namespace": "shutterless", "Dimensions": [["function"]], "Metrics": metrics}]
    if "errors" in record:
        errors = [{"Name": "errors", "Unit": "Count"}]
        directives += [
            {"Namespace": "shutterless", "Dimensions": [["function", "version"]], "Metrics": errors}
        ]
    metadata = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": directives}
    _write({**record, "function": function, "version": version, "_aws": metadata}, sys.stdout)


def _write(record: Record, stream: TextIO) -> None:
    with contextlib.suppress(OSError, ValueError):  # a full disk or a closed pipe must not cost an answer
        stream.write(_to_line(record))  # in one piece, because threads write between each other
        stream.flush()


def _to_line(record: Record) -> str:
    """Return a record as a line of ASCII, without what would make it too long."""
    line = json.dumps(record) + "\n"
    for name in LONG_MEMBERS:
        if len(line) > MAX_LINE_BYTES and name in record:
            record = {key: value for key, value in record.items() if key != name}
            line = json.dumps(record) + "\n"
    return line


def _time_and_level(is_error: bool) -> Record:
    now = time.time()
    return {
        "time": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now))}.{int(now % 1 * 1000):03}Z",
        "level": "error" if is_error else "info",
    }


def _outcome(document: object) -> Record:
    """Return the members of a prediction, lists of them for several, the code, or a correction.

    Scores are only in it where the log has records; see `model/recording.py`.
    """
    if not isinstance(document, Mapping):
        return {}
    if "code" in document:
        return {"code": document["code"]}
    if "correct_label" in document:
        return dict(document)
    if "label" in document:
        columns = {name: values[0] for name, values in _columns([document]).items()}
        return {**columns, **_labels([document]), **_counts([document])}
    if "predictions" not in document:
        return {}
    predictions = [each for each in document["predictions"] if "label" in each]
    return {
        **_columns(predictions),
        **_labels(predictions),
        **_counts(predictions),
        "codes": [each["code"] for each in document["predictions"] if "code" in each],
    }


def _columns(predictions: list[Mapping[str, object]]) -> dict[str, list[object]]:
    """Return the values of all predictions by name; those of `SOMETIMES` only if there is any."""
    rows = [{**each, **getattr(each, "members", NOT_RECORDED)} for each in predictions]
    optional = [name for name in SOMETIMES if any(row.get(name) is not None for row in rows)]
    return {name: [row.get(name) for row in rows] for name in (*ALWAYS, *optional)}


def _labels(predictions: list[Mapping[str, object]]) -> Record:
    """Return the names of the scores in records, so that a line can be read without the bundle."""
    scores = predictions[0]["scores"] if predictions and "record_id" in predictions[0] else None
    return {"labels": [*scores]} if isinstance(scores, Mapping) else {}


def _counts(predictions: list[Mapping[str, object]]) -> Record:
    """Return how many predictions are not accepted, and for how many the picture is not familiar."""
    unfamiliar = [not each["familiar"] for each in predictions if "familiar" in each]
    return {
        "rejected": sum(not each["accepted"] for each in predictions),
        **({"unfamiliar": sum(unfamiliar)} if unfamiliar else {}),
    }


def _describe_error(error: BaseException) -> Record:
    """Return an error's type and the lines that led to it, but no message: it may quote what was sent."""
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    lines = [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in frames]
    reason = {"reason": os.strerror(error.errno)} if isinstance(error, OSError) and error.errno else {}
    return {"kind": type(error).__name__, **reason, "at": lines}
