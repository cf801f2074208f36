"""Smoke test: one real request through the deployed API."""

import json
import tempfile
from pathlib import Path
from random import Random
from typing import cast

import boto3

from shutterless import client
from shutterless.api_answers import ApiPrediction
from shutterless.deploy.aws.api_keys import read_api_key
from shutterless.deploy.aws.errors import aws_errors
from shutterless.deploy.aws.waiting import poll
from shutterless.deploy.state import Deployment
from shutterless.deploy.template.function import ALIAS
from shutterless.deploy.template.template import stack_name
from shutterless.errors import CallError, DeployError
from shutterless.runtime.adapters.lambda_events import to_event, to_response
from shutterless.runtime.http_messages import Request

# A new stage and a new key take a while until all of API Gateway knows them.
READY_TIMEOUT_S = 60
RETRY_INTERVAL_S = 3
NOT_READY = (None, 403, 404, 500, 502, 503, 504)


def smoke_test(session: boto3.Session, deployment: Deployment, photo: Path | None = None) -> ApiPrediction:
    """Send a photo to a deployed API and return its prediction, as `shutterless.call` does.

    A new API that is not ready yet is asked again for a minute. With `--auth iam` the function is invoked
    directly, with the event that API Gateway would send.

    Args:
        session: The AWS session.
        deployment: What to test.
        photo: The photo to send; a drawn one by default.

    Raises:
        ShutterlessError: There is no prediction.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = photo or _draw_photo(Path(folder) / "photo.jpg")
        try:
            if deployment.auth == "iam":
                return _invoke(session, deployment.name, file)
            key = read_api_key(session, deployment.key_id) if deployment.key_id else None
            return _call(deployment.url, file, key)
        except CallError as error:
            raise DeployError(
                "smoke-test-failed",
                f"The deployed API does not answer as it should: {error.message}",
                f"Find out why with shutterless logs {deployment.name}, "
                f"or go back with shutterless rollback {deployment.name}.",
            ) from error


def _draw_photo(file: Path) -> Path:
    from shutterless.dataset.synthetic.render import draw_garment

    draw_garment("pants", 224, Random(42)).save(file, "JPEG")
    return file


def _call(url: str, photo: Path, key: str | None) -> ApiPrediction:
    for _ in poll(RETRY_INTERVAL_S, READY_TIMEOUT_S):
        try:
            return client.call(url, photo, key)
        except CallError as error:
            if error.status not in NOT_READY:
                raise
            failure = error
    raise failure


def _invoke(session: boto3.Session, name: str, photo: Path) -> ApiPrediction:
    request = Request(
        "POST", "/predict", {"content-type": "application/octet-stream"}, body=photo.read_bytes()
    )
    with aws_errors():
        answer = session.client("lambda").invoke(
            FunctionName=stack_name(name), Qualifier=ALIAS, Payload=json.dumps(to_event(request))
        )
    document = json.load(answer["Payload"])
    if "FunctionError" in answer:
        raise CallError("function-failed", str(document.get("errorMessage", document)))
    response = to_response(document)
    if response.status != 200:
        raise CallError("unexpected-answer", response.body.decode(errors="replace"), status=response.status)
    return cast(ApiPrediction, json.loads(response.body))
