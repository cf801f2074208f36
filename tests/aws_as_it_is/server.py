"""An account behind HTTP, for programs in other processes: AWS's API, and the APIs that stacks make.

Its clock runs, faster than a real one if wanted. Programs outside see the real time, so the times in calls
and answers are translated.
"""

import base64
import io
import json
import socket
import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.serialize import get_serializer_class
from moto.core.utils import get_service_model
from moto.moto_server.werkzeug_app import BackendRequest, DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Response

from tests.aws_as_it_is.account import Account
from tests.aws_as_it_is.errors import AwsError
from tests.aws_as_it_is.faults import Call
from tests.aws_as_it_is.stacks import Stack

# The names of services in signatures, and in boto3 where that is another.
SERVICES = {"monitoring": "cloudwatch"}
Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


class Server:
    """Serves an account.

    Attributes:
        url: Its address, for AWS_ENDPOINT_URL.
        speed: Simulated seconds in a real one; with 0 the clock only goes on when it is told to.
    """

    def __init__(self, account: Account, port: int = 0, speed: float = 1.0) -> None:
        self.account, self.speed = account, speed
        self._lock = threading.Lock()
        self._start, self._real_start = account.clock.time_s, time.time()
        self._moto: Wsgi = DomainDispatcherApplication(create_backend_app)
        self._http = make_server("127.0.0.1", port, self._answer, threaded=True, request_handler=_Quiet)
        self.url = f"http://127.0.0.1:{self._http.port}"
        account.outside = self.outside
        account.api_url = self.url

    def run(self) -> None:
        """Serve until the process ends."""
        self._http.serve_forever()

    def start(self) -> None:
        """Serve in a thread."""
        threading.Thread(target=self.run, daemon=True).start()

    def stop(self) -> None:
        """Stop serving."""
        self._http.shutdown()

    def outside(self, seconds: float) -> float:
        """Return the real time of a time of the account."""
        return self._real_start + (seconds - self._start) / self.speed if self.speed else seconds

    def _inside(self, seconds: float) -> float:
        return self._start + (seconds - self._real_start) * self.speed if self.speed else seconds

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        with self._lock:
            if self.speed:
                seconds = self._inside(time.time()) - self.account.clock.time_s
                self.account.clock.advance(max(0.0, seconds))
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            environ["wsgi.input"] = io.BytesIO(body)
            request = BackendRequest(environ)
            if request.path.startswith("/execute-api/"):
                return self._call_api(request)(environ, start_response)
            if request.path.startswith("/lambda-url/"):
                return self._call_url(request)(environ, start_response)
            credential = request.headers.get("Authorization", "").partition("Credential=")[2].split("/")
            service = SERVICES.get(credential[3], credential[3]) if len(credential) > 3 else ""
            if service not in self.account.services:
                return self._moto(environ, start_response)
            operation, uri_params = get_service_router(service).match(request)
            self.account.faults.begin(Call(service, operation.name, {}))
            if not self.account.offers(service, operation.name):
                environ["wsgi.input"] = io.BytesIO(body)  # the router has read it
                return self._moto(environ, start_response)
            response = self._call(service, operation.name, request, uri_params)
            if self.account.faults.is_lost:
                environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            return response(environ, start_response)

    def _call(self, service: str, operation: str, request: BackendRequest, uri_params: Any) -> Response:
        model = get_service_model(service)
        protocol = determine_request_protocol(model, request.content_type)
        parsed = PROTOCOL_PARSERS[protocol](model.operation_model(operation)).parse(
            {
                "method": request.method,
                "values": request.values,
                "headers": request.headers,
                "body": request.data,
                "url_path": request.path,
                "url_params": uri_params,
            }
        )
        serializer = get_serializer_class(service, protocol)(operation_model=model.operation_model(operation))
        try:
            params = _translate(parsed, self._inside)
            self.account.permissions.check(Call(service, operation, params))
            answer = self.account.call(service, operation, params)
            answer = {name: each.read() if hasattr(each, "read") else each for name, each in answer.items()}
            result = serializer.serialize(_translate(answer, self.outside))
            response = Response(result["body"], result["status_code"], result["headers"])
            if request.method == "HEAD":  # of the body that is left out
                response.automatically_set_content_length = False
                response.headers["Content-Length"] = str(answer.get("ContentLength", 0))
            return response
        except AwsError as error:
            result = serializer.serialize(error)
            return Response(result["body"], error.status, result["headers"])

    def _call_api(self, request: BackendRequest) -> Response:
        """Answer a request to an API of a stack, as API Gateway does."""
        _, _, api, stage, *rest = request.path.split("/")
        stack = next(
            each
            for each in self.account.cloudformation.stacks.values()
            if any(resource.id == api for resource in each.resources.values())
        )
        path = "/" + "/".join(rest)
        integration = _find_integration(stack, path, request.method)
        if integration is None:
            return _problem(404, "not-found", "send photos to /predict, by POST")
        if integration["Type"] == "MOCK":
            return _constant(integration)
        keys_by_id = self.account.api_keys
        ids = [each.id for each in stack.resources.values() if each.id in keys_by_id]
        keys = [keys_by_id[key_id]["Value"] for key_id in ids]
        if path == "/predict" and keys and request.headers.get("x-api-key") not in keys:
            return _problem(403, "forbidden", "send a valid key in the header x-api-key")
        event = {
            "resource": path,
            "path": path,
            "httpMethod": request.method,
            "headers": {name.lower(): value for name, value in request.headers.items()},
            "queryStringParameters": dict(request.args),
            "requestContext": {"stage": stage, "resourcePath": path},
            "body": base64.b64encode(request.get_data()).decode(),
            "isBase64Encoded": True,
        }
        return self._invoke(stack, event) or _problem(502, "unavailable", "try again")

    def _call_url(self, request: BackendRequest) -> Response:
        """Answer a request to a function URL, as Lambda does."""
        _, _, host, *rest = request.path.split("/")
        stack = next(
            each
            for each in self.account.cloudformation.stacks.values()
            if any(host in resource.attributes.get("FunctionUrl", "") for resource in each.resources.values())
        )
        path = "/" + "/".join(rest)
        event = {
            "version": "2.0",
            "rawPath": path,
            "rawQueryString": request.query_string.decode(),
            "headers": {name.lower(): value for name, value in request.headers.items()},
            "requestContext": {"stage": "$default", "http": {"method": request.method, "path": path}},
            "body": base64.b64encode(request.get_data()).decode(),
            "isBase64Encoded": True,
        }
        return self._invoke(stack, event) or Response('{"Message":"Internal Server Error"}', 502)

    def _invoke(self, stack: Stack, event: dict[str, Any]) -> Response | None:
        """Return the function's answer, None if it has none."""
        try:
            answer = self.account.functions.invoke(stack.name, "live", json.dumps(event).encode())
        except AwsError:
            return None
        document = json.load(answer["Payload"])
        if "FunctionError" in answer:
            return None
        body = document["body"].encode()
        if document["isBase64Encoded"]:
            body = base64.b64decode(body)
        return Response(body, document["statusCode"], document["headers"])


class _Quiet(WSGIRequestHandler):
    def log(self, *_: Any) -> None:
        """Write no access log."""


def _find_integration(stack: Stack, path: str, method: str) -> dict[str, Any] | None:
    """Return the integration of a path's method in the API of a stack."""
    resources = stack.resources.values()
    (api,) = [each for each in resources if each.type == "AWS::ApiGateway::RestApi"]
    paths = {"/": api.attributes["RootResourceId"]} | {
        f"/{each.properties['PathPart']}": each.id
        for each in resources
        if each.type == "AWS::ApiGateway::Resource"
    }
    methods = {
        (each.properties["ResourceId"], each.properties["HttpMethod"]): each.properties["Integration"]
        for each in resources
        if each.type == "AWS::ApiGateway::Method"
    }
    return methods.get((paths.get(path), method))


def _constant(integration: dict[str, Any]) -> Response:
    """Return what a MOCK integration answers: constants in quotes, and the request's id."""
    (answer,) = integration["IntegrationResponses"]
    headers = {
        name.removeprefix("method.response.header."): value.strip("'")
        for name, value in answer["ResponseParameters"].items()
    }
    return Response(b"", int(answer["StatusCode"]), headers)


def _problem(status: int, code: str, detail: str) -> Response:
    body = json.dumps({"title": code, "status": status, "code": code, "detail": detail})
    return Response(body, status, {"Content-Type": "application/problem+json"})


def _translate(value: Any, convert: Callable[[float], float]) -> Any:
    """Return a call or an answer with all times converted."""
    if isinstance(value, datetime):
        return datetime.fromtimestamp(convert(value.timestamp()), UTC)
    if isinstance(value, dict):
        return {name: _translate(item, convert) for name, item in value.items()}
    if isinstance(value, list):
        return [_translate(item, convert) for item in value]
    return value
