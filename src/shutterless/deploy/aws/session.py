"""An AWS session whose credentials and region are checked before anything is done with it."""

import os

import boto3
from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import BotoCoreError, NoRegionError

from shutterless.deploy.aws.errors import aws_errors
from shutterless.errors import DeployError

# Without a network the check fails within seconds, not after the minutes that botocore would try by default.
SHORT_TIMEOUTS = Config(connect_timeout=5, read_timeout=15, retries={"total_max_attempts": 2})


def connect(profile: str | None = None, region: str | None = None) -> boto3.Session:
    """Return an AWS session after checking its credentials by STS GetCallerIdentity.

    That call needs no permission. Credentials and region are found as by every AWS tool: in the
    environment, the shared configuration, SSO or the machine's role. AWS_ENDPOINT_URL is respected.

    Args:
        profile: A profile of the AWS configuration; AWS_PROFILE by default.
        region: The AWS region; AWS_REGION or the profile's by default.

    Raises:
        ShutterlessError: There are no valid credentials, no region or no such profile, or AWS does not
            answer.

    Example:
        >>> from shutterless import deploy
        >>> deploy.connect(region="eu-central-1").region_name  # doctest: +SKIP
        'eu-central-1'
    """
    with aws_errors(profile):
        # AWS's command line and its other SDKs read AWS_REGION. boto3 only reads AWS_DEFAULT_REGION.
        session = boto3.Session(profile_name=profile, region_name=region or os.environ.get("AWS_REGION"))
        if not session.region_name:
            raise NoRegionError
        _sts(session).get_caller_identity()
    return session


def _sts(session: boto3.Session) -> BaseClient:
    try:
        return session.client("sts", config=SHORT_TIMEOUTS)
    except BotoCoreError:
        raise
    except ValueError as error:  # botocore has no other exception for an endpoint that is no URL
        raise DeployError(
            "invalid-endpoint", str(error), "Set AWS_ENDPOINT_URL to a URL, or unset it."
        ) from error
