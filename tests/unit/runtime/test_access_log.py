import contextlib
import io
import json
import re
import socket
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given

from shutterless.runtime import access_log
from shutterless.runtime.adapters.lambda_function import handle
from shutterless.runtime.http_messages import Request, Response
from shutterless.runtime.problems import Problem
from shutterless.runtime.responses import error_response
from shutterless.runtime.service import Service
from shutterless.runtime.settings import Settings
from tests.texts import TEXTS

ANSWER = {"label": "hat", "confidence": 0.75, "accepted": True, "scores": {}}
UNSURE = {"label": "cap", "confidence": 0.25, "accepted": False, "scores": {}}
FAMILIAR = {**ANSWER, "familiar": True, "novelty": 0.5}
STRANGE = {**ANSWER, "accepted": False, "familiar": False, "novelty": 0.99}


def record(response: Response) -> dict:
    return access_log.make_record("r-1", "POST /predict", "0123456789ab", time.perf_counter(), response)


def test_a_line_has_what_came_of_a_request():
    line = record(Response(200, {}, b"", ANSWER))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
    assert 0 <= line.pop("duration_ms") < 60_000
    assert line == {
        "level": "info",
        "request_id": "r-1",
        "route": "POST /predict",
        "status": 200,
        "model": "0123456789ab",
        "label": "hat",
        "confidence": 0.75,
        "accepted": True,
        "rejected": 0,
    }


@pytest.mark.parametrize(
    ("document", "members"),
    [
        (UNSURE, {"label": "cap", "confidence": 0.25, "accepted": False, "rejected": 1}),
        (
            {"predictions": [ANSWER, {"code": "too-large"}, UNSURE]},
            {
                "label": ["hat", "cap"],
                "confidence": [0.75, 0.25],
                "accepted": [True, False],
                "rejected": 1,
                "codes": ["too-large"],
            },
        ),
        (
            STRANGE,
            {
                "label": "hat",
                "confidence": 0.75,
                "accepted": False,
                "familiar": False,
                "novelty": 0.99,
                "rejected": 1,
                "unfamiliar": 1,
            },
        ),
        (
            {"predictions": [FAMILIAR, STRANGE, {"code": "too-large"}]},
            {
                "label": ["hat", "hat"],
                "confidence": [0.75, 0.75],
                "accepted": [True, False],
                "familiar": [True, False],
                "novelty": [0.5, 0.99],
                "rejected": 1,
                "unfamiliar": 1,
                "codes": ["too-large"],
            },
        ),
        ({"code": "not-found", "detail": "k3y"}, {"code": "not-found"}),
        ({"labels": ["hat"]}, {}),
        (None, {}),
    ],
)
def test_a_line_tells_labels_and_problems(document, members):
    line = record(Response(200, {}, b"", document))
    always = ("time", "level", "request_id", "route", "status", "duration_ms", "model")
    assert {name: value for name, value in line.items() if name not in always} == members


def test_an_error_is_told_by_its_kind_and_place_and_not_by_its_words():
    try:
        raise FileNotFoundError(2, "k3y", "/k3y")
    except OSError as error:
        line = record(error_response(error, "r-1"))
    place = (
        f"{__file__}:{line['error']['at'][0].split(':')[1].split()[0]} in {sys._getframe().f_code.co_name}"
    )
    assert (line["level"], line["status"], line["code"]) == ("error", 500, "internal")
    assert line["error"] == {
        "kind": "FileNotFoundError",
        "reason": "No such file or directory",
        "at": [place],
    }


class Context:
    def __init__(self, number: object) -> None:
        self.aws_request_id = number


@pytest.mark.parametrize(
    ("headers", "context", "number"),
    [
        ({}, Context("8f5c2f1e-0000"), "8f5c2f1e-0000"),
        ({"x-request-id": "a.b_c:d-9"}, Context("8f5c2f1e-0000"), "8f5c2f1e-0000"),
        ({"x-request-id": "a.b_c:d-9"}, None, "a.b_c:d-9"),
        ({"x-request-id": "a.b_c:d-9"}, object(), "a.b_c:d-9"),
        ({"x-request-id": "x" * 64}, None, "x" * 64),
    ],
)
def test_a_request_has_the_number_of_lambda_or_of_its_sender(headers, context, number):
    assert access_log.choose_request_id(headers, context) == number


@pytest.mark.parametrize(
    "given", ["", "x" * 65, "a b", 'a"b', "a\nb", "a\n", "é", "-a", "https://example.com/", "{}"]
)
def test_a_number_that_might_do_harm_is_replaced_by_a_new_one(given):
    numbers = {access_log.choose_request_id({"x-request-id": given}) for _ in range(10)}
    assert len(numbers) == 10
    assert all(re.fullmatch("[0-9a-f]{16}", number) for number in numbers)


def test_outside_of_lambda_a_line_goes_to_standard_error(capsys):
    access_log.choose_log(Settings(Path("bundle")))(record(Response(200, {}, b"", ANSWER)))
    output = capsys.readouterr()
    assert output.out == ""
    assert json.loads(output.err)["label"] == "hat"
    assert output.err.count("\n") == 1


def cloudwatch(response: Response, capsys) -> dict:
    access_log.choose_log(Settings(Path("bundle"), function="photos", version="7"))(record(response))
    output = capsys.readouterr()
    assert (output.err, output.out.count("\n")) == ("", 1)
    return json.loads(output.out)


def test_on_lambda_a_line_is_also_cloudwatchs_embedded_metrics(capsys):
    before = int(time.time() * 1000)
    line = cloudwatch(Response(200, {}, b"", UNSURE), capsys)
    embedded = line["_aws"]
    assert before <= embedded.pop("Timestamp") <= time.time() * 1000
    assert embedded == {
        "CloudWatchMetrics": [
            {
                "Namespace": "shutterless",
                "Dimensions": [["function"]],
                "Metrics": [
                    {"Name": "duration_ms", "Unit": "Milliseconds"},
                    {"Name": "confidence", "Unit": "None"},
                    {"Name": "rejected", "Unit": "Count"},
                ],
            }
        ]
    }
    assert (line["function"], line["version"]) == ("photos", "7")
    assert (line["confidence"], line["rejected"], line["label"]) == (0.25, 1, "cap")


@pytest.mark.parametrize(
    ("status", "count"), [(200, None), (424, None), (499, None), (500, 1), (503, 1), (504, 1)]
)
def test_an_answer_of_500_and_above_is_an_error_with_and_without_an_exception(status, count):
    line = record(Response(status, {}, b"", {"code": "busy"}))
    assert line.get("errors") == count
    assert line["level"] == ("error" if count else "info")
    assert "error" not in line


def test_errors_are_counted_by_function_and_by_version_and_nothing_else_by_version(capsys):
    line = cloudwatch(Response(503, {}, b"", {"code": "busy"}), capsys)
    metrics = {
        (tuple(dimensions), metric["Name"])
        for directive in line["_aws"]["CloudWatchMetrics"]
        for dimensions in directive["Dimensions"]
        for metric in directive["Metrics"]
    }
    assert metrics == {
        (("function",), "duration_ms"),
        (("function",), "errors"),
        (("function", "version"), "errors"),
    }
    assert (line["errors"], line["function"], line["version"]) == (1, "photos", "7")


@pytest.mark.parametrize(
    ("response", "names"),
    [
        (
            Response(200, {}, b"", {"predictions": [ANSWER, UNSURE]}),
            ["duration_ms", "confidence", "rejected"],
        ),
        (Response(200, {}, b"", {"predictions": [{"code": "too-large"}]}), ["duration_ms", "rejected"]),
        (Response(200, {}, b"", FAMILIAR), ["duration_ms", "confidence", "rejected", "unfamiliar"]),
        (Response(404, {}, b"", {"code": "not-found"}), ["duration_ms"]),
        (Response(500, {}, b"", {"code": "internal"}, ValueError("x")), ["duration_ms", "errors"]),
    ],
)
def test_a_metric_is_named_only_if_its_line_has_a_value_of_it(response, names, capsys):
    directive = cloudwatch(response, capsys)["_aws"]["CloudWatchMetrics"][0]
    assert [metric["Name"] for metric in directive["Metrics"]] == names


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), ValueError("closed")])
def test_a_log_that_cannot_be_written_costs_no_answer(monkeypatch, error):
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise error

    monkeypatch.setattr(sys, "stderr", Full())
    access_log.to_stderr(record(Response(200, {}, b"", ANSWER)))


SECRET = "k3y"
PNG = "iVBORw0KGgo" + SECRET
HEADERS = {
    "x-api-key": SECRET,
    "authorization": f"Bearer {SECRET}",
    "cookie": SECRET,
    "x-request-id": f"{SECRET}\n{SECRET}",
    "content-type": "application/json",
}


def http(method: str = "POST", path: str = "/predict", body: str = "", **headers: str) -> dict:
    return {
        "httpMethod": method,
        "path": path,
        "headers": {**HEADERS, **{name.replace("_", "-"): value for name, value in headers.items()}},
        "queryStringParameters": {SECRET: SECRET},
        "requestContext": {"identity": {"apiKey": SECRET}},
        "body": body,
    }


def url(text: str) -> dict:
    return http(body=json.dumps({"url": text}))


HOSTILE = [
    http("GET", f"/{SECRET}"),
    http(SECRET, "/predict"),
    http("GET", f"/health/../{SECRET}"),
    http("GET", "/health"),
    http(body=SECRET),
    http(body=json.dumps({"image": SECRET})),
    http(body=json.dumps({"image": PNG})),
    http(body=json.dumps({SECRET: SECRET})),
    http(body=json.dumps({"images": [{"url": f"https://{SECRET}@example.com/"}, {"image": PNG}, SECRET]})),
    http(body=SECRET, content_type=f"image/{SECRET}"),
    http(body=SECRET, content_type=f"multipart/form-data; boundary={SECRET}"),
    url(f"https://127.0.0.1/{SECRET}.jpg?key={SECRET}#{SECRET}"),
    url(f"http://{SECRET}.invalid/{SECRET}.jpg?{SECRET}"),
    url(f"ftp://{SECRET}/"),
    url(f"https://{SECRET}:{SECRET}@example.com/"),
    url(f"https://[{SECRET}"),
    {"requestContext": {"http": SECRET}, "rawPath": SECRET, "headers": {"x-request-id": f"\n{SECRET}"}},
    {"url": f"https://127.0.0.1/{SECRET}?{SECRET}"},
    {"image": SECRET},
    {SECRET: SECRET},
    SECRET,
]


@pytest.fixture
def shut(classifier, monkeypatch):
    """A service that fetches, but for which no host has an address."""

    def getaddrinfo(host: str, port: int, **_: object) -> list:
        if host == "127.0.0.1":
            return [(None, None, None, None, (host, port))]
        raise OSError(f"no host {host}")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return Service(classifier, Settings(Path("bundle")))


@pytest.mark.parametrize("function", ["", "photos"])
@pytest.mark.parametrize("event", HOSTILE)
def test_nothing_that_was_sent_is_logged(shut, event, function, capsys):
    with contextlib.suppress(Problem):
        handle(shut, event, None, access_log.choose_log(Settings(Path("bundle"), function=function)))
    output = capsys.readouterr()
    lines = output.out + output.err
    assert lines.count("\n") == 1
    assert SECRET not in lines


@pytest.mark.parametrize("event", HOSTILE)
def test_nothing_that_was_sent_is_logged_when_it_fails_inside(shut, event, monkeypatch, capsys):
    def fail(payload):
        raise RuntimeError(f"cannot cope with {payload}")

    for name in ("predict", "predict_one", "classify"):
        monkeypatch.setattr(shut, name, fail)
    try:
        handle(shut, event)
    except Problem as problem:
        assert SECRET not in problem.detail
    assert SECRET not in capsys.readouterr().err


@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_a_line_is_ascii_json_with_nothing_that_was_sent(service, method, path, request_id, label):
    request = Request(method, path, {"x-request-id": request_id})
    response = Response(200, {}, b"", {**ANSWER, "label": label})
    chosen_id = access_log.choose_request_id(request.headers)
    with contextlib.redirect_stderr(io.StringIO()) as stream:
        access_log.to_stderr(
            access_log.make_record(chosen_id, service.find_route(request), "v", time.perf_counter(), response)
        )
    line, end = stream.getvalue()[:-1], stream.getvalue()[-1:]
    document = json.loads(line)
    assert line.isascii()
    assert line.isprintable()
    assert end == "\n"
    assert document["label"] == json.loads(json.dumps(label))
    assert document["request_id"] in (request_id, chosen_id)
    assert re.fullmatch(
        r"[A-Za-z0-9_.:-]{1,64}", access_log.add_request_id(response, chosen_id).headers["X-Request-Id"]
    )
    assert re.fullmatch(r"(GET|HEAD|POST|OPTIONS|\?) (/[a-z.]*|\?)", document["route"])
