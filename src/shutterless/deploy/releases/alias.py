"""The alias at Lambda: compare it with the deployed template, and repair it."""

from dataclasses import dataclass

import boto3
from botocore.exceptions import ClientError

from shutterless.deploy.aws.cloudformation.stack import read_resources
from shutterless.deploy.aws.errors import error_code
from shutterless.deploy.aws.waiting import poll
from shutterless.deploy.state import State
from shutterless.deploy.template.function import ALIAS
from shutterless.deploy.template.releases import read_releases
from shutterless.deploy.template.template import read_options, stack_name
from shutterless.deploy.template.types import Template

POLL_INTERVAL_S = 3
# While provisioned concurrency moves to another version, Lambda divides the calls itself.
MOVE_TIMEOUT_S = 300


@dataclass(frozen=True)
class Routing:
    """Where an alias sends calls.

    Attributes:
        version: The number of the version that gets all calls except the shares.
        shares: The shares of the calls, 0 to 1, that other versions get, by version number.
    """

    version: str
    shares: dict[str, float]

    def __str__(self) -> str:
        shares = "".join(f", {share:.0%} to version {number}" for number, share in self.shares.items())
        return f"version {self.version}{shares}"


def read_version_numbers(session: boto3.Session, state: State) -> dict[str, str]:
    """Return the number that Lambda gave to each version, by its logical id."""
    if state.stack is None:
        return {}
    resources = read_resources(session.client("cloudformation"), state.stack.id)
    return {each.logical_id: each.version_number for each in resources if each.type == "AWS::Lambda::Version"}


def read_routing(session: boto3.Session, function: str) -> Routing | None:
    """Return where the alias of a function sends calls, None if there is no alias."""
    try:
        alias = session.client("lambda").get_alias(FunctionName=function, Name=ALIAS)
    except ClientError as error:
        if error_code(error) == "ResourceNotFoundException":
            return None
        raise
    shares = alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
    return Routing(alias["FunctionVersion"], shares)


def expected_routing(template: Template, numbers: dict[str, str]) -> Routing:
    """Return where the alias should send calls by the deployed template.

    Args:
        template: The deployed template.
        numbers: The version numbers by logical id.
    """
    releases = read_releases(template)
    shares = {numbers.get(releases.canary, ""): releases.weight} if releases.canary else {}
    return Routing(numbers.get(releases.live, ""), shares)


@dataclass(frozen=True)
class AliasChange:
    """An alias that somebody has turned by hand.

    Attributes:
        expected: Where the deployed template sends calls.
        actual: Where the alias sends them.
    """

    expected: Routing
    actual: Routing

    def __str__(self) -> str:
        return f"The alias was turned by hand from {self.expected} to {self.actual}"


def find_alias_change(session: boto3.Session, state: State) -> AliasChange | None:
    """Return how the alias differs from the deployed template, None if it does not.

    Shares are not compared with provisioned concurrency, because Lambda sets some itself then.
    """
    if state.stack is None or state.template is None or state.stack.is_busy:
        return None
    target = expected_routing(state.template, read_version_numbers(session, state))
    actual = read_routing(session, stack_name(state.name))
    if actual is None or not target.version:
        return None
    is_moving = read_options(state.template).provisioned_concurrency > 0
    if actual.version == target.version and (is_moving or actual.shares == target.shares):
        return None
    return AliasChange(target, actual)


def repair_alias(session: boto3.Session, state: State) -> AliasChange | None:
    """Turn an alias back to what the deployed template says, and return how it differed.

    CloudFormation compares templates only, so it would leave the alias as it is.
    """
    change = find_alias_change(session, state)
    if change:
        session.client("lambda").update_alias(
            FunctionName=stack_name(state.name),
            Name=ALIAS,
            FunctionVersion=change.expected.version,
            RoutingConfig={"AdditionalVersionWeights": change.expected.shares},
        )
    return change


def wait_until_moved(session: boto3.Session, name: str) -> None:
    """Wait until Lambda itself no longer divides the calls of a deployment between two versions.

    Until then it refuses another number of instances kept warm:
    https://github.com/hashicorp/terraform-provider-aws/pull/48116.
    """
    for _ in poll(POLL_INTERVAL_S, MOVE_TIMEOUT_S):
        routing = read_routing(session, stack_name(name))
        if routing is None or not routing.shares:
            return
