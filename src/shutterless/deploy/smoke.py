"""One real request through the deployed API: whether what was deployed answers."""

import json
import tempfile
import time
from pathlib import Path
from random import Random
from typing import cast

import boto3

from shutterless import client
from shutterless.api_answers import ApiPrediction
from shutterless.deploy.aws.errors import aws_errors
from shutterless.deploy.deployer import Deployment
from shutterless.deploy.template.function import ALIAS
from shutterless.deploy.template.template import stack_name
from shutterless.errors import CallError, DeployError
from shutterless.runtime.adapters.lambda_events import to_event, to_response
from shutterless.runtime.http_messages import Request

# A new stage and a new key take a while to be known everywhere in API Gateway.
PATIENCE_SECONDS = 60
PAUSE_SECONDS = 3
NOT_READY = (None, 403, 404, 500, 502, 503, 504)


def smoke_test(session: boto3.Session, deployment: Deployment, photo: Path | None = None) -> ApiPrediction:
    """Return what the deployed API answers for `photo`, a drawn one if none is given.

    What a new API says before it is ready is asked again for a minute. With `iam` the function is asked
    past the API, by an event such as the API would send. Raises `ShutterlessError` with its last word.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = photo or _drawn_photo(Path(folder) / "photo.jpg")
        try:
            if deployment.auth == "iam":
                return _invoke(session, deployment.name, file)
            return _call(deployment.url, file, _key(session, deployment))
        except CallError as error:
            raise DeployError(
                "smoke-test-failed",
                f"It is deployed, but does not answer as it should: {error.message}",
                f"See why with: shutterless logs {deployment.name}; "
                f"go back with: shutterless rollback {deployment.name}",
            ) from error


def _drawn_photo(file: Path) -> Path:
    from shutterless.dataset.synthetic.render import draw_garment

    draw_garment("pants", 224, Random(42)).save(file, "JPEG")
    return file


def _key(session: boto3.Session, deployment: Deployment) -> str | None:
    if not deployment.key_id:
        return None
    with aws_errors():
        found = session.client("apigateway").get_api_key(apiKey=deployment.key_id, includeValue=True)
    return str(found["value"])


def _call(url: str, photo: Path, key: str | None) -> ApiPrediction:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return client.call(url, photo, key)
        except CallError as error:
            if error.status not in NOT_READY or time.monotonic() > deadline:
                raise
        time.sleep(PAUSE_SECONDS)


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
