"""`shutterless call`: what a deployed or local API says of pictures."""

from typing import TYPE_CHECKING, Annotated

import typer

from shutterless.cli.console import progress_bar

if TYPE_CHECKING:
    from shutterless.cli.pictures import Answer
    from shutterless.client import CallError


def call(
    url: Annotated[str, typer.Argument(help="An API: its root, its stage, or …/predict.")],
    images: Annotated[
        list[str], typer.Argument(metavar="IMAGE|FOLDER|IMAGE_URL…", help="What to ask about.")
    ],
    api_key: Annotated[
        str | None,
        typer.Option(envvar="SHUTTERLESS_API_KEY", help="The API's key.", show_default=False),
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="How many labels to show of each picture.")] = 3,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds to wait for an answer.")] = 60,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Ask an API about pictures.

    Files, folders of them at any depth, or URLs that it fetches.
    A key in SHUTTERLESS_API_KEY stays out of the shell's history.

    \b
    Examples:
      shutterless call http://127.0.0.1:8080 photo.jpg
      shutterless call https://abc123.execute-api.eu-central-1.amazonaws.com/prod photos/ --json
    """
    from shutterless.cli.pictures import expand, show_answers

    answers, failure = _ask(url, expand(images), api_key, timeout)
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
