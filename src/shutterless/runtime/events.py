"""Lambda's events and our requests and responses, one adapter for each shape. Pure."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from shutterless.runtime.problem import Problem

Event = Mapping[str, Any]

# Where shapes keep names with one value each, and with several.
HEADERS = ("headers", "multiValueHeaders")
QUERY = ("queryStringParameters", "multiValueQueryStringParameters")


@dataclass(frozen=True)
class Request:
    """An HTTP request; the names of headers are in lower case, the path is without a stage."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Response:
    """An HTTP response."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def is_http(event: Event) -> bool:
    """Tell whether an event comes from something that speaks HTTP, and is not a plain one."""
    return isinstance(event.get("requestContext"), Mapping)


def to_request(event: Event) -> Request:
    """Read an event of API Gateway (REST 1.0 or HTTP 2.0), a function URL or a load balancer.

    Raises `Problem` invalid-request if it is none of them or its body is not what it says.
    """
    try:
        method, path = _method_and_path(event)
        if not isinstance(path, str):
            raise TypeError("the path is not text")
        return Request(
            method=method.upper(),
            path=path or "/",
            headers={name.lower(): value for name, value in _single(event, *HEADERS).items()},
            query=_single(event, *QUERY),
            body=_body(event),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise Problem(
            "invalid-request", "this is no event of API Gateway, a function URL or a load balancer"
        ) from error


def from_response(event: Event, response: Response) -> dict[str, Any]:
    """Return the response in the shape that the sender of `event` expects."""
    text = _as_text(response)
    answer: dict[str, Any] = {
        "statusCode": response.status,
        "headers": dict(response.headers),
        "body": base64.b64encode(response.body).decode() if text is None else text,
        "isBase64Encoded": text is None,
    }
    if "elb" in event["requestContext"]:
        answer["statusDescription"] = str(response.status)
        if "multiValueHeaders" in event:  # such a load balancer reads no other headers
            answer["multiValueHeaders"] = {name: [value] for name, value in answer.pop("headers").items()}
    return answer


def to_event(request: Request) -> dict[str, Any]:
    """Return the event, in the HTTP API's shape 2.0, that would have brought this request."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": request.path,
        "rawQueryString": urlencode(request.query),
        "headers": dict(request.headers),
        "queryStringParameters": dict(request.query),
        "requestContext": {"stage": "$default", "http": {"method": request.method, "path": request.path}},
        "body": base64.b64encode(request.body).decode(),
        "isBase64Encoded": True,
    }


def to_response(answer: Mapping[str, Any]) -> Response:
    """Read an answer of `from_response` back."""
    body = answer["body"]
    return Response(
        answer["statusCode"],
        answer["headers"],
        base64.b64decode(body) if answer["isBase64Encoded"] else body.encode(),
    )


def _method_and_path(event: Event) -> tuple[str, str]:
    context = event["requestContext"]
    if "http" in context:
        return context["http"]["method"], _without_stage(event["rawPath"], context)
    return event["httpMethod"], event["path"]


def _without_stage(path: str, context: Event) -> str:
    """Cut off the stage, which shape 2.0 keeps in front of the path unless it is $default."""
    stage = "/" + str(context.get("stage", "$default"))
    return path[len(stage) :] if path == stage or path.startswith(stage + "/") else path


def _single(event: Event, one: str, many: str) -> dict[str, str]:
    """Return names with one value each; of several values the last counts, as in API Gateway."""
    values = {name: listed[-1] for name, listed in (event.get(many) or {}).items() if listed}
    return {str(name): str(value) for name, value in {**values, **(event.get(one) or {})}.items()}


def _body(event: Event) -> bytes:
    body = event.get("body") or ""
    if not isinstance(body, str):
        raise Problem("invalid-request", "the event's body is not text")
    try:
        return base64.b64decode(body, validate=True) if event.get("isBase64Encoded") else body.encode()
    except ValueError as error:
        raise Problem("invalid-request", "the event's body is not valid base64 or Unicode") from error


def _as_text(response: Response) -> str | None:
    kind = response.headers.get("Content-Type", "")
    return response.body.decode() if kind.startswith("text/") or "json" in kind else None


def parse_json(body: bytes) -> Any:
    """Return the JSON value of a body; raises `Problem` invalid-request."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Problem("invalid-request", f"the body is not JSON: {error}") from error
