"""`shutterless call`: what a deployed or local API says of pictures."""

from typing import TYPE_CHECKING, Annotated

import typer

from shutterless.cli.console import progress_bar

if TYPE_CHECKING:
    from shutterless.cli.pictures import Answer
    from shutterless.client import CallError


def call(
    url: Annotated[str, typer.Argument(metavar="URL", help="An API: its root, its stage, or …/predict.")],
    pictures: Annotated[list[str], typer.Argument(metavar="PICTURES", help="Files, folders or URLs.")],
    api_key: Annotated[
        str | None,
        typer.Option(envvar="SHUTTERLESS_API_KEY", metavar="KEY", help="The API's key.", show_default=False),
    ] = None,
    top: Annotated[
        int, typer.Option(metavar="N", min=1, help="How many labels to show of each picture.")
    ] = 3,
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", min=1, help="How long to wait for an answer.")
    ] = 60,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Ask an API, local or deployed, about pictures.

    Files and folders, at any depth, are sent; URLs are fetched by the API. A key in SHUTTERLESS_API_KEY
    stays out of the shell's history.

    \b
    Examples:
      shutterless call http://127.0.0.1:8080 photo.jpg
      shutterless call https://ID.execute-api.REGION.amazonaws.com/prod photos/
    """
    from shutterless.cli.pictures import expand, show_answers

    answers, failure = _ask(url, expand(pictures), api_key, timeout)
    answered = not answers or show_answers(answers, top, as_json)
    if failure:
        raise failure
    if not answered:
        raise typer.Exit(1)


def _ask(
    url: str, pictures: list[str], api_key: str | None, timeout: float
) -> tuple[list["Answer"], "CallError | None"]:
    """Return the answers until the end, or until what every further picture would meet as well."""
    from shutterless import client

    answers: list[Answer] = []
    with progress_bar() as progress:
        for done, picture in enumerate(pictures, start=1):
            try:
                answers.append({"source": picture, **client.call(url, picture, api_key, timeout)})
            except client.CallError as error:
                if not error.is_of_the_picture:
                    return answers, error
                answers.append({"source": picture, **error.to_json()})
            progress("asking", done, len(pictures))
    return answers, None
