"""The options of every command that talks to AWS."""

from typing import Annotated

import typer

Profile = Annotated[
    str | None, typer.Option(metavar="P", help="Profile of the AWS configuration.  [default: AWS_PROFILE]")
]
Region = Annotated[
    str | None, typer.Option(metavar="R", help="AWS region.  [default: AWS_REGION, or the profile's]")
]
