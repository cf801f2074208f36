"""Translate Lambda events to requests and responses back, one adapter for each event format. Pure."""

import base64
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from shutterless.runtime.http_messages import Request, Response, decode_base64, join_headers
from shutterless.runtime.problems import Problem

Event = Mapping[str, Any]


class Shape(NamedTuple):
    """How one kind of sender writes an HTTP request as an event, and reads the answer."""

    to_request: Callable[[Event], Request]
    from_response: Callable[[Event, Response], dict[str, Any]]


def is_http(event: Event) -> bool:
    """Tell whether an event comes from something that speaks HTTP, and is not a plain one."""
    return "httpMethod" in event or isinstance(event.get("requestContext"), Mapping)


# Who asks at intervals so that the function stays warm: EventBridge's rules and its scheduler, and the
# plug-ins of that name.
_WARM_UP_SOURCES = ("aws.events", "aws.scheduler", "serverless-plugin-warmup")


def is_warm_up(event: Any) -> bool:
    """Tell whether a plain event asks for nothing but that the function stays warm."""
    return isinstance(event, Mapping) and (
        event.get("source") in _WARM_UP_SOURCES or event.get("warmer") is True  # as lambda-warmer has it
    )


def to_request(event: Event) -> Request:
    """Read an event of API Gateway (REST 1.0 or HTTP 2.0), a function URL or a load balancer.

    Raises `Problem` invalid-request if it is none of them or its body is not what it says.
    """
    try:
        return _shape(event).to_request(event)
    except (KeyError, TypeError, AttributeError) as error:
        raise Problem(
            "invalid-request", "this is no event of API Gateway, a function URL or a load balancer"
        ) from error


def from_response(event: Event, response: Response) -> dict[str, Any]:
    """Return the response in the shape that the sender of `event` expects."""
    return _shape(event).from_response(event, response)


def to_event(request: Request) -> dict[str, Any]:
    """Return the event, in the HTTP API's shape 2.0, that would have brought this request."""
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


def to_response(answer: Mapping[str, Any]) -> Response:
    """Read an answer of `from_response` back."""
    body = answer["body"]
    return Response(
        answer["statusCode"],
        answer["headers"],
        base64.b64decode(body) if answer["isBase64Encoded"] else body.encode(),
    )


def _shape(event: Event) -> Shape:
    context = event.get("requestContext")
    if not isinstance(context, Mapping):
        return REST_API
    if "http" in context:
        return HTTP_API
    return LOAD_BALANCER if "elb" in context else REST_API


def _from_rest_api(event: Event) -> Request:
    return Request(
        method=event["httpMethod"].upper(),
        path=_within_api(event["path"], event.get("resource"), event.get("pathParameters")),
        headers=_headers(event),
        query=_last(event, "queryStringParameters", "multiValueQueryStringParameters"),
        body=_body(event),
    )


def _from_http_api(event: Event) -> Request:
    context = event["requestContext"]
    route = str(event.get("routeKey", "")).partition(" ")[2]  # "POST /predict", or "$default"
    path = _within_api(event["rawPath"], route, event.get("pathParameters"))
    return Request(
        method=context["http"]["method"].upper(),
        path=_without_stage(path, str(context.get("stage", "$default"))),
        headers=_headers(event),
        query=_parsed(event.get("rawQueryString") or ""),
        body=_body(event),
    )


def _from_load_balancer(event: Event) -> Request:
    """Read what a load balancer sends; unlike the others it leaves paths and queries percent-encoded."""
    from urllib.parse import unquote, unquote_plus

    query = _last(event, "queryStringParameters", "multiValueQueryStringParameters")
    return Request(
        method=event["httpMethod"].upper(),
        path=unquote(event["path"]) or "/",
        headers=_headers(event),
        query={unquote_plus(name): unquote_plus(value) for name, value in query.items()},
        body=_body(event),
    )


def _to_api(event: Event, response: Response) -> dict[str, Any]:
    kind = response.headers.get("Content-Type", "text/plain")
    is_text = kind.startswith("text/") or "json" in kind
    return {
        "statusCode": response.status,
        "headers": dict(response.headers),
        "body": (response.body if is_text else base64.b64encode(response.body)).decode(),
        "isBase64Encoded": not is_text,
    }


def _to_load_balancer(event: Event, response: Response) -> dict[str, Any]:
    from http import HTTPStatus  # no other shape needs the words

    status = f"{response.status} {HTTPStatus(response.status).phrase}"
    answer = {**_to_api(event, response), "statusDescription": status}
    if "multiValueHeaders" in event:  # such a load balancer reads no other headers
        answer["multiValueHeaders"] = {name: [value] for name, value in answer.pop("headers").items()}
    return answer


REST_API = Shape(_from_rest_api, _to_api)
HTTP_API = Shape(_from_http_api, _to_api)
LOAD_BALANCER = Shape(_from_load_balancer, _to_load_balancer)

# Linear in the route's length, because anybody may write one: a brace ends every attempt.
_PARAMETER = re.compile(r"\{([^{}+]++)\+?\}")


def _within_api(path: Any, route: Any, parameters: Any) -> str:
    """Return the path as the API itself names it: the route with its parameters filled in.

    The event's own path also holds the stage, or the base path of a custom domain. Where the route does
    not say, as `$default` does not, the path is left as it is.
    """
    path = path or "/"
    if not isinstance(path, str):
        raise TypeError("the path is not text")
    pieces = _PARAMETER.split(route) if isinstance(route, str) else []
    try:
        pieces[1::2] = [parameters[name] for name in pieces[1::2]]
        if sum(map(len, pieces)) > len(path) + 1:  # a parameter named often would make it as long as it likes
            return path
        inner = "".join(pieces)
    except (KeyError, TypeError):
        return path
    is_inside = inner.startswith("/") and path.rstrip("/").endswith(inner.rstrip("/"))
    return inner if is_inside else path


def _without_stage(path: str, stage: str) -> str:
    """Cut off the stage, which shape 2.0 keeps in front of the path unless it is $default."""
    if stage == "$default" or not f"{path}/".startswith(f"/{stage}/"):
        return path
    return path[len(stage) + 1 :] or "/"


def _last(event: Event, one: str, many: str) -> dict[str, str]:
    """Return names with one value each; of several values the last counts, as in API Gateway."""
    values = {name: listed[-1] for name, listed in (event.get(many) or {}).items() if listed}
    return _texts({**values, **(event.get(one) or {})})


def _parsed(query: str) -> dict[str, str]:
    if not query:
        return {}
    from urllib.parse import parse_qsl  # 3 ms of a cold start, and hardly a request has a query

    return dict(parse_qsl(query, keep_blank_values=True))


def _texts(members: Mapping[str, Any] | None) -> dict[str, str]:
    return {str(name): str(value) for name, value in (members or {}).items()}


def _headers(event: Event) -> dict[str, str]:
    """Return an event's headers; `headers` has the last value of a repeated one, `multiValueHeaders` all."""
    many = {str(name): values for name, values in (event.get("multiValueHeaders") or {}).items() if values}
    listed = [(name, str(value)) for name, values in many.items() for value in values]
    known = {name.lower() for name in many}
    one = _texts(event.get("headers")).items()
    return join_headers([*listed, *(pair for pair in one if pair[0].lower() not in known)])


def _body(event: Event) -> bytes:
    body = event.get("body") or ""
    if not isinstance(body, str):
        raise Problem("invalid-request", "the event's body is not text")
    try:
        return decode_base64(body) if event.get("isBase64Encoded") else body.encode()
    except ValueError as error:
        raise Problem("invalid-request", "the event's body is not valid base64 or Unicode") from error
