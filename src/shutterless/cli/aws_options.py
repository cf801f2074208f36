"""Options that every command has that talks to AWS."""

from typing import Annotated

import typer

Profile = Annotated[
    str | None, typer.Option(metavar="P", help="Profile of the AWS configuration; AWS_PROFILE if not given.")
]
Region = Annotated[
    str | None, typer.Option(metavar="R", help="AWS region; AWS_REGION or the profile's if not given.")
]
