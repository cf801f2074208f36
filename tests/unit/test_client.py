import base64
import contextlib
import json
import socket
import ssl
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import trustme

from shutterless import client
from shutterless.api_answers import ADDRESS, HINTS
from shutterless.client import MAX_PICTURE_BYTES, call, call_many
from shutterless.errors import PICTURE_CODES, CallError, InputError, OutputError
from shutterless.runtime.adapters.http_app import INVOCATIONS, App
from shutterless.runtime.model.bundle import read_bundle
from shutterless.runtime.model.classifier import Classifier
from shutterless.runtime.service import Service
from shutterless.runtime.settings import Settings

KEY = "a-secret-of-the-owner"
ANSWER = {"label": "red", "confidence": 1.0, "accepted": True, "scores": {"red": 1.0}}
THROTTLED = (429, {}, b'{"message": "Too Many Requests"}')


@dataclass
class Api:
    """An API that gives the answers it was told, the last one ever after, and notes what it was asked."""

    url: str = ""
    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    def says(self, status: int, document: object, **headers: str) -> None:
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.answers.append((status, {name.replace("_", "-"): text for name, text in headers.items()}, body))


@pytest.fixture
def api():
    """An API on this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            here.requests.append((self.path, headers, self.rfile.read(int(headers["content-length"]))))
            status, names, body = here.answers.pop(0) if len(here.answers) > 1 else here.answers[0]
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **names}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        here = Api(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield here
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def served(colour_bundle, running):
    """The URL of a served bundle."""
    service = Service(Classifier(read_bundle(colour_bundle)), Settings(colour_bundle))
    with running(App(service)) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def pauses(monkeypatch):
    """The pauses that were made, none of which lasts."""
    made = []
    monkeypatch.setattr(client.time, "sleep", made.append)
    return made


@pytest.fixture
def photo(colour_photos):
    return colour_photos / "test" / "red" / "00.png"


def failure(*arguments, **options) -> CallError:
    with pytest.raises(CallError) as caught:
        call(*arguments, **options)
    return caught.value


@pytest.mark.parametrize("path", ["", "/", "/predict", "/predict/", INVOCATIONS])
def test_a_served_bundle_answers_at_its_root_at_predict_and_as_lambda(served, photo, path):
    answer = call(served + path, photo)
    assert (answer["label"], answer["accepted"]) == ("red", True)
    assert list(answer["scores"]) == ["blue", "green", "red"]
    assert answer["model"]["name"] == "colours"


@pytest.mark.parametrize("path", ["", INVOCATIONS])
def test_its_problems_come_with_code_and_hint(served, tmp_path, path):
    text = tmp_path / "notes.jpg"
    text.write_text("no picture")
    error = failure(served + path, text)
    assert (error.status, error.code, error.concerns_picture) == (415, "unsupported-format", True)
    assert error.hint == HINTS["unsupported-format"]
    error = failure(served + path, "http://127.0.0.1/a.jpg")
    assert (error.status, error.code, error.hint) == (422, "url-refused", HINTS["url-refused"])


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ("", "/predict"),
        ("/test", "/test/predict"),
        ("/test/", "/test/predict"),
        ("/test/predict", "/test/predict"),
        ("/test?a=b#c", "/test/predict?a=b"),
    ],
)
def test_a_file_goes_as_it_is_to_the_stage_s_predict(api, photo, given, asked):
    api.says(200, ANSWER)
    assert call(api.url + given, str(photo)) == ANSWER
    ((path, headers, body),) = api.requests
    assert (path, body) == (asked, photo.read_bytes())
    assert (headers["content-type"], headers["user-agent"]) == ("image/png", "shutterless")
    assert "x-api-key" not in headers


def test_an_address_goes_as_json(api):
    api.says(200, ANSWER)
    assert call(api.url, "https://example.com/a.jpg") == ANSWER
    ((_, headers, body),) = api.requests
    assert (headers["content-type"], json.loads(body)) == (
        "application/json",
        {"url": "https://example.com/a.jpg"},
    )


def test_lambda_gets_an_event_and_its_http_answer_is_unwrapped(api, photo):
    api.says(200, {"statusCode": 200, "headers": {}, "body": json.dumps(ANSWER), "isBase64Encoded": False})
    assert call(api.url + INVOCATIONS, photo) == ANSWER
    event = json.loads(api.requests[0][2])
    assert base64.b64decode(event["body"]) == photo.read_bytes()
    assert event["headers"] == {"content-type": "image/png"}


@pytest.mark.parametrize("answer", [{"errorMessage": "Runtime exited"}, {"red": 1.0}, [], b"hello"])
def test_a_function_that_gives_no_http_answer_is_an_error(api, photo, answer):
    api.says(200, answer)
    error = failure(api.url + INVOCATIONS, photo)
    assert error.status == 200
    assert not error.concerns_picture


def test_the_key_is_sent_as_the_gateway_expects_it(api, photo):
    api.says(200, ANSWER)
    call(api.url, photo, api_key=KEY)
    path, headers, body = api.requests[0]
    assert headers["x-api-key"] == KEY
    assert KEY not in path + body.decode(errors="replace")


@pytest.mark.parametrize("key", ["two words", "line\nbreak", "schlüssel"])
def test_what_cannot_be_a_key_is_refused_and_not_shown(api, photo, key):
    with pytest.raises(InputError) as caught:
        call(api.url, photo, api_key=key)
    assert caught.value.code == "invalid-api-key"
    assert key not in caught.value.message + caught.value.hint
    assert api.requests == []


@pytest.mark.parametrize(
    ("status", "answer", "headers", "hint"),
    [
        (403, {"message": "Forbidden"}, {}, HINTS[403]),
        (403, {"message": "Missing Authentication Token"}, {}, ADDRESS),
        (403, {"message": "Forbidden"}, {"x-amzn-ErrorType": "ForbiddenException"}, HINTS[403]),
        (403, {"Message": "Forbidden"}, {"x-amzn-ErrorType": "AccessDeniedException"}, HINTS["unsigned"]),
        (401, {"message": "Unauthorized"}, {}, HINTS[401]),
        (404, b"<h1>Not here</h1>", {}, ADDRESS),
        (405, b"", {}, ADDRESS),
        (413, b"HTTP content length exceeded", {}, HINTS[413]),
        (502, {"message": "Internal server error"}, {}, HINTS["busy"]),
        (504, {"message": "Endpoint request timed out"}, {}, HINTS[504]),
        (200, b"<h1>Welcome</h1>", {}, ADDRESS),
        (200, b"[" * 100_000, {}, ADDRESS),
    ],
)
def test_the_answers_of_others_are_errors_with_a_hint(api, photo, status, answer, headers, hint):
    api.says(status, answer, **headers)
    error = failure(api.url, photo, api_key=KEY)
    assert (error.code, error.status, error.hint) == ("unexpected-answer", status, hint)
    assert f"answered {status}" in error.message
    assert isinstance(answer, bytes) or answer.get("message", "") in error.message
    assert KEY not in error.message + error.hint
    assert len(api.requests) == 1


def test_a_redirect_is_not_followed_and_its_target_is_shown(api, photo):
    api.says(302, b"", Location="https://example.com/")
    error = failure(api.url, photo)
    assert (error.code, error.status) == ("unexpected-answer", 302)
    assert "https://example.com/" in error.hint


@pytest.mark.parametrize("code", [*sorted(PICTURE_CODES), "internal", "busy", "invalid-request", "not-found"])
def test_every_code_has_a_hint(api, photo, code, pauses):
    api.says(500, {"code": code, "detail": "so it is"})
    error = failure(api.url, photo)
    assert (error.message, error.code) == ("so it is", code)
    assert error.hint == HINTS[code]
    assert error.to_json() == {"status": 500, "code": code, "detail": "so it is", "hint": error.hint}


def test_a_busy_api_is_asked_again_after_as_long_as_it_says(api, photo, pauses):
    api.says(503, {"code": "busy", "detail": "full"}, Retry_After="7")
    api.answers.append(THROTTLED)
    api.says(200, ANSWER)
    assert call(api.url, photo) == ANSWER
    assert pauses == [7, 2]
    assert len({body for *_, body in api.requests}) == 1


def test_an_unavailable_api_is_asked_again_only_if_it_says_when(api, photo, pauses):
    api.says(502, {"code": "unavailable", "detail": "try again"}, Retry_After="5")
    api.says(502, {"message": "Internal server error"})
    assert failure(api.url, photo).status == 502
    assert pauses == [5]


def test_it_is_not_asked_for_ever(api, photo, pauses):
    api.answers.append(THROTTLED)
    error = failure(api.url, photo)
    assert (error.status, len(api.requests), pauses) == (429, 4, [1, 2, 4])


def test_a_spent_quota_is_not_asked_again(api, photo, pauses):
    api.says(429, {"code": "quota-exceeded", "detail": "spent"})
    error = failure(api.url, photo)
    assert (error.message, error.hint, pauses) == ("spent", HINTS["quota-exceeded"], [])


def test_a_gateway_with_codes_of_its_own_gets_the_advice_of_its_status(api, photo):
    api.says(403, {"code": "forbidden", "detail": "send a valid key"})
    error = failure(api.url, photo)
    assert (error.message, error.code, error.hint) == ("send a valid key", "forbidden", HINTS[403])


@pytest.mark.parametrize(
    "reason",
    ["MissingAuthenticationTokenException", "InvalidSignatureException:http://internal.amazon.com/coral/"],
)
def test_a_request_that_must_be_signed_is_told_from_one_without_its_key(api, photo, reason):
    api.says(403, {"code": "forbidden", "detail": "sign the request"}, **{"x-amzn-ErrorType": reason})
    assert failure(api.url, photo).hint == HINTS["unsigned"]


@pytest.mark.parametrize("header", ["31", "99999999999999999999"])
def test_nobody_waits_longer_than_half_a_minute(api, photo, pauses, header):
    api.says(503, {}, Retry_After=header)
    assert failure(api.url, photo).status == 503
    assert (len(api.requests), pauses) == (1, [])


@pytest.mark.parametrize("header", ["Wed, 25 Nov 2026 00:00:00 GMT", "-1", "soon", "²"])
def test_a_pause_that_is_no_number_is_a_guess(api, photo, pauses, header):
    api.says(503, {}, Retry_After=header.encode("latin-1", "replace").decode("latin-1"))
    failure(api.url, photo)
    assert pauses == [1, 2, 4]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:8080",
        "file:///etc/passwd",
        "ftp://a/b",
        "http://",
        "http://a:b",
        "http://a b/",
        "http://ü/",
    ],
)
def test_what_is_no_api_is_refused(photo, url):
    with pytest.raises(InputError) as caught:
        call(url, photo)
    assert caught.value.code == "invalid-url"


def test_a_password_in_the_url_is_refused_and_not_shown(photo):
    with pytest.raises(InputError) as caught:
        call(f"https://me:{KEY}@example.com", photo)
    assert caught.value.code == "credentials-in-url"
    assert KEY not in caught.value.message + caught.value.hint


def test_an_api_that_is_not_there_gives_no_answer(photo, free_tcp_port):
    error = failure(f"http://127.0.0.1:{free_tcp_port}", photo)
    assert (error.status, error.code, error.concerns_picture) == (None, "no-answer", False)
    assert f"127.0.0.1:{free_tcp_port}" in error.message


def test_an_answer_that_breaks_off_is_none(api, photo):
    api.answers.append((200, {"Content-Length": "99"}, b"{"))
    assert failure(api.url, photo).code == "no-answer"


def test_a_certificate_of_nobody_is_refused(photo):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def greet() -> None:
            stream, _ = listening.accept()
            with stream, pytest.raises(OSError):
                context.wrap_socket(stream, server_side=True)

        thread = threading.Thread(target=greet)
        thread.start()
        error = failure(f"https://127.0.0.1:{listening.getsockname()[1]}", photo)
        thread.join()
    assert error.code == "no-answer"
    assert isinstance(error.__cause__, ssl.SSLCertVerificationError)


def test_a_file_that_lambda_would_not_take_is_refused_before_it_is_sent(api, tmp_path):
    large = tmp_path / "large.jpg"
    large.write_bytes(bytes(MAX_PICTURE_BYTES + 1))
    error = failure(api.url, large)
    assert (error.code, error.concerns_picture, api.requests) == ("too-large", True, [])
    assert str(large) in error.message and "4.4 MB" in error.message


def test_the_largest_file_fits_lambda_s_six_megabytes(api, tmp_path):
    api.says(200, ANSWER)
    largest = tmp_path / "largest.png"
    largest.write_bytes(bytes(MAX_PICTURE_BYTES))
    with pytest.raises(CallError):
        call(api.url + INVOCATIONS, largest)  # what comes back is no event's answer, but it was sent
    assert len(api.requests[0][2]) < 6 * 1024 * 1024


def test_a_file_that_is_not_there_is_named(api, tmp_path):
    for missing in (tmp_path / "no.jpg", tmp_path):
        error = failure(api.url, missing)
        assert error.code == "unreadable-image"
        assert str(missing) in error.message


@pytest.fixture
def raw():
    """Return a context manager for an API that reads a request and sends whatever bytes a test gives."""

    @contextlib.contextmanager
    def serve(*pieces, pause=0.0):
        with socket.create_server(("127.0.0.1", 0)) as listening:

            def answer() -> None:
                with contextlib.suppress(OSError):
                    while True:
                        stream, _ = listening.accept()
                        with stream, contextlib.suppress(OSError):
                            stream.recv(65536)
                            for piece in pieces:
                                stream.sendall(piece)
                                ended.wait(pause)

            ended = threading.Event()
            thread = threading.Thread(target=answer)
            thread.start()
            try:
                yield f"http://127.0.0.1:{listening.getsockname()[1]}"
            finally:
                ended.set()
                listening.shutdown(socket.SHUT_RDWR)
                thread.join()

    return serve


HOSTILE = {
    "no HTTP": [b"\x00\x01\x02\r\n\r\n"],
    "no answer": [b""],
    "a status that is no number": [b"HTTP/1.1 abc OK\r\n\r\n"],
    "a line without end": [b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000],
    "a thousand headers": [b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000 + b"\r\n{}"],
    "a negative length": [b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{}"],
    "a length that is no number": [b"HTTP/1.1 200 OK\r\nContent-Length: \xd9\xa3\r\n\r\n{}"],
    "chunks of no size": [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}"],
    "a body without end": [b"HTTP/1.1 200 OK\r\n\r\n", *[b" " * 1_000_000] * 20],
    "a body that is cut": [b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{}"],
    "deep JSON": [b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 100_000],
    "a number of many digits": [b"HTTP/1.1 200 OK\r\n\r\n" + b"9" * 100_000],
    "scores that are no numbers": [
        b'HTTP/1.1 200 OK\r\n\r\n{"label": "a", "confidence": [], "accepted": true, "scores": {"a": {}}}'
    ],
    "no label": [b'HTTP/1.1 200 OK\r\n\r\n{"confidence": 1, "accepted": true, "scores": {"a": 1}}'],
    "a code that is none": [b'HTTP/1.1 400 Bad\r\n\r\n{"code": {}, "detail": []}'],
    "a redirect": [b"HTTP/1.1 302 Found\r\nLocation: http://\x9b2J\r\nContent-Length: 0\r\n\r\n"],
}


@pytest.mark.parametrize("pieces", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("path", ["", INVOCATIONS])
def test_whatever_an_api_sends_ends_in_an_error_that_names_it(raw, photo, pieces, path):
    with raw(*pieces) as url:
        error = failure(url + path, photo, timeout=5)
    assert error.code in ("no-answer", "unexpected-answer")
    assert error.message.startswith("127.0.0.1:")


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\n", b""])
def test_an_api_that_sends_a_little_for_ever_is_given_up(raw, photo, head):
    """Each piece is in time; all of them together are not."""
    with raw(head, *[b"HTTP/1.1 100 Continue\r\n\r\n"] * 1000, pause=0.05) as url:
        error = failure(url, photo, timeout=0.5)
    assert (error.code, type(error.__cause__)) == ("no-answer", TimeoutError)
    assert "0.5 s" in error.message


def test_many_images_go_over_connections_that_are_kept_and_their_order_stays(served, colour_photos):
    files = sorted((colour_photos / "test").rglob("*.png"))
    with counting_connections() as opened:
        answers = list(call_many(served, files * 3, connections=2))
    assert [answer.source for answer in answers] == [str(file) for file in files * 3]
    assert [answer.prediction.label for answer in answers] == [file.parent.name for file in files * 3]
    assert 1 <= len(opened) <= 2


def test_a_problem_of_one_of_many_stands_in_its_place(served, photo, tmp_path):
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    good, bad, again = call_many(served, [photo, tmp_path / "bad.jpg", photo])
    assert (good.prediction.label, bad.code, again.prediction.label) == ("red", "unsupported-format", "red")
    assert (good.model, bad.model) == (again.model, "")


def test_what_all_images_would_meet_ends_it_after_the_answers_before(api, photo):
    api.says(200, ANSWER)
    api.says(200, ANSWER)
    api.says(403, {"message": "Forbidden"})
    answers = call_many(api.url, [photo] * 100, connections=1)
    assert [next(answers).prediction.label, next(answers).prediction.label] == ["red", "red"]
    with pytest.raises(CallError) as caught:
        next(answers)
    assert caught.value.status == 403
    assert len(api.requests) < 10


def test_a_connection_that_the_api_closed_in_between_is_opened_again(raw, photo):
    """The API says that it keeps the connection, and closes it after each answer."""
    body = json.dumps(ANSWER).encode()
    with raw(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body) as url:
        answers = list(call_many(url, [photo] * 3, connections=1))
    assert [answer.prediction.label for answer in answers] == ["red"] * 3


@contextlib.contextmanager
def counting_connections():
    opened = []
    create = socket.create_connection

    def counting(*arguments, **options):
        opened.append(arguments)
        return create(*arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "create_connection", counting)
        yield opened


def test_a_folder_is_searched_and_a_file_of_answers_is_continued(served, colour_photos, tmp_path):
    output, notes = tmp_path / "answers.jsonl", []
    answers = call_many(served, colour_photos / "test", output=output)
    assert len([next(answers) for _ in range(4)]) == 4
    answers.close()
    rest = list(call_many(served, str(colour_photos / "test"), output=output, on_note=notes.append))
    assert len(rest) == 5
    assert len(output.read_text().splitlines()) == 9
    assert [str(output) in note for note in notes] == [True]


def test_wrong_arguments_are_refused_before_the_first_picture(served, colour_photos, tmp_path):
    with pytest.raises(InputError) as caught:
        call_many(served, [tmp_path / "gone.jpg"])
    assert caught.value.code == "not-found"
    with pytest.raises(InputError) as caught:
        call_many("example", [])
    assert caught.value.code == "invalid-url"
    with pytest.raises(OutputError) as caught:
        call_many(served, colour_photos, output=colour_photos / "answers.csv")
    assert caught.value.code == "output-inside-photos"
