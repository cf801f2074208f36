"""`shutterless predict`: what a bundle says of pictures on this machine or on the web."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shutterless.cli.console import progress_bar

if TYPE_CHECKING:
    from shutterless.cli.pictures import Answer
    from shutterless.runtime.service import Service


def predict(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle, as convert writes it.")],
    pictures: Annotated[list[str], typer.Argument(metavar="PICTURES", help="Files, folders or URLs.")],
    top: Annotated[
        int, typer.Option(metavar="N", min=1, help="How many labels to show of each picture.")
    ] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Predict the label of pictures: files, folders or URLs.

    Folders are searched at any depth. A picture that cannot be read is told in its place, and the exit
    code is 1.

    \b
    Examples:
      shutterless predict bundle photo.jpg
      shutterless predict bundle photo.jpg more-photos/ --top 1
      shutterless predict bundle https://example.org/photo.jpg --json
    """
    from shutterless.cli.pictures import expand, show_answers
    from shutterless.parallel import map_in_threads
    from shutterless.runtime.service import Service
    from shutterless.runtime.settings import Settings

    files = expand(pictures)
    # Whoever types a URL here may fetch it anyway: no address is off limits.
    service = Service.load(Settings(bundle, urls="any"))
    with progress_bar() as progress:
        answer = partial(_answer, service)
        answers = list(map_in_threads(answer, files, progress=progress, what="predicting"))
    if not show_answers(answers, top, as_json):
        raise typer.Exit(1)


def _answer(service: "Service", picture: str) -> "Answer":
    from shutterless.client import is_url
    from shutterless.runtime import pixels
    from shutterless.runtime.problem import Problem

    try:
        if is_url(picture):
            return {"source": picture, **service.predict_one({"url": picture})}
        return {"source": picture, **service.classify(pixels.read(Path(picture)))}
    except OSError as error:
        problem = Problem("unreadable-image", f"the file cannot be read: {error.strerror}")
    except Problem as raised:
        problem = raised
    return {"source": picture, **problem.to_json()}
