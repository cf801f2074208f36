"""The address and the key of a deployed API, to call it."""

from dataclasses import dataclass, field

from shutterless.deploy.aws.api_keys import read_api_key
from shutterless.deploy.aws.cloudformation.stack import deployment_not_found
from shutterless.deploy.aws.errors import aws_errors
from shutterless.deploy.aws.session import connect
from shutterless.deploy.state import read_deployed_stack


@dataclass(frozen=True)
class Endpoint:
    """A deployed API.

    Attributes:
        url: Its address, without a slash at the end.
        key: Its key; None if it has none.
    """

    url: str
    key: str | None = field(repr=False)


def read_endpoint(name: str, *, profile: str | None = None, region: str | None = None) -> Endpoint:
    """Return the address and the key of a deployment's API.

    Args:
        name: The deployment's name.
        profile: A profile of the AWS configuration; AWS_PROFILE by default.
        region: The AWS region; AWS_REGION or the profile's by default.

    Raises:
        ShutterlessError: There is no such deployment, or AWS refuses.

    Example:
        >>> from shutterless import deploy
        >>> api = deploy.read_endpoint("clothes", region="eu-central-1")  # doctest: +SKIP
        >>> api.url.endswith("/prod")  # doctest: +SKIP
        True
    """
    session = connect(profile, region)
    with aws_errors(profile):
        stack = read_deployed_stack(session.client("cloudformation"), name)
        if "Url" not in stack.outputs:  # nothing in it was ever created
            raise deployment_not_found(name, session.region_name)
        key_id = stack.outputs.get("ApiKeyId")
        return Endpoint(stack.outputs["Url"], read_api_key(session, key_id) if key_id else None)
