"""Credentials and region as every AWS tool finds them, checked before anything is done with them."""

import os
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from shutterless.deploy.aws.errors import aws_errors
from shutterless.errors import DeployError

# Whoever has no network should learn it in seconds, not after the minutes that botocore would try.
IMPATIENT = Config(connect_timeout=5, read_timeout=15, retries={"total_max_attempts": 2})


def connect(profile: str | None = None, region: str | None = None) -> boto3.Session:
    """Return a session that AWS has answered (STS GetCallerIdentity, which needs no permission).

    What is not given comes from the environment, the shared configuration, SSO or the machine's role, and
    AWS_ENDPOINT_URL is honoured, all of it by boto3. Raises `ShutterlessError` if there are no
    credentials, no region, no such profile, if the token has expired, the clock is wrong or AWS does not
    answer.
    """
    with aws_errors(profile):
        # AWS's own command line and its other SDKs read AWS_REGION; boto3 knows AWS_DEFAULT_REGION only.
        session = boto3.Session(profile_name=profile, region_name=region or os.environ.get("AWS_REGION"))
        if not session.region_name:
            raise DeployError(
                "no-region",
                "No AWS region is set",
                "Give --region, for example --region eu-central-1, or set AWS_REGION or AWS_DEFAULT_REGION.",
            )
        _sts(session).get_caller_identity()
    return session


def _sts(session: boto3.Session) -> Any:
    try:
        return session.client("sts", config=IMPATIENT)
    except BotoCoreError:
        raise
    except ValueError as error:  # all that botocore has for an endpoint that is no URL
        raise DeployError(
            "aws-error", f"AWS: {error}", "Set AWS_ENDPOINT_URL to a URL, or unset it."
        ) from error
