"""The Lambda handler: an event in, the service's answer out, and one line in the log."""

from __future__ import annotations

import functools
import os
import time
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING

from shutterless.runtime import access_log
from shutterless.runtime.adapters.lambda_events import (
    from_response,
    is_http,
    is_warm_up,
    to_request,
)
from shutterless.runtime.http_messages import Request, Response
from shutterless.runtime.problems import Problem
from shutterless.runtime.responses import error_response, internal_problem, problem_response
from shutterless.runtime.service import Service
from shutterless.runtime.settings import Settings

if TYPE_CHECKING:
    from shutterless.runtime.json_types import HttpAnswer, Json, JsonObject


@functools.cache
def load_service() -> Service:
    """Load the model that the environment names, once for all requests."""
    warnings.filterwarnings("ignore", module="PIL")  # about pictures that are odd but readable
    return Service.load(Settings.from_env(os.environ))


def lambda_handler(event: Json, context: object = None) -> Mapping[str, object]:
    """Answer one Lambda event.

    Args:
        event: A plain one, `{"url": …}` or `{"image": base64}`; one of API Gateway, a function URL or a load
            balancer; or one that only keeps the function warm.
        context: Lambda's context object.

    Returns:
        For a plain event the map {label: score}; for an HTTP event the response in its sender's format,
        problems included; for one that keeps the function warm what `/health` answers.

    Raises:
        Problem: If a plain event cannot be answered, so that Lambda counts it as a function error.
    """
    service = load_service()
    return handle(service, event, context, access_log.choose_log(service.settings))


def handle(
    service: Service, event: Json, context: object = None, write: access_log.Log = access_log.to_stderr
) -> Mapping[str, object]:
    """Answer one event with the given service and log; see `lambda_handler`."""
    if isinstance(event, Mapping) and is_http(event):
        return _handle_http(service, event, context, write)
    start_time, request_id = time.perf_counter(), access_log.choose_request_id({}, context)

    def log(route: str, response: Response) -> None:
        write(access_log.make_record(request_id, route, service.model_version, start_time, response))

    if is_warm_up(event):
        response = service.respond(Request("GET", "/health", id=request_id))
        log("warm-up", response)
        return {"status": "ok", "version": service.model_version}
    try:
        if not isinstance(event, Mapping):
            raise Problem("invalid-request", 'send an event like {"url": "https://…"}')
        prediction = service.predict_one(event)
    except Exception as error:
        log("event", error_response(error, request_id))
        if isinstance(error, Problem):
            raise
        raise internal_problem(request_id) from None  # Lambda would log the message of the error
    log("event", Response(200, {}, b"", prediction))
    return dict(prediction["scores"])


def _handle_http(service: Service, event: JsonObject, context: object, write: access_log.Log) -> HttpAnswer:
    start_time, request_id, route = time.perf_counter(), access_log.choose_request_id({}, context), "?"
    try:
        request = to_request(event)
        request_id = access_log.choose_request_id(request.headers, context)
        route = service.find_route(request)
        response = service.respond(request.replace(id=request_id))
    except Problem as problem:
        response = problem_response(problem)
    write(access_log.make_record(request_id, route, service.model_version, start_time, response))
    return from_response(event, access_log.add_request_id(response, request_id))
