"""The output of `shutterless deploy --policy`: the IAM policy for whoever deploys."""

from typing import TYPE_CHECKING, cast

from shutterless.cli.console import print_json, say
from shutterless.errors import DeployError

if TYPE_CHECKING:
    from shutterless.deploy.environments import Environment
    from shutterless.deploy.options import OptionChanges
    from shutterless.runtime.json_types import Json


def show_policy(
    changes: "OptionChanges",
    name: str | None,
    region: str | None,
    profile: str | None,
    environment: "Environment | None",
) -> None:
    """Print the policy, filled in for the account and region, or with placeholders without credentials.

    Args:
        changes: The options to deploy with.
        name: The deployment's name, None for that of the environment, or for deployments of any name.
        region: The AWS region, None for that of the environment, or the configured one.
        profile: A profile of the AWS configuration, None for that of the environment, or the configured one.
        environment: The environment, if there is one.
    """
    from shutterless.deploy.aws.session import connect
    from shutterless.deploy.options import Options
    from shutterless.deploy.policy.policy import Place, deploy_policy, read_place

    if environment:
        name, region = name or environment.name, region or environment.region
        profile = profile or environment.profile
    options = Options().with_changes(changes)
    try:
        place = read_place(connect(profile, region))
    except DeployError as error:
        place = Place(region or Place().region)
        say(f"{error.message}. Replace ACCOUNT{'' if region else ' and REGION'} by yours.")
    print_json(cast("Json", deploy_policy(options, name or "", place)))
