"""`shutterless call`: what a deployed or local API says of pictures."""

from functools import partial
from typing import Annotated

import typer

from shutterless.cli.pictures import AsJson, Output, Pictures, Top, expand, show_answers


def call(
    url: Annotated[str, typer.Argument(metavar="URL", help="An API: its root, its stage, or …/predict.")],
    pictures: Pictures,
    output: Output = None,
    api_key: Annotated[
        str | None,
        typer.Option(envvar="SHUTTERLESS_API_KEY", metavar="KEY", help="The API's key.", show_default=False),
    ] = None,
    top: Top = 3,
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", min=1, help="How long to wait for an answer.")
    ] = 60,
    as_json: AsJson = False,
) -> None:
    """Classify pictures with an API, local or deployed.

    Files and folders, at any depth, are sent; URLs are fetched by the API. A key in SHUTTERLESS_API_KEY
    stays out of the shell's history. Four pictures are sent at a time. With -o, the same command continues.

    \b
    Examples:
      shutterless call http://127.0.0.1:8080 photo.jpg
      shutterless call https://ID.execute-api.REGION.amazonaws.com/prod photos/
      shutterless call http://127.0.0.1:8080 photos/ -o answers.jsonl
    """
    from shutterless.client import call_many

    answers = partial(call_many, url, api_key=api_key, timeout=timeout)
    if not show_answers(answers, expand(pictures), output=output, top=top, as_json=as_json):
        raise typer.Exit(1)
