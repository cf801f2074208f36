"""The API's responses that need no model: JSON documents, problems, the web page and preflights."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from shutterless.runtime.http_messages import Response
from shutterless.runtime.problems import Problem

if TYPE_CHECKING:
    from shutterless.runtime.model.bundle import Bundle

PAGE = os.path.join(os.path.dirname(__file__), "page", "index.html")
URL_FORM = b'<form id="url-form"'
PUBLIC_MEMBERS = (
    "name",
    "version",
    "labels",
    "input",
    "precision",
    "threshold",
    "accuracy",
    "backbone",
    "created",
)
PUBLIC_FAMILIAR = ("photos", "false_alarm_rate", "measured")
CORS = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "Retry-After, X-Request-Id"}
# What a page cannot state itself; the rest of its policy is in its head.
PAGE_HEADERS = {"Content-Security-Policy": "frame-ancestors 'none'", "X-Content-Type-Options": "nosniff"}
ALLOWED_HEADERS = "Content-Type, X-Api-Key, X-Request-Id"


def json_response(status: int, document: object, media_type: str = "application/json") -> Response:
    """Return a JSON document with a status."""
    # Half a surrogate pair, as an event's path may hold, has no UTF-8; with a backslash it is valid JSON.
    body = json.dumps(document, ensure_ascii=False, allow_nan=False).encode(errors="backslashreplace")
    return Response(status, {"Content-Type": media_type, **CORS}, body, document)


def problem_response(problem: Problem) -> Response:
    """Return the response for a problem, as RFC 9457 has it."""
    response = json_response(problem.status, problem.to_json(), "application/problem+json")
    return response.replace(headers={**response.headers, **problem.headers})


def error_response(error: Exception, request_id: str) -> Response:
    """Return the response for any exception.

    The sender sees a `Problem` as it is, and of other exceptions nothing but the request id.
    """
    if isinstance(error, Problem):
        return problem_response(error)
    return problem_response(internal_problem(request_id)).replace(cause=error)


def internal_problem(request_id: str) -> Problem:
    """Return the problem for an exception of ours; its reason is in the log only."""
    return Problem("internal", f"the log has the reason under the request id {request_id}")


def model_response(bundle: Bundle, records: Mapping[str, bool] | None) -> Response:
    """Return what anybody may know about a model.

    Args:
        bundle: The model.
        records: What the log keeps of each picture; None if it has no records.
    """
    description = bundle.to_json()
    document = {member: description[member] for member in PUBLIC_MEMBERS}
    if bundle.familiar:
        document["familiar"] = {name: bundle.familiar[name] for name in PUBLIC_FAMILIAR}
    if records:
        document["records"] = records
    return json_response(200, document)


def page_response(urls: str) -> Response:
    """Return the web page; without its form for URLs where `urls` is `off`."""
    with open(PAGE, "rb") as file:
        html = file.read()
    if urls == "off":
        html = html.replace(URL_FORM, URL_FORM + b" hidden")
    return Response(200, {"Content-Type": "text/html; charset=utf-8", **CORS, **PAGE_HEADERS}, html)


def preflight_response(methods: Iterable[str]) -> Response:
    """Answer a browser that asks what a page from elsewhere may send to a path with these methods."""
    value = allowed_methods(methods)
    headers = {
        "Access-Control-Allow-Methods": value,
        "Access-Control-Allow-Headers": ALLOWED_HEADERS,
        "Access-Control-Max-Age": "86400",
        "Allow": value,
    }
    return Response(204, {**CORS, **headers}, b"")


def allowed_methods(methods: Iterable[str]) -> str:
    """Return the value of the header `Allow` for a path with these methods."""
    names = list(methods)
    return ", ".join([*names, *(["HEAD"] if "GET" in names else []), "OPTIONS"])
