"""Functions of Lambda: ask one version directly, whether or not an alias points to it."""

import json
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import ClientError

from shutterless.api_answers import ApiPrediction, read_prediction, unwrap
from shutterless.deploy.aws.errors import aws_errors, error_code
from shutterless.deploy.aws.waiting import poll
from shutterless.deploy.template.template import PREFIX
from shutterless.errors import CallError, DeployError
from shutterless.runtime.adapters.lambda_events import to_event
from shutterless.runtime.http_messages import Request, Response
from shutterless.utils.progress import Progress

# Lambda prepares a version after it is published, and again at the first call after weeks without any:
# 40 to 106 s were seen. https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html
READY_TIMEOUT_S = 180
POLL_INTERVAL_S = 3
# How Lambda refuses to invoke a version that it still prepares.
NOT_READY = (
    "CodeArtifactUserPendingException",
    "ENINotReadyException",
    "ResourceConflictException",
    "ResourceNotReadyException",
    "SnapStartNotReadyException",
)
# Reasons of a state in which Lambda is, or gets, busy preparing; any other one is a failure.
PREPARING = ("", "Creating", "Idle", "Restoring")


def ask_version(
    session: boto3.Session, function: str, qualifier: str, photo: bytes, progress: Progress
) -> ApiPrediction:
    """Send a photo to one version of a function, as its API would, and return the prediction.

    A version that Lambda still prepares, or has put to sleep because nobody called it for weeks, is asked
    again until it is ready.

    Args:
        session: The AWS session.
        function: The function's name.
        qualifier: The version's number, or an alias.
        photo: The photo, as a file has it.
        progress: Called while Lambda prepares the version.

    Raises:
        ShutterlessError: `smoke-test-failed`: there is no prediction. `function-failed`: Lambda cannot
            prepare the version. `function-inactive`: Lambda does not get ready within 180 s.
    """
    try:
        with aws_errors():
            payload = _invoke(session, function, qualifier, photo, progress)
        target = urlsplit(f"//{function}:{qualifier}")
        return read_prediction(target, unwrap(target, Response(200, {}, payload)))
    except CallError as error:
        raise DeployError(
            "smoke-test-failed",
            f"{function}, version {qualifier}, does not answer as it should: {error.message}",
            f"Find out why with: shutterless logs {function.removeprefix(PREFIX)}",
        ) from error


def _invoke(session: boto3.Session, function: str, qualifier: str, photo: bytes, progress: Progress) -> bytes:
    """Invoke a version once it is ready, and return its answer; raises `ShutterlessError` if it is not."""
    client = session.client("lambda")
    request = Request("POST", "/predict", {"content-type": "application/octet-stream"}, body=photo)
    event = json.dumps(to_event(request))
    reason = ""
    for seconds in poll(POLL_INTERVAL_S, READY_TIMEOUT_S):
        try:
            answer = client.invoke(FunctionName=function, Qualifier=qualifier, Payload=event)
        except ClientError as error:
            if error_code(error) not in NOT_READY:
                raise
            reason = str(error)
        else:
            return bytes(answer["Payload"].read())
        _check_state(session, function, qualifier)
        progress(f"Lambda prepares version {qualifier}", round(seconds), READY_TIMEOUT_S)
    raise DeployError(
        "function-inactive",
        f"{function}, version {qualifier}, is not ready after {READY_TIMEOUT_S} s: {reason}",
        "Run the same command again. AWS's page on function states lists the causes.",
    )


def _check_state(session: boto3.Session, function: str, qualifier: str) -> None:
    """Raise `ShutterlessError` if Lambda has given up preparing a version."""
    description = session.client("lambda").get_function(FunctionName=function, Qualifier=qualifier)
    settings = description["Configuration"]
    reason = settings.get("StateReasonCode", "")
    if settings.get("State") == "Failed" or reason not in PREPARING:
        raise DeployError(
            "function-failed",
            f"Lambda cannot run {function}, version {qualifier}: {settings.get('StateReason', reason)}",
            "If its image is gone, deploy the bundle again: shutterless deploy BUNDLE "
            f"--name {function.removeprefix(PREFIX)}.",
        )
