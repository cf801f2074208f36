"""Smoke test: one real request through the deployed API."""

import io
import tempfile
from pathlib import Path
from random import Random

import boto3

from shutterless import client
from shutterless.api_answers import ApiPrediction
from shutterless.deploy.aws.api_keys import read_api_key
from shutterless.deploy.aws.functions import ask_version
from shutterless.deploy.aws.waiting import poll
from shutterless.deploy.state import Deployment
from shutterless.deploy.template.function import ALIAS
from shutterless.deploy.template.template import stack_name
from shutterless.errors import CallError, DeployError
from shutterless.utils.progress import Progress, silent

# A new stage and a new key take a while until all of API Gateway knows them.
READY_TIMEOUT_S = 60
RETRY_INTERVAL_S = 3
NOT_READY = (None, 403, 404, 500, 502, 503, 504)


def smoke_test(
    session: boto3.Session, deployment: Deployment, photo: Path | None = None, progress: Progress = silent
) -> ApiPrediction:
    """Send a photo to a deployed API and return its prediction, as `shutterless.call` does.

    A new API that is not ready yet is asked again for a minute. With `--auth iam` the function is invoked
    directly, with the event that API Gateway would send.

    Args:
        session: The AWS session.
        deployment: What to test.
        photo: The photo to send; a drawn one by default.
        progress: Called while Lambda prepares the function.

    Raises:
        ShutterlessError: There is no prediction.
    """
    if deployment.auth == "iam":
        return ask_version(session, stack_name(deployment.name), ALIAS, read_photo(photo), progress)
    key = read_api_key(session, deployment.key_id) if deployment.key_id else None
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "photo"
        file.write_bytes(read_photo(photo))
        try:
            return _call(deployment.url, file, key)
        except CallError as error:
            raise DeployError(
                "smoke-test-failed",
                f"The deployed API does not answer as it should: {error.message}",
                f"Find out why with shutterless logs {deployment.name}, "
                f"or go back with shutterless rollback {deployment.name}.",
            ) from error


def read_photo(photo: Path | None = None) -> bytes:
    """Return the photo for a smoke test: the content of this file, or a drawn one.

    Raises:
        ShutterlessError: The file cannot be read, or is larger than Lambda accepts.
    """
    if photo:
        return client.read_picture(photo)
    from shutterless.dataset.synthetic.render import draw_garment

    buffer = io.BytesIO()
    draw_garment("pants", 224, Random(42)).save(buffer, "JPEG")
    return buffer.getvalue()


def _call(url: str, photo: Path, key: str | None) -> ApiPrediction:
    for _ in poll(RETRY_INTERVAL_S, READY_TIMEOUT_S):
        try:
            return client.call(url, photo, key)
        except CallError as error:
            if error.status not in NOT_READY:
                raise
            failure = error
    raise failure
