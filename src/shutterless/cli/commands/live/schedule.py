"""`shutterless schedule`: a workflow that looks at a deployment every week."""

from pathlib import Path
from typing import Annotated

import typer

from shutterless.cli.aws_options import Config, Env, Region, find_environment, find_place
from shutterless.cli.console import print_result, say
from shutterless.errors import InputError


def schedule(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="The deployment.")] = None,
    bundle: Annotated[
        str, typer.Option(metavar="DIR", help="The deployed bundle's folder in the repository.")
    ] = "bundle",
    role: Annotated[
        str,
        typer.Option(
            metavar="ARN",
            show_default=False,
            help="The role that the workflow assumes.  [default: the repository's variable AWS_ROLE]",
        ),
    ] = "",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Where to write it; an existing file is refused.  [default: .github/workflows/drift.yml]",
        ),
    ] = None,
    env: Env = None,
    config: Config = None,
    region: Region = None,
) -> None:
    """Write a GitHub Actions workflow that runs collect and drift every week.

    It opens an issue if drift alarms. AWS trusts it through OpenID Connect; no key is stored at GitHub.

    Example: shutterless schedule clothes --region eu-central-1 --bundle models/bundle
    """
    from shutterless.live.schedule import WORKFLOW
    from shutterless.live.schedule import schedule as write_workflow

    name, region, _ = find_place(name, region, None, find_environment(env, config))
    if not region:
        raise InputError("missing-region", "The workflow needs a region", "Give --region, or an --env.")
    file = write_workflow(name, region=region, role=role, bundle=bundle, output=output or WORKFLOW)
    print_result(str(file))
    say("Next: give it a role that may read the log, see docs/loop.md, and commit it.")
