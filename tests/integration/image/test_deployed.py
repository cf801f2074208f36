"""The endpoint suite against the container, and against what a deploy makes.

The image runs as Lambda runs it. In front stands what the template makes of API Gateway: its paths, its
key, its binary media types, its own answers, and the event that it makes of a request.
"""

import base64
import http.server
import json
import subprocess
import sys
import threading
import uuid
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from shutterless import client
from shutterless.deploy.options import Options
from shutterless.deploy.template.template import build_template
from shutterless.packaging.container import ask

ENDPOINT = Path(__file__).parents[2] / "endpoint"
KEY = "a-key-that-aws-made"
STAGE = "prod"
LAMBDA_TAKES = 6 * 1024 * 1024  # bytes of an event


def pass_the_suite(url, *options):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", ENDPOINT, "--url", url]
    done = subprocess.run([*map(str, command), *options], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


class Api:
    """The API of a template, before a function: what API Gateway does with a request."""

    def __init__(self, template, function):
        self.resources = template["Resources"]
        self.function = function
        self.paths = {"/": {"Fn::GetAtt": ["Api", "RootResourceId"]}}
        for name, resource in self._of("Resource"):
            self.paths[f"/{resource['PathPart']}"] = {"Ref": name}
        self.methods = {
            (json.dumps(method["ResourceId"]), method["HttpMethod"]): method
            for _, method in self._of("Method")
        }
        self.answers = {answer["ResponseType"]: answer for _, answer in self._of("GatewayResponse")}
        self.binary = self.resources["Api"]["Properties"]["BinaryMediaTypes"]

    def _of(self, kind):
        for name, resource in self.resources.items():
            if resource["Type"] == f"AWS::ApiGateway::{kind}":
                yield name, resource["Properties"]

    def ask(self, verb, path, headers, body):
        """Return status, headers and body of the answer; names of the request's headers in lower case."""
        stage, _, rest = path.removeprefix("/").partition("/")
        resource = json.dumps(self.paths.get(f"/{rest}"))
        method = self.methods.get((resource, verb))
        if stage != STAGE or method is None:
            return self._own("MISSING_AUTHENTICATION_TOKEN")
        if method["ApiKeyRequired"] and headers.get("x-api-key") != KEY:
            return self._own("INVALID_API_KEY")
        if method["Integration"]["Type"] == "MOCK":
            return self._mock(method)
        event = self._event(verb, f"/{rest}", headers, body)
        if len(json.dumps(event)) > LAMBDA_TAKES:
            return self._own("REQUEST_TOO_LARGE")
        answer = self.function(event)
        return answer["statusCode"], answer["headers"], answer["body"].encode()

    def _event(self, verb, path, headers, body):
        """Return a REST API's event, format 1.0; what is no binary media type is taken for text."""
        is_binary = headers.get("content-type", "").partition(";")[0].strip() in self.binary
        text = base64.b64encode(body).decode() if is_binary else body.decode("utf-8", "replace")
        return {
            "resource": path,
            "path": path,
            "httpMethod": verb,
            "headers": headers,
            "multiValueHeaders": {name: [value] for name, value in headers.items()},
            "queryStringParameters": None,
            "multiValueQueryStringParameters": None,
            "pathParameters": None,
            "stageVariables": None,
            "requestContext": {
                "resourcePath": path,
                "httpMethod": verb,
                "path": f"/{STAGE}{path}",
                "stage": STAGE,
                "requestId": str(uuid.uuid4()),
            },
            "body": text or None,
            "isBase64Encoded": is_binary,
        }

    def _mock(self, method):
        """Return what a MOCK integration always answers: constants, and the id of the request."""
        (answer,) = method["Integration"]["IntegrationResponses"]
        context = {"context.requestId": str(uuid.uuid4())}
        headers = {
            name.removeprefix("method.response.header."): context.get(value, value.strip("'"))
            for name, value in answer["ResponseParameters"].items()
        }
        return int(answer["StatusCode"]), headers, b""

    def _own(self, kind):
        """Return what API Gateway answers itself: static headers, and a body without variables."""
        answer = self.answers[kind]
        headers = {
            name.removeprefix("gatewayresponse.header."): value.strip("'")
            for name, value in answer["ResponseParameters"].items()
        }
        return int(answer["StatusCode"]), headers, answer["ResponseTemplates"]["application/json"].encode()


class Handler(http.server.BaseHTTPRequestHandler):
    """HTTP for an `Api`; like API Gateway it reckons the length of an answer itself."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def do(self):
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", 0)))
        status, said, content = self.server.api.ask(self.command, urlsplit(self.path).path, headers, body)
        self.send_response(status)
        for name, value in {**said, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_HEAD = do_OPTIONS = do_PUT = do_DELETE = do  # noqa: N815

    def log_message(self, *arguments):
        pass


@pytest.fixture
def deployed(image, start, runtime_api):
    """Run the image as a function with the template's settings; return the address of its API's stage."""
    template = build_template("colours", Options(), image="host/colours@sha256:0", model="1", fingerprint="1")
    settings = template["Resources"]["Function"]["Properties"]["Environment"]["Variables"]
    given = {**settings, "AWS_LAMBDA_RUNTIME_API": runtime_api.address}
    options = [word for name, value in given.items() for word in ("--env", f"{name}={value}")]
    start("--network", "host", "--read-only", "--tmpfs", "/tmp", *options, image.tag)
    assert runtime_api.init_ended.wait(60), "it did not end its initialisation"
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.api = Api(template, lambda event: runtime_api.invoke(event).response)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/{STAGE}"
    server.shutdown()
    server.server_close()


def test_the_container_passes_the_endpoint_suite(docker, image, start):
    container = start("--publish", "127.0.0.1:0:8080", "--read-only", "--tmpfs", "/tmp", image.tag)
    ask(container, "/health")  # waits until it listens
    pass_the_suite(f"http://{docker('port', container, '8080/tcp').split()[0]}")


def test_what_a_deploy_makes_passes_the_endpoint_suite_with_its_key(deployed):
    pass_the_suite(deployed, "--api-key", KEY)


def test_a_user_s_call_is_answered_with_the_key_and_told_of_it_without(deployed, colour_photos):
    photo = colour_photos / "test" / "red" / "00.png"
    assert client.call(deployed, photo, KEY)["label"] == "red"
    with pytest.raises(client.CallError) as refused:
        client.call(deployed, photo)
    assert (refused.value.status, refused.value.code) == (403, "forbidden")
    assert "--api-key" in refused.value.hint
