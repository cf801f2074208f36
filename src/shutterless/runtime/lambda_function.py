"""The one door: everything that is asked, in the cloud or locally, comes in as a Lambda event."""

import functools
import os
from collections.abc import Mapping
from typing import Any

from shutterless.runtime.events import from_response, is_http, to_request
from shutterless.runtime.problem import Problem
from shutterless.runtime.service import Service, problem_response
from shutterless.runtime.settings import Settings


@functools.cache
def service() -> Service:
    """Load the model that the environment names, once for all requests."""
    return Service.load(Settings.from_env(os.environ))


def lambda_handler(event: Any, context: object = None) -> dict[str, Any]:
    """Answer one event.

    A plain one, `{"url": …}` or `{"image": base64}`, gets the plain map {label: score}, and a failure
    raises, so that Lambda marks it as a function error. One of API Gateway, a function URL or a load
    balancer gets an HTTP answer in its own shape, problems included.
    """
    return handle(service(), event)


def handle(answering: Service, event: Any) -> dict[str, Any]:
    """Answer one event with the given service; see `lambda_handler`."""
    if not isinstance(event, Mapping):
        raise Problem("invalid-request", 'send an event like {"url": "https://…"}')
    if not is_http(event):
        return dict(answering.predict_one(event)["scores"])
    try:
        response = answering.respond(to_request(event))
    except Problem as problem:
        response = problem_response(problem)
    return from_response(event, response)
