"""The endpoint suite against the container, and against what a deploy makes, with either front.

The image runs as Lambda runs it. In front stands what the template makes of API Gateway (its paths, its key,
its binary media types, its own answers) or of a function URL (its permissions and authorization), and the
event that it makes of a request.
"""

import base64
import http.server
import json
import re
import shutil
import subprocess
import sys
import threading
import uuid
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from shutterless import client
from shutterless.deploy.options import Options
from shutterless.deploy.template.code import ImageCode
from shutterless.deploy.template.template import build_template
from shutterless.packaging.container import ask

ENDPOINT = Path(__file__).parents[2] / "endpoint"
KEY = "a-key-that-aws-made"
STAGE = "prod"
LAMBDA_TAKES = 6 * 1024 * 1024  # bytes of an event
# What a function URL passes on as it is, a signature for it, and what makes it public.
TEXT = re.compile(r"text/.*|application/(json|xml|javascript|.*\+json|.*\+xml)")
SIGNATURE = re.compile(r"AWS4-HMAC-SHA256 Credential=\w+/\d{8}/eu-central-1/lambda/aws4_request, ?Signed.*")
PUBLIC = {
    ("lambda:InvokeFunctionUrl", "NONE", None),
    ("lambda:InvokeFunction", None, True),
}


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

    def ask(self, verb, target, headers, body):
        """Return status, headers and body of the answer; names of the request's headers in lower case."""
        path = target.partition("?")[0]
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


class FunctionUrl:
    """The function URL of a template: what Lambda does with a request.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html and urls-auth.html
    """

    def __init__(self, template, function):
        self.function = function
        self.auth = template["Resources"]["FunctionUrl"]["Properties"]["AuthType"]
        permissions = [
            resource["Properties"]
            for resource in template["Resources"].values()
            if resource["Type"] == "AWS::Lambda::Permission"
        ]
        self.allowed = {
            (each["Action"], each.get("FunctionUrlAuthType"), each.get("InvokedViaFunctionUrl"))
            for each in permissions
            if each["Principal"] == "*"
        }

    def ask(self, verb, target, headers, body):
        """Return status, headers and body of the answer; names of the request's headers in lower case."""
        if self.auth == "AWS_IAM":
            may_call = SIGNATURE.fullmatch(headers.get("authorization", ""))
        else:
            may_call = self.allowed == PUBLIC
        if not may_call:
            return self._own(403, "Forbidden")
        event = self._event(verb, target, headers, body)
        if len(json.dumps(event)) > LAMBDA_TAKES:
            return self._own(413, "Request Entity Too Large")
        answer = self.function(event)
        if answer is None:
            return self._own(502, "Internal Server Error")
        text = answer["body"].encode()
        content = base64.b64decode(text) if answer["isBase64Encoded"] else text
        return answer["statusCode"], answer["headers"], content

    def _event(self, verb, target, headers, body):
        """Return an event of format 2.0, with the path as it was sent; what is no text is in base64."""
        path, _, query = target.partition("?")
        is_binary = not TEXT.fullmatch(headers.get("content-type", "text/plain").partition(";")[0])
        event = {
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": path,
            "rawQueryString": query,
            "headers": headers,
            "requestContext": {
                "domainName": "k3j2h1g0.lambda-url.eu-central-1.on.aws",
                "http": {"method": verb, "path": path, "protocol": "HTTP/1.1", "sourceIp": "2001:db8::7"},
                "requestId": str(uuid.uuid4()),
                "routeKey": "$default",
                "stage": "$default",
            },
            "isBase64Encoded": bool(body) and is_binary,
        }
        if query:
            event["queryStringParameters"] = dict(parse_qsl(query))
        if body:
            event["body"] = base64.b64encode(body).decode() if is_binary else body.decode()
        return event

    def _own(self, status, message):
        return status, {"Content-Type": "application/json"}, json.dumps({"Message": message}).encode()


class Handler(http.server.BaseHTTPRequestHandler):
    """HTTP for an `Api` or a `FunctionUrl`; like these it computes the length of an answer itself."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def do(self):
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", 0)))
        status, answer_headers, content = self.server.front.ask(self.command, self.path, headers, body)
        self.send_response(status)
        for name, value in {**answer_headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_HEAD = do_OPTIONS = do_PUT = do_DELETE = do  # noqa: N815

    def log_message(self, *arguments):
        pass


@pytest.fixture
def deploy(image, start, runtime_api):
    """Run the image as a function with the template of these options; return the address of its API."""
    servers = []

    def run(**options):
        template = build_template(
            "colours",
            Options(**options),
            code=ImageCode("host/colours", "sha256:0"),
            model="1",
            fingerprint="1",
        )
        settings = template["Resources"]["Function"]["Properties"]["Environment"]["Variables"]
        environment = {**settings, "AWS_LAMBDA_RUNTIME_API": runtime_api.address}
        words = [word for name, value in environment.items() for word in ("--env", f"{name}={value}")]
        start("--network", "host", "--read-only", "--tmpfs", "/tmp", *words, image.tag)
        assert runtime_api.init_ended.wait(60), "it did not end its initialisation"
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        front = FunctionUrl if template["Outputs"]["Front"]["Value"] == "url" else Api
        server.front = front(template, lambda event: runtime_api.invoke(event).response)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}{'' if front is FunctionUrl else f'/{STAGE}'}"

    yield run
    for server in servers:
        server.shutdown()
        server.server_close()


def test_the_container_passes_the_endpoint_suite(docker, image, start):
    container = start("--publish", "127.0.0.1:0:8080", "--read-only", "--tmpfs", "/tmp", image.tag)
    ask(container, "/health")  # waits until it listens
    pass_the_suite(f"http://{docker('port', container, '8080/tcp').split()[0]}")


def test_what_a_deploy_makes_passes_the_endpoint_suite_with_its_key(deploy):
    pass_the_suite(deploy(), "--api-key", KEY)


def test_what_a_deploy_with_a_function_url_makes_passes_the_endpoint_suite(deploy):
    pass_the_suite(deploy(front="url", auth="none"))


def test_a_user_s_call_is_answered_with_the_key_and_told_of_it_without(deploy, colour_photos):
    photo, url = colour_photos / "test" / "red" / "00.png", deploy()
    assert client.call(url, photo, KEY)["label"] == "red"
    with pytest.raises(client.CallError) as refused:
        client.call(url, photo)
    assert (refused.value.status, refused.value.code) == (403, "forbidden")
    assert "--api-key" in refused.value.hint


def test_a_function_url_answers_requests_that_curl_signs_for_lambda(deploy, colour_photos):
    if not shutil.which("curl"):
        pytest.skip("needs curl")
    url, photo = deploy(front="url", auth="iam"), colour_photos / "test" / "red" / "00.png"
    with pytest.raises(client.CallError) as refused:
        client.call(url, photo)
    assert refused.value.status == 403

    def curl(service):
        signature = ("--aws-sigv4", f"aws:amz:eu-central-1:{service}", "--user", "key:secret")
        picture = ("-H", "Content-Type: image/png", "--data-binary", f"@{photo}")
        words = ["curl", "-s", *signature, *picture, f"{url}/predict"]
        return json.loads(subprocess.run(words, capture_output=True, check=True).stdout)

    assert curl("lambda")["label"] == "red"
    assert curl("execute-api") == {"Message": "Forbidden"}
