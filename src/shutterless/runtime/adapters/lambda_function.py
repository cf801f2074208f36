"""The one door: everything that is asked, in the cloud or locally, comes in as a Lambda event."""

import functools
import os
import time
import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from shutterless.runtime import access_log
from shutterless.runtime.adapters.lambda_events import Event, from_response, is_http, is_warm_up, to_request
from shutterless.runtime.http_messages import Request, Response
from shutterless.runtime.problems import Problem
from shutterless.runtime.service import Service, failure, internal, problem_response
from shutterless.runtime.settings import Settings


@functools.cache
def service() -> Service:
    """Load the model that the environment names, once for all requests."""
    warnings.filterwarnings("ignore", module="PIL")  # of a picture that is odd but read
    return Service.load(Settings.from_env(os.environ))


def lambda_handler(event: Any, context: object = None) -> dict[str, Any]:
    """Answer one event.

    A plain one, `{"url": …}` or `{"image": base64}`, gets the plain map {label: score}, and a failure
    raises, so that Lambda marks it as a function error. One of API Gateway, a function URL or a load
    balancer gets an HTTP answer in its own shape, problems included. One that only keeps the function
    warm gets what `/health` answers. Each writes a line to the log.
    """
    answering = service()
    return handle(answering, event, context, access_log.sink(answering.settings))


def handle(
    answering: Service, event: Any, context: object = None, write: access_log.Log = access_log.to_stderr
) -> dict[str, Any]:
    """Answer one event with the given service and log; see `lambda_handler`."""
    if isinstance(event, Mapping) and is_http(event):
        return _handle_http(answering, event, context, write)
    started, number = time.perf_counter(), access_log.request_id({}, context)

    if is_warm_up(event):
        response = answering.respond(Request("GET", "/health", id=number))
        write(access_log.record(number, "warm-up", answering.version, started, response))
        return dict(response.document)

    def note(response: Response) -> None:
        write(access_log.record(number, "event", answering.version, started, response))

    try:
        if not isinstance(event, Mapping):
            raise Problem("invalid-request", 'send an event like {"url": "https://…"}')
        answer = answering.predict_one(event)
    except Exception as error:
        note(failure(error, number))
        if isinstance(error, Problem):
            raise
        raise internal(number) from None  # Lambda would log the words of the error
    note(Response(200, {}, b"", answer))
    return dict(answer["scores"])


def _handle_http(answering: Service, event: Event, context: object, write: access_log.Log) -> dict[str, Any]:
    started, number, route = time.perf_counter(), access_log.request_id({}, context), "?"
    try:
        request = to_request(event)
        number = access_log.request_id(request.headers, context)
        route = answering.route(request)
        response = answering.respond(replace(request, id=number))
    except Problem as problem:
        response = problem_response(problem)
    write(access_log.record(number, route, answering.version, started, response))
    return from_response(event, access_log.numbered(response, number))
