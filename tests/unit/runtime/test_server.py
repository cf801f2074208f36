import base64
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest
import uvicorn

from shutterless.errors import ShutterlessError
from shutterless.runtime.events import Request
from shutterless.runtime.server import INVOCATIONS, MAX_BODY, create_app, serve
from shutterless.runtime.settings import Settings

PATIENCE = 60


@pytest.fixture(scope="module")
def port(service):
    """The port of a running server."""
    server = uvicorn.Server(uvicorn.Config(create_app(service), log_level="critical", lifespan="off"))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join()


def ask(port: int, method: str, path: str, body=None, **headers) -> tuple[int, dict, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, named)
        with connection.getresponse() as response:
            names = {name.lower(): value for name, value in response.getheaders()}
            return response.status, names, response.read()
    finally:
        connection.close()


def problem(answer: tuple[int, dict, bytes]) -> tuple[int, str]:
    status, headers, body = answer
    document = json.loads(body)
    assert headers["content-type"] == "application/problem+json"
    assert document["status"] == status
    return status, document["code"]


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/health"),
        ("GET", "/health/"),
        ("GET", "/model?x=1"),
        ("HEAD", "/model"),
        ("GET", "/nowhere"),
        ("GET", "/a%20b"),
        ("GET", "/predict"),
        ("DELETE", "/model"),
        ("PATCH", "/nowhere"),
        ("OPTIONS", "/predict"),
    ],
)
def test_the_server_answers_as_the_service_does(service, port, method, path):
    expected = service.respond(Request(method, path.partition("?")[0].replace("%20", " ")))
    status, headers, body = ask(port, method, path)
    assert (status, body) == (expected.status, expected.body)
    for name, value in expected.headers.items():
        assert headers[name.lower()] == value


def test_a_picture_is_classified_however_it_comes(port, pictures, web):
    red, green = pictures["red"], pictures["green"]
    form = b'--b\r\nContent-Disposition: form-data; name="image"\r\n\r\n' + red + b"\r\n--b--\r\n"
    answers = [
        ask(port, "POST", "/predict", json.dumps({"image": base64_of(red)})),
        ask(port, "POST", "/predict", json.dumps({"url": web.says("/a.png", green)})),
        ask(port, "POST", "/predict", green, Content_Type="image/png"),
        ask(port, "POST", "/predict", form, Content_Type="multipart/form-data; boundary=b"),
        ask(port, "POST", "/predict", iter([red[:50], red[50:]]), Content_Type="image/png"),
    ]
    assert [status for status, *_ in answers] == [200] * 5
    assert [json.loads(body)["label"] for *_, body in answers] == ["red", "green", "green", "red", "red"]


def test_many_at_once_get_each_his_own_answer(port, pictures):
    wanted = ["red", "green", "blue"] * 8
    answers = {}

    def classify(number: int) -> None:
        body = pictures[wanted[number]]
        answers[number] = json.loads(ask(port, "POST", "/predict", body, Content_Type="image/png")[2])[
            "label"
        ]

    threads = [threading.Thread(target=classify, args=[number]) for number in range(len(wanted))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answers[number] for number in range(len(wanted))] == wanted


@pytest.mark.parametrize(
    ("body", "headers", "expected"),
    [
        ("{", {}, (400, "invalid-request")),
        ("hello", {"Content_Type": "image/png"}, (415, "unsupported-format")),
        ("", {"Content_Type": "image/png"}, (422, "unreadable-image")),
        ('{"url": "file:///etc/passwd"}', {}, (422, "url-refused")),
    ],
)
def test_what_is_wrong_is_a_problem(port, body, headers, expected):
    assert problem(ask(port, "POST", "/predict", body, **headers)) == expected


@pytest.mark.parametrize("method", ["TRACE", "PROPFIND", "NONSENSE"])
def test_a_method_that_nobody_knows_is_a_problem(port, method):
    assert problem(ask(port, method, "/predict")) == (405, "method-not-allowed")


def test_the_body_may_have_as_many_bytes_as_lambda_takes(port):
    def send(size: int) -> tuple[int, str]:
        return problem(ask(port, "POST", "/predict", b"x" * size, Content_Type="image/png"))

    assert send(MAX_BODY) == (415, "unsupported-format")
    assert send(MAX_BODY + 1) == (413, "too-large")
    assert MAX_BODY == 6 * 1024 * 1024


def test_the_invocations_path_answers_a_plain_event_as_lambda_does(port, pictures, web):
    events = [{"image": base64_of(pictures["red"])}, {"url": web.says("/a.png", pictures["blue"])}]
    for event, label in zip(events, ["red", "blue"], strict=True):
        status, headers, body = ask(port, "POST", INVOCATIONS, json.dumps(event))
        scores = json.loads(body)
        assert status == 200
        assert "x-amz-function-error" not in headers
        assert list(scores) == ["blue", "green", "red"]
        assert max(scores, key=scores.get) == label


def test_the_invocations_path_answers_an_http_event_in_its_shape(port):
    event = {"requestContext": {"elb": {}}, "httpMethod": "GET", "path": "/health"}
    status, headers, body = ask(port, "POST", INVOCATIONS, json.dumps(event))
    answer = json.loads(body)
    assert (status, answer["statusCode"], json.loads(answer["body"])["status"]) == (200, 200, "ok")
    assert "x-amz-function-error" not in headers


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("{", "the body is not JSON: "),
        ("[]", "send an event like "),
        ("{}", "send either url or image"),
        ('{"image": "!"}', "image is not valid base64"),
        ('{"url": "file:///etc/passwd"}', "only http and https URLs are fetched"),
        ("x" * (MAX_BODY + 1), "the request has more than the 6,291,456 bytes that Lambda takes"),
    ],
)
def test_a_failed_invocation_is_marked_as_lambda_marks_it(port, body, message):
    status, headers, answer = ask(port, "POST", INVOCATIONS, body)
    assert (status, headers["x-amz-function-error"]) == (200, "Unhandled")
    document = json.loads(answer)
    assert document.keys() == {"errorMessage", "errorType"}
    assert document["errorMessage"].startswith(message)
    assert document["errorType"] == "Problem"


def test_an_error_inside_an_invocation_is_marked_and_logged(port, pictures, service, monkeypatch, capsys):
    monkeypatch.setattr(service._classifier, "classify", lambda pixels: 1 / 0)
    _, headers, answer = ask(port, "POST", INVOCATIONS, json.dumps({"image": base64_of(pictures["red"])}))
    assert headers["x-amz-function-error"] == "Unhandled"
    assert json.loads(answer) == {"errorMessage": "division by zero", "errorType": "ZeroDivisionError"}
    assert "Traceback" in capsys.readouterr().err


def test_a_port_that_is_taken_is_named_with_what_to_do(colour_bundle):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ShutterlessError, match=f"port {port}.*in use") as caught:
            serve(Settings(colour_bundle, port=port))
    assert "--port" in caught.value.hint


def test_a_bundle_that_does_not_verify_is_said_before_the_port_is_opened(tmp_path):
    with pytest.raises(ShutterlessError, match="is not a bundle"):
        serve(Settings(tmp_path, port=0), ready=lambda url: pytest.fail("it was opened"))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


def is_open(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE).close()
    except OSError:
        return False
    return True


def wait_until(condition) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@contextmanager
def container(**environ: str):
    """The container's entry as a process."""
    known = {name: value for name, value in os.environ.items() if not name.startswith("SHUTTERLESS_")}
    command = [sys.executable, "-W", "error", "-m", "shutterless.runtime"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env={**known, **environ}, **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(("sign", "exit_code"), [(signal.SIGTERM, -signal.SIGTERM), (signal.SIGINT, 130)])
def test_a_stopped_container_finishes_what_it_began(colour_bundle, pictures, web, sign, exit_code):
    asked, go_on = threading.Event(), threading.Event()

    def wait(handler) -> None:
        asked.set()
        go_on.wait(PATIENCE)
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(pictures["red"])

    web.answers["/a.png"] = wait
    answers, port = [], free_port()
    body = json.dumps({"url": web.url("/a.png")})
    client = threading.Thread(target=lambda: answers.append(ask(port, "POST", "/predict", body)))
    with container(SHUTTERLESS_BUNDLE=str(colour_bundle), SHUTTERLESS_URLS="any", PORT=str(port)) as process:
        wait_until(lambda: is_open(port))
        client.start()
        assert asked.wait(PATIENCE)
        process.send_signal(sign)
        wait_until(lambda: not is_open(port))
        go_on.set()
        client.join()
        output, errors = process.communicate(timeout=PATIENCE)
    assert (answers[0][0], json.loads(answers[0][2])["label"]) == (200, "red")
    assert (process.returncode, output) == (exit_code, "")
    assert "Traceback" not in errors


def test_a_client_that_hangs_up_in_the_middle_leaves_no_traceback(colour_bundle):
    port = free_port()
    with container(SHUTTERLESS_BUNDLE=str(colour_bundle), PORT=str(port)) as process:
        wait_until(lambda: is_open(port))
        for path in ("/predict", INVOCATIONS):
            with socket.create_connection(("127.0.0.1", port)) as stream:
                head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"
                stream.sendall(head.encode())
                assert stream.recv(100).startswith(b"HTTP/1.1 100")  # now the body is waited for
                stream.sendall(b"half")
        assert ask(port, "GET", "/health")[0] == 200
        process.terminate()
        assert "Traceback" not in process.communicate(timeout=PATIENCE)[1]


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({}, "error: SHUTTERLESS_BUNDLE is not set\nSet it to the bundle's folder.\n"),
        (
            {"SHUTTERLESS_BUNDLE": "x", "SHUTTERLESS_URLS": "all"},
            "error: SHUTTERLESS_URLS is 'all'\nSet it to one of: public, any, off.\n",
        ),
        (
            {"SHUTTERLESS_BUNDLE": "/nowhere"},
            "error: /nowhere is not a bundle: /nowhere/bundle.json: No such file or directory\n"
            "Give the folder that `shutterless convert -o` wrote.\n",
        ),
    ],
)
def test_a_container_that_cannot_start_says_in_two_lines_why(environ, message):
    with container(**environ) as process:
        output, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, output, errors) == (1, "", message)
