"""Lambda events to requests, and responses back, in the format of each sender."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from shutterless.runtime.http_messages import Request, Response, decode_base64, join_headers
from shutterless.runtime.problems import Problem
from shutterless.runtime.record import Record

if TYPE_CHECKING:
    from shutterless.runtime.json_types import HttpAnswer, Json, JsonObject

# What a stranger may have written: its members have any type.
Event = Mapping[str, Any]


class EventFormat(Record):
    """How one kind of sender writes an HTTP request as an event, and reads the answer."""

    to_request: Callable[[Event], Request]
    from_response: Callable[[Event, Response], HttpAnswer]


def is_http(event: JsonObject) -> bool:
    """Tell whether an event is an HTTP request, not a plain event."""
    return "httpMethod" in event or isinstance(event.get("requestContext"), Mapping)


# Senders of events that only keep the function warm: EventBridge's rules and scheduler, and the plug-in of
# that name.
_WARM_UP_SOURCES = ("aws.events", "aws.scheduler", "serverless-plugin-warmup")


def is_warm_up(event: Json) -> bool:
    """Tell whether an event only keeps the function warm."""
    return isinstance(event, Mapping) and (
        event.get("source") in _WARM_UP_SOURCES or event.get("warmer") is True  # the flag of lambda-warmer
    )


def to_request(event: JsonObject) -> Request:
    """Read an event of API Gateway (REST 1.0 or HTTP 2.0), a function URL or a load balancer.

    Raises:
        Problem: `invalid-request` if it is none of them or its body is not what it says.
    """
    try:
        return _find_format(event).to_request(event)
    except (KeyError, TypeError, AttributeError) as error:
        raise Problem(
            "invalid-request", "this is not an event of API Gateway, a function URL or a load balancer"
        ) from error


def from_response(event: JsonObject, response: Response) -> HttpAnswer:
    """Return the response in the format that the sender of `event` expects."""
    return _find_format(event).from_response(event, response)


def to_event(request: Request) -> JsonObject:
    """Return the event, in the HTTP API's format 2.0, that stands for this request."""
    from urllib.parse import urlencode

    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": request.path,
        "rawQueryString": urlencode(request.query),
        "headers": dict(request.headers),
        "requestContext": {"stage": "$default", "http": {"method": request.method, "path": request.path}},
        "body": base64.b64encode(request.body).decode(),
        "isBase64Encoded": True,
    }


def to_response(answer: JsonObject) -> Response:
    """Read the answer to an event in the HTTP API's format.

    Raises:
        KeyError: If a member is missing.
        TypeError: If a member has another type.
        ValueError: If the body is not base64 where it says so.
    """
    status, headers, body = answer["statusCode"], answer["headers"], answer["body"]
    if not (isinstance(status, int) and isinstance(headers, Mapping) and isinstance(body, str)):
        raise TypeError("the answer is not that of an HTTP event")
    data = base64.b64decode(body) if answer["isBase64Encoded"] else body.encode()
    return Response(status, _strings(headers), data)


def _find_format(event: Event) -> EventFormat:
    context = event.get("requestContext")
    if not isinstance(context, Mapping):
        return REST_API
    if "http" in context:
        return HTTP_API
    return LOAD_BALANCER if "elb" in context else REST_API


def _from_rest_api(event: Event) -> Request:
    return Request(
        method=event["httpMethod"].upper(),
        path=_unquote(_within_api(event["path"], event.get("resource"), event.get("pathParameters"))),
        headers=_headers(event),
        query=_last_values(event, "queryStringParameters", "multiValueQueryStringParameters"),
        body=_body(event),
    )


def _from_http_api(event: Event) -> Request:
    context = event["requestContext"]
    route = str(event.get("routeKey", "")).partition(" ")[2]  # "POST /predict", or "$default"
    path = _within_api(event["rawPath"], route, event.get("pathParameters"))
    stage = str(context.get("stage", "$default"))
    if stage != "$default" and f"{path}/".startswith(f"/{stage}/"):  # this format keeps it in the path
        path = path[len(stage) + 1 :] or "/"
    if ".lambda-url." in str(context.get("domainName")):  # unlike HTTP APIs, function URLs leave it encoded
        path = _unquote(path)
    query = {}
    if query_string := event.get("rawQueryString"):
        from urllib.parse import parse_qsl  # 3 ms of a cold start, and hardly a request has a query

        query = dict(parse_qsl(query_string, keep_blank_values=True))
    return Request(context["http"]["method"].upper(), path, _headers(event), query, _body(event))


def _from_load_balancer(event: Event) -> Request:
    """Read what a load balancer sends; unlike the others it leaves queries percent-encoded."""
    from urllib.parse import unquote_plus

    query = _last_values(event, "queryStringParameters", "multiValueQueryStringParameters")
    return Request(
        method=event["httpMethod"].upper(),
        path=_unquote(event["path"]) or "/",
        headers=_headers(event),
        query={unquote_plus(name): unquote_plus(value) for name, value in query.items()},
        body=_body(event),
    )


def _to_api(event: Event, response: Response) -> HttpAnswer:
    kind = response.headers.get("Content-Type", "text/plain")
    is_text = kind.startswith("text/") or "json" in kind
    return {
        "statusCode": response.status,
        "headers": dict(response.headers),
        "body": (response.body if is_text else base64.b64encode(response.body)).decode(),
        "isBase64Encoded": not is_text,
    }


def _to_load_balancer(event: Event, response: Response) -> HttpAnswer:
    from http import HTTPStatus  # no other format needs the reason phrases

    answer = _to_api(event, response)
    answer["statusDescription"] = f"{response.status} {HTTPStatus(response.status).phrase}"
    if "multiValueHeaders" in event:  # such a load balancer reads no other headers
        answer["multiValueHeaders"] = {name: [value] for name, value in answer.pop("headers").items()}
    return answer


REST_API = EventFormat(_from_rest_api, _to_api)
HTTP_API = EventFormat(_from_http_api, _to_api)
LOAD_BALANCER = EventFormat(_from_load_balancer, _to_load_balancer)

# Takes linear time, because anybody may send an event with a long route: a brace ends every attempt.
_PARAMETER = re.compile(r"\{([^{}+]++)\+?\}")


def _within_api(path: Any, route: Any, parameters: Any) -> str:
    """Return the path as the API itself names it: the route with its parameters filled in.

    The event's own path also contains the stage, or the base path of a custom domain. Where the route does
    not tell, as `$default` does not, the path is left as it is.
    """
    path = path or "/"
    if not isinstance(path, str):
        raise TypeError("the path is not a string")
    pieces = _PARAMETER.split(route) if isinstance(route, str) else []
    try:
        pieces[1::2] = [parameters[name] for name in pieces[1::2]]
        if sum(map(len, pieces)) > len(path) + 1:  # a route that repeats a parameter could grow without limit
            return path
        inner = "".join(pieces)
    except (KeyError, TypeError):
        return path
    is_inside = inner.startswith("/") and path.rstrip("/").endswith(inner.rstrip("/"))
    return inner if is_inside else path


def _unquote(path: str) -> str:
    """Return a path without percent-encoding."""
    if "%" not in path:
        return path
    from urllib.parse import unquote  # 3 ms of a cold start, and hardly a path needs it

    return unquote(path)


def _last_values(event: Event, one: str, many: str) -> dict[str, str]:
    """Return names with one value each; of several values the last counts, as in API Gateway."""
    last_values = {name: values[-1] for name, values in (event.get(many) or {}).items() if values}
    return _strings({**last_values, **(event.get(one) or {})})


def _strings(members: Mapping[str, Any] | None) -> dict[str, str]:
    return {str(name): str(value) for name, value in (members or {}).items()}


def _headers(event: Event) -> dict[str, str]:
    """Return an event's headers; `headers` has the last value of a repeated one, `multiValueHeaders` all."""
    multiple = {
        str(name): values for name, values in (event.get("multiValueHeaders") or {}).items() if values
    }
    pairs = [(name, str(value)) for name, values in multiple.items() for value in values]
    names = {name.lower() for name in multiple}
    single = _strings(event.get("headers")).items()
    return join_headers([*pairs, *(pair for pair in single if pair[0].lower() not in names)])


def _body(event: Event) -> bytes:
    body = event.get("body") or ""
    if not isinstance(body, str):
        raise Problem("invalid-request", "the body of the event is not a string")
    try:
        return decode_base64(body) if event.get("isBase64Encoded") else body.encode()
    except ValueError as error:
        raise Problem("invalid-request", "the body of the event is not valid base64 or Unicode") from error
