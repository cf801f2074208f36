"""The web application: the service over HTTP, and the Lambda handler on the invocations path."""

import json
import re
import time
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Protocol

from shutterless.runtime import access_log
from shutterless.runtime.adapters.lambda_function import handle
from shutterless.runtime.http_messages import Request, Response, parse_json
from shutterless.runtime.problems import Problem
from shutterless.runtime.responses import error_response
from shutterless.runtime.service import Service

# Where AWS's images take events, so that clients written for them work here.
INVOCATIONS = "/2015-03-31/functions/function/invocations"
# Hosts that no page on the web has: addresses, names without a dot such as localhost or a container's, and
# domains that the public DNS never has (RFC 6761, RFC 6762, and ICANN's resolution of 2024 on .internal).
_LOCAL_HOST = re.compile(r"(\[[^\]]*\]|[\d.]+|[^.]*|.*\.(localhost|local|internal))\.?(:\d*)?", re.IGNORECASE)


class Application(Protocol):
    """What the HTTP server asks for responses."""

    def respond(self, request: Request) -> Response:
        """Answer a request; never raise an exception."""

    def reject(self, problem: Problem, request: Request | None) -> Response:
        """Answer a request that has not fully arrived or has no place, or what is no request at all."""


class App:
    """Answers HTTP requests with the service.

    Attributes:
        service: Answers the requests from now on. It may be replaced at any time: a request is answered by
            the service that was there when it began.
    """

    def __init__(self, service: Service, write: access_log.Log = access_log.to_stderr) -> None:
        self.service = service
        self._write = write

    def respond(self, request: Request) -> Response:
        """Answer one HTTP request; whatever goes wrong becomes a problem document."""
        start_time, service = time.perf_counter(), self.service
        try:
            if request.path == INVOCATIONS:
                return self._invoke(service, request)
            response = service.respond(request)
        except Exception as error:
            response = error_response(error, request.id)
            response = response.replace(headers=_without_cors(response.headers))
        return self._log(service, request, start_time, response)

    def reject(self, problem: Problem, request: Request | None) -> Response:
        """Answer a request that has not fully arrived or has no place, or what is no request at all."""
        if request:
            response = error_response(problem, request.id)
            return self._log(self.service, request, time.perf_counter(), response)
        request_id = access_log.choose_request_id({})
        return access_log.add_request_id(error_response(problem, request_id), request_id)

    def _log(self, service: Service, request: Request, start_time: float, response: Response) -> Response:
        route, version = service.find_route(request), service.model_version
        self._write(access_log.make_record(request.id, route, version, start_time, response))
        return access_log.add_request_id(response, request.id)

    def _invoke(self, service: Service, request: Request) -> Response:
        """Answer like Lambda's own invoke: a function error is status 200 with a header and the message."""
        if request.method != "POST":
            raise Problem("method-not-allowed", "send an event with POST", headers={"Allow": "POST"})
        _check_sender(request)
        event, context = parse_json(request.body), SimpleNamespace(aws_request_id=request.id)
        headers = {"Content-Type": "application/json"}
        try:
            document = handle(service, event, context, self._write)
        except Problem as problem:
            document = {"errorMessage": problem.detail, "errorType": type(problem).__name__}
            headers["X-Amz-Function-Error"] = "Unhandled"
        return access_log.add_request_id(Response(200, headers, json.dumps(document).encode()), request.id)


def _without_cors(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers without those that let pages from elsewhere read the response."""
    return {name: value for name, value in headers.items() if not name.startswith("Access-Control-")}


def _check_sender(request: Request) -> None:
    """Refuse what a page on the web sends, because any page could send events to a server on this machine.

    Browsers add Origin to every POST, and Sec-Fetch-Site to every request to this machine. A page whose own
    name leads to this machine (DNS rebinding) has that name in Host.

    Raises:
        Problem: `invalid-request` if a page may have sent it.
    """
    headers = request.headers
    if (
        "origin" in headers
        or headers.get("sec-fetch-site", "none") != "none"
        or not _LOCAL_HOST.fullmatch(headers.get("host", ""))
    ):
        raise Problem("invalid-request", "a web page cannot send events; use /predict", status=403)
