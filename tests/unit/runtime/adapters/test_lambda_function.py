import base64
import json
import traceback
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shutterless.errors import InputError
from shutterless.runtime.adapters import lambda_function
from shutterless.runtime.adapters.lambda_events import is_http
from shutterless.runtime.adapters.lambda_function import handle, lambda_handler
from shutterless.runtime.problems import Problem
from shutterless.runtime.service import Service

# Of all the shapes of events.
MEMBERS = (
    *("httpMethod", "path", "resource", "pathParameters", "headers", "multiValueHeaders", "body"),
    *("queryStringParameters", "multiValueQueryStringParameters", "isBase64Encoded", "requestContext"),
    *("rawPath", "rawQueryString", "routeKey", "stage", "http", "elb", "method", "image", "/", "GET"),
)


@pytest.fixture
def environment(colour_bundle, monkeypatch):
    """The environment of a function, which has not been called yet."""
    monkeypatch.setenv("SHUTTERLESS_BUNDLE", str(colour_bundle))
    monkeypatch.setenv("SHUTTERLESS_URLS", "any")
    lambda_function.load_service.cache_clear()
    yield monkeypatch
    lambda_function.load_service.cache_clear()


def http(method: str, path: str, body: str = "") -> dict:
    return {
        "version": "2.0",
        "rawPath": f"/prod{path}",
        "headers": {"content-type": "application/json"},
        "requestContext": {"stage": "prod", "http": {"method": method}},
        "body": body,
        "isBase64Encoded": False,
    }


def base64_of(picture: bytes) -> str:
    return base64.b64encode(picture).decode()


def test_a_plain_event_gets_the_plain_scores(environment, pictures):
    scores = lambda_handler({"image": base64_of(pictures["red"])}, object())
    assert list(scores) == ["blue", "green", "red"]
    assert max(scores, key=scores.get) == "red"
    assert sum(scores.values()) == pytest.approx(1, abs=1e-6)
    json.dumps(scores)


def test_the_event_of_the_tutorial_is_fetched(environment, pictures, web):
    scores = lambda_handler({"url": web.says("/green.png", pictures["green"])})
    assert max(scores, key=scores.get) == "green"


@pytest.mark.parametrize(
    ("event", "code"),
    [
        ({}, "invalid-request"),
        ({"url": 5}, "invalid-request"),
        ({"image": "!"}, "invalid-request"),
        ({"image": ""}, "unreadable-image"),
        ({"image": base64_of(b"hello")}, "unsupported-format"),
        ({"url": "file:///etc/passwd"}, "url-refused"),
        (None, "invalid-request"),
        ([], "invalid-request"),
        ("url", "invalid-request"),
    ],
)
def test_a_plain_event_that_cannot_be_answered_raises(service, event, code):
    with pytest.raises(Problem) as caught:
        handle(service, event)
    assert caught.value.code == code


SCHEDULED = {"version": "0", "id": "x", "detail-type": "Scheduled Event", "resources": [], "detail": {}}


@pytest.mark.parametrize(
    "event",
    [
        {**SCHEDULED, "source": "aws.events"},
        {**SCHEDULED, "source": "aws.scheduler"},
        {"source": "serverless-plugin-warmup"},
        {"warmer": True, "concurrency": 3},
    ],
)
def test_an_event_that_keeps_the_function_warm_is_answered_as_a_health_check(service, event):
    lines = []
    assert handle(service, event, None, lines.append) == {"status": "ok", "version": service.model_version}
    assert [(line["route"], line["status"], line["level"]) for line in lines] == [("warm-up", 200, "info")]


def test_an_http_event_gets_an_http_answer(environment, pictures):
    answer = lambda_handler(http("POST", "/predict", json.dumps({"image": base64_of(pictures["blue"])})))
    assert (answer["statusCode"], answer["isBase64Encoded"]) == (200, False)
    assert answer["headers"]["Content-Type"] == "application/json"
    assert json.loads(answer["body"])["label"] == "blue"


@pytest.mark.parametrize(
    ("event", "status", "code"),
    [
        (http("POST", "/predict", "{"), 400, "invalid-request"),
        (http("GET", "/nowhere"), 404, "not-found"),
        (http("GET", "/predict"), 405, "method-not-allowed"),
        ({**http("POST", "/predict"), "body": "!", "isBase64Encoded": True}, 400, "invalid-request"),
        ({**http("POST", "/predict"), "body": "\ud800"}, 400, "invalid-request"),
        ({"requestContext": {}}, 400, "invalid-request"),
        ({"httpMethod": "GET"}, 400, "invalid-request"),
    ],
)
def test_what_is_wrong_with_an_http_event_is_an_answer_and_does_not_raise(service, event, status, code):
    answer = handle(service, event)
    assert (answer["statusCode"], json.loads(answer["body"])["code"]) == (status, code)
    assert answer["headers"]["Content-Type"] == "application/problem+json"


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.slow
@settings(derandomize=True, database=None, deadline=None, max_examples=300)
@given(st.dictionaries(st.sampled_from(MEMBERS), anything, max_size=8))
def test_whatever_an_event_is_it_gets_an_answer_or_a_problem(service, event):
    lines = []
    try:
        answer = handle(service, event, None, lines.append)
    except Problem as problem:
        assert not is_http(event)
        assert problem.code == "invalid-request"
    else:
        assert answer["statusCode"] in (200, 204, 400, 404, 405, 415, 422)
        json.dumps(answer)
    assert len(lines) == 1


class Context:
    aws_request_id = "8f5c2f1e-0000-4000-8000-000000000001"


def test_an_answer_has_the_number_that_lambda_gave_the_request(service):
    event = {**http("GET", "/health"), "headers": {"x-request-id": "mine"}}
    numbers = [handle(service, event, context)["headers"]["X-Request-Id"] for context in (Context(), None)]
    assert numbers == [Context.aws_request_id, "mine"]


def test_a_failure_inside_is_a_problem_that_names_the_number(service, pictures, monkeypatch):
    def fail(pixels):
        raise RuntimeError("secret of /srv/inside")

    monkeypatch.setattr(service._classifier, "classify", fail)
    lines = []
    with pytest.raises(Problem) as caught:
        handle(service, {"image": base64_of(pictures["red"])}, Context(), lines.append)
    assert caught.value.code == "internal"
    assert Context.aws_request_id in caught.value.detail
    assert "secret" not in "".join(traceback.format_exception(caught.value))
    assert lines[0]["error"]["kind"] == "RuntimeError"


def test_every_event_writes_one_line(service, pictures):
    lines = []
    red = base64_of(pictures["red"])
    handle(service, {"image": red}, Context(), lines.append)
    handle(service, http("POST", "/predict", json.dumps({"image": red})), Context(), lines.append)
    handle(service, http("GET", "/nowhere"), Context(), lines.append)
    handle(service, {"requestContext": {}}, Context(), lines.append)
    with pytest.raises(Problem):
        handle(service, {"image": "!"}, Context(), lines.append)
    said = [(line["route"], line["status"], line.get("label") or line["code"]) for line in lines]
    assert said == [
        ("event", 200, "red"),
        ("POST /predict", 200, "red"),
        ("GET ?", 404, "not-found"),
        ("?", 400, "invalid-request"),
        ("event", 400, "invalid-request"),
    ]
    assert {line["request_id"] for line in lines} == {Context.aws_request_id}


def test_on_lambda_the_lines_go_to_standard_output_and_elsewhere_to_standard_error(environment, capsys):
    lambda_handler(http("GET", "/health"))
    assert capsys.readouterr().out == ""
    environment.setenv("AWS_LAMBDA_FUNCTION_NAME", "photos")
    lambda_function.load_service.cache_clear()
    lambda_handler(http("GET", "/health"))
    assert json.loads(capsys.readouterr().out)["function"] == "photos"


def test_the_model_is_loaded_once_and_not_before_the_first_event(environment):
    loads = []
    load = Service.load
    environment.setattr(Service, "load", lambda settings: loads.append(settings.urls) or load(settings))
    assert loads == []
    for _ in range(3):
        assert lambda_handler(http("GET", "/health"))["statusCode"] == 200
    assert loads == ["any"]


def test_an_environment_without_a_bundle_raises_what_is_missing(environment):
    environment.delenv("SHUTTERLESS_BUNDLE")
    with pytest.raises(InputError) as caught:
        lambda_handler(http("GET", "/health"))
    assert caught.value.code == "missing-setting"


def test_pillows_warnings_are_silenced_once_when_the_model_is_loaded(monkeypatch, tmp_path):
    monkeypatch.setenv("SHUTTERLESS_BUNDLE", str(tmp_path))
    monkeypatch.setattr(lambda_function.Service, "load", lambda settings: settings)
    lambda_function.load_service.cache_clear()
    lambda_function.load_service()
    lambda_function.load_service.cache_clear()
    warnings.warn_explicit("odd", UserWarning, "TiffImagePlugin.py", 1, "PIL.TiffImagePlugin")
    with pytest.raises(UserWarning):
        warnings.warn_explicit("ours", UserWarning, "pixels.py", 1, "shutterless.runtime.image.decoder")
