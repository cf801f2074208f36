import io
import json

import boto3
import pytest
from botocore.response import StreamingBody
from botocore.stub import ANY, Stubber

from shutterless import client
from shutterless.deploy import smoke
from shutterless.deploy.state import Deployment
from shutterless.errors import CallError, DeployError
from shutterless.runtime.adapters.lambda_events import to_request
from shutterless.runtime.image.decoder import read

ANSWER = {"label": "pants", "confidence": 0.9, "accepted": True, "scores": {"pants": 0.9}}


class Session:
    """A session that gives one client, whose answers are scripted."""

    def __init__(self, service):
        keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
        self._client = boto3.client(service, region_name="eu-central-1", **keys)
        self.stubber = Stubber(self._client)
        self.stubber.activate()

    def client(self, service):
        return self._client


def deployed(auth, key_id=""):
    return Deployment("clothes", "https://host/prod", auth, key_id, "clothes 1", "image", {})


@pytest.fixture
def calls(monkeypatch):
    """Give the list of requests made and the list of answers to give in turn."""
    requests, answers = [], []

    def call(url, photo, key):
        requests.append((url, key, read(photo)[:3]))
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(client, "call", call)
    return requests, answers


def test_a_drawn_photo_is_sent_with_the_key(calls):
    requests, answers = calls
    answers.append(ANSWER)
    session = Session("apigateway")
    session.stubber.add_response(
        "get_api_key", {"value": "secret"}, {"apiKey": "key-id", "includeValue": True}
    )
    assert smoke.smoke_test(session, deployed("api-key", "key-id")) == ANSWER
    assert requests == [("https://host/prod", "secret", b"\xff\xd8\xff")]


def test_a_given_photo_is_sent(calls, tmp_path):
    requests, answers = calls
    answers.append(ANSWER)
    (tmp_path / "photo.png").write_bytes(b"a picture")
    smoke.smoke_test(None, deployed("none"), tmp_path / "photo.png")
    assert requests == [("https://host/prod", None, b"a p")]


@pytest.mark.parametrize("auth", ["none", "iam"])
def test_a_photo_that_lambda_does_not_take_is_refused_before_it_is_sent(calls, tmp_path, auth):
    (tmp_path / "photo.png").write_bytes(bytes(client.MAX_PICTURE_BYTES + 1))
    with pytest.raises(CallError) as error:
        smoke.smoke_test(None, deployed(auth), tmp_path / "photo.png")
    assert error.value.code == "too-large"
    assert calls[0] == []


@pytest.mark.parametrize("status", [None, 403, 404, 500, 503])
def test_an_api_that_is_not_ready_is_asked_again(calls, status):
    requests, answers = calls
    answers.extend([CallError("unexpected-answer", "not yet", status=status), ANSWER])
    assert smoke.smoke_test(None, deployed("none")) == ANSWER
    assert len(requests) == 2


def test_an_api_that_does_not_get_ready_in_time_is_an_error_with_the_way_back(calls, clock):
    calls[1].extend([CallError("unexpected-answer", "host answered 500", status=500)] * 100)
    with pytest.raises(DeployError) as error:
        smoke.smoke_test(None, deployed("none"))
    assert error.value.code == "smoke-test-failed"
    assert "host answered 500" in error.value.message
    assert "shutterless rollback clothes" in error.value.hint
    assert sum(clock.pauses) == smoke.READY_TIMEOUT_S


def test_a_refused_photo_is_not_sent_again(calls):
    requests, answers = calls
    answers.append(CallError("unreadable-image", "no picture", status=422))
    with pytest.raises(DeployError) as error:
        smoke.smoke_test(None, deployed("none"))
    assert error.value.code == "smoke-test-failed"
    assert len(requests) == 1


def invocation(answer, **more):
    body = json.dumps(answer).encode()
    return {"StatusCode": 200, "Payload": StreamingBody(io.BytesIO(body), len(body)), **more}


def http(status, document):
    return {"statusCode": status, "headers": {}, "body": json.dumps(document), "isBase64Encoded": False}


def test_with_iam_the_function_is_invoked_directly():
    session = Session("lambda")
    request = {"FunctionName": "shutterless-clothes", "Qualifier": "live", "Payload": ANY}
    session.stubber.add_response("invoke", invocation(http(200, ANSWER)), request)
    assert smoke.smoke_test(session, deployed("iam")) == ANSWER


def test_the_event_can_be_read_by_the_function(monkeypatch):
    session, payloads = Session("lambda"), []
    session.stubber.add_response("invoke", invocation(http(200, ANSWER)))
    session.client("lambda").meta.events.register(
        "provide-client-params.lambda.Invoke", lambda params, **_: payloads.append(params["Payload"])
    )
    smoke.smoke_test(session, deployed("iam"))
    request = to_request(json.loads(payloads[0]))
    assert (request.method, request.path, request.body[:3]) == ("POST", "/predict", b"\xff\xd8\xff")


@pytest.mark.parametrize(
    "answer",
    [
        invocation({"errorMessage": "out of memory"}, FunctionError="Unhandled"),
        invocation(http(500, {"code": "internal", "detail": "out of memory"})),
    ],
)
def test_a_function_that_fails_is_an_error(answer):
    session = Session("lambda")
    session.stubber.add_response("invoke", answer)
    with pytest.raises(DeployError) as error:
        smoke.smoke_test(session, deployed("iam"))
    assert error.value.code == "smoke-test-failed"
    assert "out of memory" in error.value.message
