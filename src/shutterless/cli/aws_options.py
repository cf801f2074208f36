"""The options of every command that talks to AWS, and the deployment that they name."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from shutterless.errors import InputError

if TYPE_CHECKING:
    from shutterless.deploy.environments import Environment

Profile = Annotated[
    str | None, typer.Option(metavar="P", help="Profile of the AWS configuration.  [default: AWS_PROFILE]")
]
Region = Annotated[
    str | None, typer.Option(metavar="R", help="AWS region.  [default: AWS_REGION, or the profile's]")
]
Name = Annotated[
    str | None, typer.Argument(metavar="NAME", help="The deployment's name.  [default: that of --env]")
]
Env = Annotated[
    str | None,
    typer.Option(metavar="ENV", help="Environment of shutterless.toml, with name, region and profile."),
]
Config = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Another file with environments.  [default: shutterless.toml]"),
]

COMMAND_LINE = "the command line"


class Place(NamedTuple):
    """Where a deployment is: by the command line, or else by its environment."""

    name: str
    region: str | None
    profile: str | None


def find_environment(env: str | None, config: Path | None) -> "Environment | None":
    """Read the environment of --env and --config; None without --env."""
    from shutterless.deploy.environments import FILE, read_environment

    if config and not env:
        raise typer.BadParameter("give --env, too: which environment of the file", param_hint="--config")
    return read_environment(config or FILE, env) if env else None


def find_origins(environment: "Environment | None", settings: Mapping[str, object]) -> dict[str, str]:
    """Return where each setting of a deploy comes from.

    Args:
        environment: The environment, if there is one.
        settings: The settings on the command line; None for those that are not there.
    """
    file = f"[{environment.label}] in {environment.file}" if environment else ""
    from_file = dict.fromkeys(environment.settings(), file) if environment else {}
    return {**from_file, **{key: COMMAND_LINE for key, value in settings.items() if value is not None}}


def find_place(
    name: str | None, region: str | None, profile: str | None, environment: "Environment | None"
) -> Place:
    """Return which deployment is meant; what the command line says wins over the environment.

    Raises:
        InputError: Neither has a name (`missing-name`).
    """
    if environment:
        name, region = name or environment.name, region or environment.region
        profile = profile or environment.profile
    if not name:
        raise InputError(
            "missing-name",
            "No deployment was named",
            "Give its name, or --env ENV for an environment of shutterless.toml that has a name.",
        )
    return Place(name, region, profile)
