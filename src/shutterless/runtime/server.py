"""HTTP to events and back, so that the laptop and the cloud share one door."""

import socket
import sys
import traceback
from collections.abc import Callable
from functools import partial
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse
from starlette.responses import Response as HttpResponse
from starlette.routing import Route

from shutterless.errors import ShutterlessError
from shutterless.runtime.events import Request, Response, parse_json, to_event, to_response
from shutterless.runtime.lambda_function import handle
from shutterless.runtime.problem import Problem
from shutterless.runtime.service import Service, problem_response
from shutterless.runtime.settings import Settings

# Where AWS's images take events, so that clients written for them work here.
INVOCATIONS = "/2015-03-31/functions/function/invocations"
# What Lambda takes in one synchronous call: 6 MB. What works here shall work there.
MAX_BODY = 6 * 1024 * 1024

Door = Callable[[Any], dict[str, Any]]


def serve(
    settings: Settings, host: str = "127.0.0.1", ready: Callable[[str], None] = lambda url: None
) -> None:
    """Serve the bundle over HTTP until SIGINT or SIGTERM; running requests are finished.

    The model is loaded before the port is opened; port 0 takes a free one. ready: called with the URL.
    Raises `ShutterlessError` if the bundle does not verify or the port is taken.
    """
    app = create_app(Service.load(settings))
    with _listen(host, settings.port) as listening:
        name = f"[{host}]" if ":" in host else host
        ready(f"http://{name}:{listening.getsockname()[1]}")
        config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off")
        uvicorn.Server(config).run(sockets=[listening])


def create_app(service: Service) -> Starlette:
    """Return the web application: every request becomes an event for the Lambda handler."""
    door: Door = partial(handle, service)
    methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    return Starlette(
        routes=[
            Route(INVOCATIONS, partial(_invoke, door), methods=["POST"]),
            Route("/{path:path}", partial(_answer, door), methods=methods),
        ],
        exception_handlers={405: _method_not_allowed},
    )


async def _answer(door: Door, request: HttpRequest) -> HttpResponse:
    try:
        event = to_event(
            Request(
                method=request.method,
                path=request.url.path,
                headers=dict(request.headers),
                query=dict(request.query_params),
                body=await _body(request),
            )
        )
    except Problem as problem:
        return _http(problem_response(problem))
    return _http(to_response(await run_in_threadpool(door, event)))


async def _invoke(door: Door, request: HttpRequest) -> HttpResponse:
    """Answer like Lambda's own invoke: a function error is 200 with a header and the error's words."""
    try:
        event = parse_json(await _body(request))
        return JSONResponse(await run_in_threadpool(door, event))
    except Exception as error:
        if not isinstance(error, ShutterlessError):
            traceback.print_exc(file=sys.stderr)
        return JSONResponse(
            {"errorMessage": str(error), "errorType": type(error).__name__},
            headers={"X-Amz-Function-Error": "Unhandled"},
        )


async def _method_not_allowed(request: HttpRequest, error: Exception) -> HttpResponse:
    detail = f"{request.url.path} does not take {request.method}"
    return _http(problem_response(Problem("method-not-allowed", detail)))


async def _body(request: HttpRequest) -> bytes:
    """Read the body, but no more of it than Lambda would take."""
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY:
                detail = f"the request has more than the {MAX_BODY:,} bytes that Lambda takes"
                raise Problem("too-large", detail)
    except ClientDisconnect as error:
        raise Problem("invalid-request", "the request broke off") from error
    return bytes(body)


def _http(response: Response) -> HttpResponse:
    return HttpResponse(response.body, response.status, dict(response.headers))


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise ShutterlessError(
            f"Cannot listen on {host}, port {port}: {error.strerror or error}",
            "Choose another port with --port (0 takes a free one), or stop what is using this one.",
        ) from error
