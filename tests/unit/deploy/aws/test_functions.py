import io
import json

import pytest
from botocore.response import StreamingBody

from shutterless.deploy.aws.functions import POLL_INTERVAL_S, READY_TIMEOUT_S, ask_version
from shutterless.errors import DeployError
from shutterless.runtime.adapters.lambda_events import to_request
from shutterless.utils.progress import silent

FUNCTION = "shutterless-clothes"
ANSWER = {"label": "pants", "confidence": 0.9, "accepted": True, "scores": {"pants": 0.9, "hat": 0.1}}
PROBLEM = {"code": "internal", "detail": "the log has the reason", "status": 500}


def invocation(document, **more):
    body = json.dumps(document).encode()
    return {"StatusCode": 200, "Payload": StreamingBody(io.BytesIO(body), len(body)), **more}


def http(status, document):
    return {"statusCode": status, "headers": {}, "body": json.dumps(document), "isBase64Encoded": False}


def answer_state(aws, state, code="", reason=""):
    settings = {"State": state, "StateReason": reason, **({"StateReasonCode": code} if code else {})}
    request = {"FunctionName": FUNCTION, "Qualifier": "6"}
    aws.answer("lambda", "get_function", {"Configuration": settings}, **request)


def ask(aws, progress=silent):
    return ask_version(aws, FUNCTION, "6", b"\xff\xd8\xff a photo", progress)


def error_of(aws):
    with pytest.raises(DeployError) as error:
        ask(aws)
    return error.value


def test_the_version_is_asked_as_its_api_would_and_not_the_alias(aws):
    requests = []
    aws.client("lambda").meta.events.register(
        "provide-client-params.lambda.Invoke", lambda params, **_: requests.append(params)
    )
    aws.answer("lambda", "invoke", invocation(http(200, ANSWER)))
    assert ask(aws) == ANSWER
    assert (requests[0]["FunctionName"], requests[0]["Qualifier"]) == (FUNCTION, "6")
    request = to_request(json.loads(requests[0]["Payload"]))
    assert (request.method, request.path, request.body) == ("POST", "/predict", b"\xff\xd8\xff a photo")


@pytest.mark.parametrize(
    ("aws_code", "state", "reason"),
    [
        ("ResourceConflictException", "Pending", "Creating"),
        ("ResourceConflictException", "Pending", "Restoring"),
        ("ResourceNotReadyException", "Inactive", "Idle"),
        ("SnapStartNotReadyException", "Pending", "Creating"),
        ("CodeArtifactUserPendingException", "Pending", ""),
        ("ResourceConflictException", "Active", ""),  # it got ready between the two calls
    ],
)
def test_a_version_that_is_not_ready_is_asked_until_it_is(aws, clock, aws_code, state, reason):
    """A container that nobody called for weeks is inactive; the first call wakes it and fails."""
    steps = []
    for _ in range(20):
        aws.fail("lambda", "invoke", aws_code, f"currently in the following state: {state}", 409)
        answer_state(aws, state, reason)
    aws.answer("lambda", "invoke", invocation(http(200, ANSWER)))
    assert ask(aws, lambda *step: steps.append(step)) == ANSWER
    assert clock.pauses == [POLL_INTERVAL_S] * 20
    assert [seconds for _, seconds, _ in steps] == list(range(0, 60, POLL_INTERVAL_S))


def test_a_version_that_stays_inactive_is_given_up_after_three_minutes(aws, clock):
    for _ in range(READY_TIMEOUT_S // POLL_INTERVAL_S + 1):
        aws.fail("lambda", "invoke", "ResourceConflictException", "in the following state: Inactive", 409)
        answer_state(aws, "Inactive", "Idle")
    error = error_of(aws)
    assert error.code == "function-inactive"
    assert "version 6" in error.message
    assert sum(clock.pauses) == READY_TIMEOUT_S


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("Failed", ""),
        ("Failed", "InternalError"),
        ("Inactive", "ImageDeleted"),
        ("Pending", "ImageAccessDenied"),
    ],
)
def test_a_version_that_cannot_get_ready_is_given_up_at_once(aws, clock, state, code):
    aws.fail("lambda", "invoke", "ResourceConflictException", f"in the following state: {state}", 409)
    answer_state(aws, state, code, "The image is gone")
    error = error_of(aws)
    assert error.code == "function-failed"
    assert "The image is gone" in error.message
    assert clock.pauses == []


@pytest.mark.parametrize(
    "answer",
    [
        invocation(
            {"errorMessage": "out of memory", "errorType": "Runtime.ExitError"}, FunctionError="Unhandled"
        ),
        invocation(http(500, {**PROBLEM, "detail": "out of memory"})),
        invocation(http(200, {"text": "out of memory"})),
        invocation({"statusCode": 200}),
        invocation("out of memory"),
        invocation(None),
    ],
    ids=["crash", "500", "no prediction", "no HTTP answer", "a text", "nothing"],
)
def test_a_version_that_gives_no_prediction_fails_the_test(aws, answer):
    aws.answer("lambda", "invoke", answer)
    assert error_of(aws).code == "smoke-test-failed"


def test_the_reason_of_a_crash_is_told(aws):
    aws.answer("lambda", "invoke", invocation({"errorMessage": "out of memory"}, FunctionError="Unhandled"))
    assert "out of memory" in error_of(aws).message


def test_what_aws_refuses_for_another_reason_is_not_tried_again(aws):
    aws.fail("lambda", "invoke", "AccessDeniedException", "not authorized", 403)
    assert error_of(aws).code == "access-denied"
