import base64
import errno
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from shutterless.errors import BundleError, InputError
from shutterless.runtime import fetch_limits
from shutterless.runtime.adapters import http_connection
from shutterless.runtime.adapters import http_server as server_module
from shutterless.runtime.adapters.http_app import INVOCATIONS, App
from shutterless.runtime.adapters.http_connection import MAX_BODY
from shutterless.runtime.adapters.http_server import Server, serve
from shutterless.runtime.adapters.lambda_events import to_request
from shutterless.runtime.adapters.listener import hide
from shutterless.runtime.http_messages import Request, Response
from shutterless.runtime.service import Service
from shutterless.runtime.settings import Settings

TIMEOUT = 60


@pytest.fixture(scope="module")
def port(service, running):
    """The port of a running server."""
    with running(App(service)) as port:
        yield port


def ask(port: int, method: str, path: str, body=None, **headers) -> tuple[int, dict, bytes]:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        client.request(method, path, body, named)
        with client.getresponse() as response:
            names = {name.lower(): value for name, value in response.getheaders()}
            return response.status, names, response.read()
    finally:
        client.close()


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
        ("TRACE", "/predict"),
        ("PROPFIND", "/nowhere"),
        ("NONSENSE", "/"),
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


def test_the_body_may_have_as_many_bytes_as_lambda_takes(port):
    def send(size: int) -> tuple[int, str]:
        return problem(ask(port, "POST", "/predict", b"x" * size, Content_Type="image/png"))

    assert send(MAX_BODY) == (415, "unsupported-format")
    assert send(MAX_BODY + 1) == (413, "too-large")
    chunks = [b"x" * MAX_BODY, b"x"]
    assert problem(ask(port, "POST", "/predict", iter(chunks), Content_Type="image/png")) == (
        413,
        "too-large",
    )
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
    ("body", "code", "kind"),
    [
        ("[]", "invalid-request", "Problem"),
        ("{}", "invalid-request", "Problem"),
        ('{"image": "!"}', "invalid-request", "Problem"),
        ('{"url": "file:///etc/passwd"}', "url-refused", "Problem"),
        ('{"image": "aGVsbG8="}', "unsupported-format", "ImageError"),
    ],
)
def test_a_failed_invocation_is_marked_as_lambda_marks_it(port, body, code, kind, capsys):
    status, headers, answer = ask(port, "POST", INVOCATIONS, body)
    assert (status, headers["x-amz-function-error"]) == (200, "Unhandled")
    document = json.loads(answer)
    assert document.keys() == {"errorMessage", "errorType"}
    assert document["errorMessage"]
    assert document["errorType"] == kind
    assert json.loads(capsys.readouterr().err)["code"] == code


@pytest.mark.parametrize(
    ("method", "body", "expected"),
    [
        ("POST", "{", (400, "invalid-request")),
        ("POST", "x" * (MAX_BODY + 1), (413, "too-large")),
        ("GET", None, (405, "method-not-allowed")),
    ],
)
def test_what_never_becomes_an_event_is_a_problem(port, method, body, expected):
    assert problem(ask(port, method, INVOCATIONS, body)) == expected


def test_an_error_inside_an_invocation_is_marked_and_logged(port, pictures, service, monkeypatch, capsys):
    monkeypatch.setattr(service._classifier, "classify", lambda pixels: 1 / 0)
    event = json.dumps({"image": base64_of(pictures["red"])})
    _, headers, answer = ask(port, "POST", INVOCATIONS, event, X_Request_Id="r-7")
    assert headers["x-amz-function-error"] == "Unhandled"
    document = json.loads(answer)
    assert (document["errorType"], "r-7" in document["errorMessage"]) == ("Problem", True)
    (line,) = map(json.loads, capsys.readouterr().err.splitlines())
    assert (line["request_id"], line["error"]["kind"]) == ("r-7", "ZeroDivisionError")


@pytest.mark.parametrize(("sent", "is_kept"), [("r-7", True), ("{}", False)])
@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/health"), ("POST", "/predict"), ("POST", INVOCATIONS)]
)
def test_an_answer_and_its_line_in_the_log_have_one_request_id(port, method, path, sent, is_kept, capsys):
    _, headers, _ = ask(port, method, path, None if method == "GET" else "{", X_Request_Id=sent)
    (line,) = map(json.loads, capsys.readouterr().err.splitlines())
    assert (headers["x-request-id"] == sent) is is_kept
    assert line["request_id"] == headers["x-request-id"]


def test_a_connection_is_kept_for_the_next_request(port, pictures):
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    sockets = set()
    for body in (pictures["red"], b"hello", b"x" * 100_000, pictures["red"]):
        client.request("POST", "/predict", body, {"Content-Type": "image/png"})
        sockets.add(client.sock)
        client.getresponse().read()
    client.close()
    assert len(sockets) == 1


def test_a_body_that_is_too_large_is_refused_before_it_comes(port):
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as stream:
        head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: {MAX_BODY + 1}\r\n"
        stream.sendall(f"{head}Expect: 100-continue\r\n\r\n".encode())
        answer = read_to_the_end(stream)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"\r\nConnection: close\r\n" in answer


def test_requests_that_come_in_one_piece_are_answered_in_their_order(port):
    with socket.create_connection(("127.0.0.1", port)) as stream:
        stream.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\nGET /nowhere HTTP/1.0\r\n\r\n")
        answers = read_to_the_end(stream)
    assert re.findall(rb"HTTP/1.1 (\d+)", answers) == [b"200", b"404"]


def test_when_all_are_busy_more_are_told_to_come_again_and_health_still_answers(
    service, running, monkeypatch, web
):
    monkeypatch.setattr(server_module, "QUEUE_SLOTS_PER_CORE", 2)
    monkeypatch.setattr(server_module, "cores", lambda: 1)
    asked, go_on = threading.Semaphore(0), threading.Event()

    def wait(handler) -> None:
        asked.release()
        go_on.wait(TIMEOUT)
        handler.send_error(404)

    def ask_slowly(port: int) -> None:
        answers.append(problem(ask(port, "POST", "/predict", body)))

    web.answers["/a.png"] = wait
    body = json.dumps({"url": web.url("/a.png")})
    answers, lines = [], []
    with running(App(service, lines.append)) as port:
        clients = [threading.Thread(target=ask_slowly, args=[port]) for _ in range(2)]
        for client in clients:
            client.start()
            assert asked.acquire(timeout=TIMEOUT)
        for path in ("/predict", INVOCATIONS):
            turned_away = ask(port, "POST", path, body)
            assert problem(turned_away) == (503, "busy")
            assert turned_away[1]["retry-after"] == "1"
        assert ask(port, "GET", "/health")[0] == 200
        go_on.set()
        for client in clients:
            client.join()
        assert problem(ask(port, "POST", "/predict", body)) == (424, "fetch-failed")
    assert answers == [(424, "fetch-failed")] * 2
    assert [line["code"] for line in lines if line["status"] == 503] == ["busy", "busy"]


HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n"


def read_to_the_end(stream: socket.socket) -> bytes:
    """Return all that still comes until the server hangs up."""
    stream.settimeout(TIMEOUT)
    return b"".join(iter(lambda: stream.recv(65536), b""))


@pytest.fixture
def hasty_port(service, running, monkeypatch):
    """The port of a server with short time-outs."""
    for name in ("HEAD_TIMEOUT", "BODY_TIMEOUT", "ANSWER_TIMEOUT"):
        monkeypatch.setattr(http_connection, name, 0.1)
    with running(App(service)) as port:
        yield port


@pytest.mark.parametrize("sent", [b"", b"P", HEAD])
def test_a_client_that_does_not_come_to_the_point_is_cut_off(hasty_port, sent):
    with socket.create_connection(("127.0.0.1", hasty_port)) as stream:
        stream.sendall(sent)
        assert read_to_the_end(stream) == b""


def test_a_client_whose_next_request_does_not_come_to_the_point_is_cut_off(hasty_port):
    with socket.create_connection(("127.0.0.1", hasty_port)) as stream:
        stream.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\nGET /hea")
        assert read_to_the_end(stream).startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_body_that_drips_is_a_problem(hasty_port):
    with socket.create_connection(("127.0.0.1", hasty_port)) as stream:
        stream.sendall(HEAD + b"\r\nhalf")
        head, _, body = read_to_the_end(stream).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert json.loads(body)["code"] == "invalid-request"


def test_an_answer_that_is_not_read_is_let_go(hasty_port, service, monkeypatch):
    page = Response(200, {"Content-Type": "text/plain"}, b"x" * 20_000_000)
    monkeypatch.setattr(service, "respond", lambda request: page)
    with socket.create_connection(("127.0.0.1", hasty_port)) as stream:
        stream.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_until(lambda: not server_has(hasty_port, stream))
        assert len(read_to_the_end(stream)) < len(page.body)


def server_has(port: int, stream: socket.socket) -> bool:
    """Tell whether the server still has its end of a connection."""
    mine = stream.getsockname()[1]
    ends = [line.split()[1:4] for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [f"0100007F:{port:04X}", f"0100007F:{mine:04X}", "01"] in ends


def open_connection(port: int, sent: bytes = b"") -> socket.socket:
    stream = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
    stream.sendall(sent)
    return stream


def test_the_connection_that_is_idle_longest_makes_way_for_a_new_one(service, running, monkeypatch):
    monkeypatch.setattr(server_module, "MAX_CONNECTIONS", 3)
    with running(App(service)) as port, ExitStack() as opened:
        idle = []
        for _ in range(3):
            idle.append(
                opened.enter_context(open_connection(port, b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"))
            )
            assert idle[-1].recv(1000).startswith(b"HTTP/1.1 200 ")
        assert ask(port, "GET", "/health")[0] == 200
        assert read_to_the_end(idle[0]) == b""
        idle[2].sendall(b"GET /model HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert read_to_the_end(idle[2]).startswith(b"HTTP/1.1 200 ")


def test_silent_clients_keep_nobody_out(service, running, monkeypatch):
    monkeypatch.setattr(server_module, "MAX_CONNECTIONS", 4)
    with running(App(service)) as port, ExitStack() as opened:
        for _ in range(20):
            opened.enter_context(open_connection(port, b"G"))
        assert ask(port, "GET", "/health")[0] == 200


def test_an_answer_that_is_not_read_makes_way_for_a_new_connection(service, running, monkeypatch):
    monkeypatch.setattr(server_module, "MAX_CONNECTIONS", 1)
    page = Response(200, {"Content-Type": "text/plain"}, b"x" * 20_000_000)
    monkeypatch.setattr(service, "respond", lambda request: page)
    with running(App(service)) as port, open_connection(port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") as stream:
        assert stream.recv(100).startswith(b"HTTP/1.1 200 ")
        assert ask(port, "HEAD", "/")[0] == 200


def test_bodies_that_do_not_come_take_no_room(service, running, monkeypatch, pictures):
    monkeypatch.setattr(server_module, "QUEUE_SLOTS_PER_CORE", 1)
    monkeypatch.setattr(server_module, "cores", lambda: 1)
    with running(App(service)) as port, ExitStack() as opened:
        for _ in range(3):
            opened.enter_context(open_connection(port, HEAD + b"\r\nhalf"))
        for _ in range(3):
            assert ask(port, "POST", "/predict", pictures["red"], Content_Type="image/png")[0] == 200


def test_seventy_clients_that_send_one_byte_of_body_do_not_delay_the_next(service, running, pictures):
    with running(App(service)) as port, ExitStack() as opened:
        for _ in range(70):
            opened.enter_context(open_connection(port, HEAD + b"\r\nx"))
        assert ask(port, "POST", "/predict", pictures["red"], Content_Type="image/png")[0] == 200


def test_the_slowest_body_makes_way_when_all_bodies_are_too_large(service, running, monkeypatch):
    monkeypatch.setattr(server_module, "MIN_BODIES", 100_000)
    monkeypatch.setattr(server_module, "memory", lambda: 0)
    make_room, is_held = Server._make_room, threading.Event()

    def note_and_make_room(server: Server) -> None:
        if sum(connection.body_size for connection in list(server._connections)) == 80_000:
            is_held.set()
        make_room(server)

    monkeypatch.setattr(Server, "_make_room", note_and_make_room)
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 90000\r\n\r\n"
    with running(App(service)) as port, open_connection(port, head + b"x" * 80_000) as slow:
        assert is_held.wait(TIMEOUT)
        answer = ask(port, "POST", "/predict", b"x" * 90_000, Content_Type="image/png")
        assert problem(answer) == (415, "unsupported-format")
        answer, _, body = read_to_the_end(slow).partition(b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nRetry-After: 1\r\n" in answer
    assert json.loads(body)["code"] == "busy"


def test_hosts_that_do_not_answer_keep_no_photo_waiting(
    classifier, colour_bundle, running, monkeypatch, pictures, web
):
    monkeypatch.setattr(fetch_limits, "FETCHES_PER_CORE", 1)
    monkeypatch.setattr(fetch_limits, "cores", lambda: 1)
    asked, go_on = threading.Event(), threading.Event()

    def wait(handler) -> None:
        asked.set()
        go_on.wait(TIMEOUT)
        handler.send_error(404)

    web.answers["/a.png"] = wait
    body = json.dumps({"url": web.url("/a.png")})
    answers = []
    with running(App(Service(classifier, Settings(colour_bundle, urls="any")))) as port:
        client = threading.Thread(target=lambda: answers.append(problem(ask(port, "POST", "/predict", body))))
        client.start()
        assert asked.wait(TIMEOUT)
        turned_away = ask(port, "POST", "/predict", body)
        assert (problem(turned_away), turned_away[1]["retry-after"]) == ((503, "busy"), "1")
        assert ask(port, "POST", "/predict", pictures["red"], Content_Type="image/png")[0] == 200
        go_on.set()
        client.join()
    assert answers == [(424, "fetch-failed")]


def test_a_connection_that_is_reset_before_it_is_taken_does_not_stop_the_server(
    service, running, monkeypatch
):
    accept, setsockopt = socket.socket.accept, socket.socket.setsockopt
    errors = [ConnectionAbortedError(errno.ECONNABORTED, "aborted"), OSError(errno.EINVAL, "as on macOS")]

    def failing_accept(listening):
        stream = accept(listening)
        if len(errors) == 2:
            stream[0].close()
            raise errors.pop(0)
        return stream

    def failing_setsockopt(stream, *arguments):
        if errors:
            raise errors.pop()
        setsockopt(stream, *arguments)

    with running(App(service)) as port:
        monkeypatch.setattr(socket.socket, "accept", failing_accept)
        monkeypatch.setattr(socket.socket, "setsockopt", failing_setsockopt)
        with socket.socket() as client:
            client.connect(("127.0.0.1", port))
            assert client.recv(1) == b""
        with socket.socket() as client:
            client.connect(("127.0.0.1", port))
            client.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert read_to_the_end(client).startswith(b"HTTP/1.1 200 ")
    assert errors == []


def test_a_stopped_server_answers_what_the_system_has_taken_for_it(service, pictures):
    red = pictures["red"]
    request = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(red) + red
    with socket.create_server(("127.0.0.1", 0), backlog=40) as listening, ExitStack() as opened:
        port = listening.getsockname()[1]
        clients = [opened.enter_context(open_connection(port, request)) for _ in range(30)]
        server = Server(App(service), listening)
        server.stop()
        server.run()
        answers = [read_to_the_end(client) for client in clients]
    assert [answer[:13] for answer in answers] == [b"HTTP/1.1 200 "] * 30


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such filter")
def test_a_hidden_listener_takes_no_connection_but_keeps_those_it_has():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        with socket.create_connection(address, timeout=TIMEOUT):
            hide(listener)
            with pytest.raises(TimeoutError):
                socket.create_connection(address, timeout=0.05)
            listener.accept()[0].close()
            listener.setblocking(False)
            with pytest.raises(BlockingIOError):
                listener.accept()


@pytest.mark.parametrize("is_whole", [True, False])
def test_a_stopped_server_answers_what_an_idle_client_sends_a_moment_later(service, pictures, is_whole):
    red = pictures["red"]
    request = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(red) + red
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Server(App(service), listener)
        with open_connection(listener.getsockname()[1], b"" if is_whole else request[:20]) as client:
            thread = threading.Thread(target=server.run)
            thread.start()
            wait_until(lambda: server._connections)
            server.stop()
            wait_until(lambda: listener.fileno() < 0)
            client.sendall(request if is_whole else request[20:])
            answer = read_to_the_end(client)
            thread.join()
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"\r\nConnection: close\r\n" in answer


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"\x16\x03\x01\r\n\r\n", id="no HTTP"),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n", id="answered before its body"
        ),
        pytest.param(
            b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", id="answered for the last time"
        ),
    ],
)
def test_who_stays_after_the_last_answer_makes_way_for_others(service, running, monkeypatch, sent):
    monkeypatch.setattr(server_module, "MAX_CONNECTIONS", 2)
    with running(App(service)) as port, ExitStack() as opened:
        for _ in range(6):
            stream = opened.enter_context(open_connection(port, sent))
            assert stream.recv(100).startswith(b"HTTP/1.1 ")
        assert ask(port, "GET", "/health")[0] == 200


def test_an_upload_that_makes_progress_outlives_those_that_do_not(service, running, monkeypatch):
    monkeypatch.setattr(server_module, "MAX_CONNECTIONS", 3)
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
    with running(App(service)) as port, ExitStack() as opened:
        upload = opened.enter_context(open_connection(port, head))
        slow = opened.enter_context(open_connection(port, head + b"x"))
        for _ in range(4):
            upload.sendall(b"x" * 250_000)
            opened.enter_context(open_connection(port))
            time.sleep(0.05)
        assert read_to_the_end(slow).startswith(b"HTTP/1.1 503 ")
        assert upload.recv(100).startswith(b"HTTP/1.1 4")


def test_a_body_in_tiny_chunks_is_refused_before_it_costs_much(port):
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    with open_connection(port, head + b"1\r\nx\r\n" * 1010) as stream:
        answer = stream.recv(1000)
    assert answer.startswith(b"HTTP/1.1 400 ")


def test_a_repeated_header_means_the_same_as_in_an_event(service, running, monkeypatch):
    seen = []
    monkeypatch.setattr(service, "respond", lambda request: seen.append(request) or Response(204, {}, b""))
    with running(App(service)) as port:
        head = b"GET / HTTP/1.1\r\nHost: x\r\nX-A: 1\r\nX-B: 3\r\nx-a: 2\r\nConnection: close\r\n\r\n"
        with open_connection(port, head) as stream:
            read_to_the_end(stream)
    event = {"httpMethod": "GET", "path": "/", "multiValueHeaders": {"X-A": ["1", "2"], "X-B": ["3"]}}
    expected = to_request(event).headers
    assert {name: seen[0].headers[name] for name in expected} == expected == {"x-a": "1, 2", "x-b": "3"}


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:8080"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "same-origin"},
        {"Host": "evil.example"},
        {"Host": "evil.example:8080"},
        {"Host": "evil.example."},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "localhost.evil.example"},
    ],
)
def test_a_web_page_cannot_send_events(port, headers):
    event = json.dumps({"httpMethod": "GET", "path": "/health"})
    answer = ask(port, "POST", INVOCATIONS, event, Content_Type="text/plain", **headers)
    assert problem(answer) == (403, "invalid-request")
    assert not [name for name in answer[1] if name.startswith("access-control-")]


def test_a_page_is_not_permitted_to_send_events_by_a_preflight(port):
    status, headers, _ = ask(port, "OPTIONS", INVOCATIONS, Access_Control_Request_Method="POST")
    assert status == 405
    assert not [name for name in headers if name.startswith("access-control-")]


@pytest.mark.parametrize(
    "host",
    ["localhost:9000", "127.0.0.1", "[::1]:80", "classifier:8080", "a.local", "host.docker.internal", ""],
)
def test_programs_on_this_machine_and_beside_it_send_events(port, host):
    event = json.dumps({"httpMethod": "GET", "path": "/health"})
    assert ask(port, "POST", INVOCATIONS, event, Host=host)[0] == 200


def test_the_host_of_a_whole_url_counts(port):
    head = f"POST http://evil.example{INVOCATIONS} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    with open_connection(port, head.encode() + b"Content-Length: 2\r\n\r\n{}") as stream:
        assert read_to_the_end(stream).startswith(b"HTTP/1.1 403 ")


def test_a_stopped_server_does_not_wait_for_who_asks_nothing(service, monkeypatch):
    monkeypatch.setattr(http_connection, "HEAD_TIMEOUT", 10 * TIMEOUT)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = Server(App(service), listening)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        with socket.create_connection(listening.getsockname()) as stream:
            stream.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            stream.recv(1000)
            server.stop()
            thread.join(TIMEOUT)
            assert not thread.is_alive()


def test_a_port_that_is_taken_is_named_with_what_to_do(colour_bundle):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError) as caught:
            serve(Settings(colour_bundle, port=port))
    assert caught.value.code == "cannot-listen"
    assert str(port) in caught.value.message
    assert "--port" in caught.value.hint


def test_a_folder_without_a_bundle_is_reported_before_the_port_is_opened(tmp_path):
    with pytest.raises(BundleError) as caught:
        serve(Settings(tmp_path, port=0), ready=lambda url: pytest.fail("it was opened"))
    assert caught.value.code == "not-a-bundle"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


def is_open(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT).close()
    except OSError:
        return False
    return True


def wait_until(condition) -> None:
    end = time.monotonic() + TIMEOUT
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


@pytest.mark.parametrize(("sign", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_stopped_container_finishes_what_it_began_and_ends_in_order(
    colour_bundle, pictures, web, sign, code
):
    asked, go_on = threading.Event(), threading.Event()

    def wait(handler) -> None:
        asked.set()
        go_on.wait(TIMEOUT)
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
        assert asked.wait(TIMEOUT)
        process.send_signal(sign)
        wait_until(lambda: not is_open(port))
        go_on.set()
        client.join()
        output, errors = process.communicate(timeout=TIMEOUT)
    assert (answers[0][0], json.loads(answers[0][2])["label"]) == (200, "red")
    assert (process.returncode, output) == (code, "")
    assert "Traceback" not in errors


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_a_container_at_once(colour_bundle, web, sign):
    asked, go_on, port = threading.Event(), threading.Event(), free_port()

    def wait(handler) -> None:
        asked.set()
        go_on.wait(TIMEOUT)

    def ask_in_vain() -> None:
        with suppress(OSError, http.client.HTTPException):
            ask(port, "POST", "/predict", json.dumps({"url": web.url("/a.png")}))

    web.answers["/a.png"] = wait
    client = threading.Thread(target=ask_in_vain)
    with container(SHUTTERLESS_BUNDLE=str(colour_bundle), SHUTTERLESS_URLS="any", PORT=str(port)) as process:
        wait_until(lambda: is_open(port))
        client.start()
        assert asked.wait(TIMEOUT)
        process.send_signal(sign)
        wait_until(lambda: not is_open(port))
        assert process.poll() is None
        process.send_signal(sign)
        assert process.wait(TIMEOUT) == -sign
        go_on.set()
        client.join()


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
        assert "Traceback" not in process.communicate(timeout=TIMEOUT)[1]


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({}, "SHUTTERLESS_BUNDLE"),
        ({"SHUTTERLESS_BUNDLE": "x", "SHUTTERLESS_URLS": "all"}, "SHUTTERLESS_URLS"),
        ({"SHUTTERLESS_BUNDLE": "/nowhere"}, "/nowhere/bundle.json"),
    ],
)
def test_a_container_that_cannot_start_prints_an_error_and_a_hint(environ, name):
    with container(**environ) as process:
        output, errors = process.communicate(timeout=TIMEOUT)
    assert (process.returncode, output) == (1, "")
    error, hint = errors.splitlines()
    assert error.startswith("error: ")
    assert name in error
    assert hint


def test_garbage_is_looked_for_once_all_is_loaded_and_not_before(colour_bundle):
    code = """
import gc
from shutterless.runtime import __main__
from shutterless.runtime.adapters import http_server
def serve(settings, host, ready):
    print(gc.isenabled())
    ready("http://here")
    print(gc.isenabled(), gc.get_freeze_count() > 1000)
http_server.serve = serve
__main__.main()
"""
    environ = {**os.environ, "SHUTTERLESS_BUNDLE": str(colour_bundle)}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True)
    assert done.stdout.split() == ["False", "True", "True"], done.stderr
