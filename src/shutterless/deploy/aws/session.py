"""An AWS session whose credentials and region are checked before anything is done with it."""

import os
import time
from pathlib import Path
from typing import NamedTuple
from weakref import WeakKeyDictionary

import boto3
import botocore.session
from botocore.client import BaseClient
from botocore.config import Config
from botocore.credentials import create_credential_resolver
from botocore.exceptions import BotoCoreError, NoRegionError
from botocore.utils import JSONFileCache

from shutterless.deploy.aws.errors import aws_errors
from shutterless.errors import DeployError

# Without a network the check fails within seconds, not after the minutes that botocore would try by default.
SHORT_TIMEOUTS = Config(connect_timeout=5, read_timeout=15, retries={"total_max_attempts": 2})
# A later call reads the credentials again, so that a notebook notices new ones.
MAX_AGE_S = 300

# What sessions depend on, and each session with the time when it was made.
_Key = tuple[str | None, ...]
_sessions: dict[_Key, tuple[boto3.Session, float]] = {}


class Identity(NamedTuple):
    """Whose credentials a session has.

    Attributes:
        account: The number of the account.
        partition: `aws`, `aws-cn` or `aws-us-gov`.
    """

    account: str
    partition: str


_identities: WeakKeyDictionary[boto3.Session, Identity] = WeakKeyDictionary()


def connect(profile: str | None = None, region: str | None = None) -> boto3.Session:
    """Return an AWS session after checking its credentials by STS GetCallerIdentity.

    That call needs no permission. Credentials and region are found as by every AWS tool: in the
    environment, the shared configuration, SSO or the machine's role. AWS_ENDPOINT_URL is respected. All
    calls within five minutes share one session. The credentials of an assumed role are kept where the AWS
    command line keeps its own, so that the code of an MFA device is only asked for once an hour.

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
    settings = (f"{key}={value}" for key, value in sorted(os.environ.items()) if key.startswith("AWS_"))
    key = (profile, region, str(Path.home()), *settings)
    session, start_time = _sessions.get(key, (None, 0.0))
    if session is None or time.monotonic() > start_time + MAX_AGE_S:
        with aws_errors(profile):
            session = _create(profile, region)
            read_identity(session)
        _sessions[key] = (session, time.monotonic())
    return session


def read_identity(session: boto3.Session) -> Identity:
    """Return whose credentials a session has; AWS is asked once."""
    if session not in _identities:
        answer = _sts(session).get_caller_identity()
        _identities[session] = Identity(answer["Account"], answer["Arn"].split(":")[1])
    return _identities[session]


def _create(profile: str | None, region: str | None) -> boto3.Session:
    """Return a session that shares the credentials of assumed roles with the AWS command line."""
    core = botocore.session.Session(profile=profile)
    # AWS's command line and its other SDKs read AWS_REGION. boto3 only reads AWS_DEFAULT_REGION.
    session = boto3.Session(botocore_session=core, region_name=region or os.environ.get("AWS_REGION"))
    if not session.region_name:
        raise NoRegionError
    cache = JSONFileCache(str(Path.home() / ".aws/cli/cache"))
    resolver = create_credential_resolver(core, cache, region_name=session.region_name)
    core.register_component("credential_provider", resolver)
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
