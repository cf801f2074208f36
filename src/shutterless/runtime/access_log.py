"""One line of JSON for each request: what came of it, and nothing of what was sent.

No photo, address, query, key or file name gets here: a line has only what this program or the bundle says.
"""

import contextlib
import json
import os
import re
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from shutterless.runtime.http_messages import Response
from shutterless.runtime.settings import Settings

Record = dict[str, Any]
Log = Callable[[Record], None]

# Others' numbers go into the log and back to the sender, so they may hold nothing that means anything there.
HARMLESS = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}")


def request_id(headers: Mapping[str, str], context: object = None) -> str:
    """Return the number of a request: Lambda's own, else that of its header X-Request-Id, else a new one."""
    given = getattr(context, "aws_request_id", None) or headers.get("x-request-id", "")
    return given if HARMLESS.fullmatch(given) else os.urandom(8).hex()


def numbered(response: Response, number: str) -> Response:
    """Return the response with the number of its request."""
    return replace(response, headers={**response.headers, "X-Request-Id": number})


def record(number: str, route: str, version: str, started: float, response: Response) -> Record:
    """Return what the log says of a request: `started` is what `time.perf_counter` said at its begin."""
    now = time.time()
    return {
        "time": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now))}.{int(now % 1 * 1000):03}Z",
        "level": "error" if response.cause else "info",
        "request_id": number,
        "route": route,
        "status": response.status,
        "duration_ms": round((time.perf_counter() - started) * 1000, 2),
        "model": version,
        **_outcome(response.document),
        **({"errors": 1, "error": _where(response.cause)} if response.cause else {}),
    }


def sink(settings: Settings) -> Log:
    """Return where the settings want the lines: on Lambda with its metrics on standard output."""
    return partial(_to_cloudwatch, settings.function) if settings.function else to_stderr


def to_stderr(entry: Record) -> None:
    """Print a line on standard error, where it is in no answer's way."""
    _print(entry, sys.stderr)


def _to_cloudwatch(function: str, entry: Record) -> None:
    """Print a line of which CloudWatch makes metrics: the embedded metric format of its documentation.

    The function is their only dimension: each further value of one is another metric to pay for. The label
    is a member, by which Logs Insights groups for nothing.
    """
    units = {"duration_ms": "Milliseconds", "confidence": "None", "rejected": "Count", "errors": "Count"}
    metrics = [{"Name": name, "Unit": unit} for name, unit in units.items() if entry.get(name, []) != []]
    directive = {"Namespace": "shutterless", "Dimensions": [["function"]], "Metrics": metrics}
    embedded = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}
    _print({**entry, "function": function, "_aws": embedded}, sys.stdout)


def _print(entry: Record, stream: Any) -> None:
    with contextlib.suppress(OSError, ValueError):  # a full disk or a closed pipe must not cost an answer
        stream.write(json.dumps(entry) + "\n")  # in one piece, because threads write between each other
        stream.flush()


def _outcome(document: Any) -> Record:
    """Return the label, confidence and acceptance of an answer, lists of them for several, or the problem."""
    if not isinstance(document, Mapping):
        return {}
    if "code" in document:
        return {"code": document["code"]}
    if "label" in document:
        said = {name: document[name] for name in ("label", "confidence", "accepted")}
        return {**said, "rejected": int(not document["accepted"])}
    if "predictions" not in document:
        return {}
    answers = [answer for answer in document["predictions"] if "label" in answer]
    codes = [answer["code"] for answer in document["predictions"] if "code" in answer]
    said = {name: [answer[name] for answer in answers] for name in ("label", "confidence", "accepted")}
    return {**said, "rejected": said["accepted"].count(False), "codes": codes}


def _where(error: BaseException) -> Record:
    """Return an error's kind and the lines that led to it, but no words: they may quote what was sent."""
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in frames]
    reason = {"reason": os.strerror(error.errno)} if isinstance(error, OSError) and error.errno else {}
    return {"kind": type(error).__name__, **reason, "at": places}
