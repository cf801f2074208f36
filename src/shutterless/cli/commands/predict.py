"""`shutterless predict`: classify pictures with a bundle or a run."""

from pathlib import Path
from typing import Annotated

import typer

from shutterless.cli.answers import Output, Pictures, Top, read_pictures, show_answers
from shutterless.cli.console import progress_bar, say
from shutterless.cli.options import AsJson, refuse_both
from shutterless.errors import InputError


def predict(
    model: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle or a run.")],
    pictures: Pictures,
    output: Output = None,
    top: Top = 3,
    as_json: AsJson = False,
) -> None:
    """Classify pictures: files, folders, URLs, or a list of them.

    Folders are searched at any depth. Unreadable pictures are listed with the reason; the exit code is
    then 1. Press Ctrl-C to stop; the answers so far are kept. With -o, the same command continues where it
    stopped.

    \b
    Examples:
      shutterless predict bundle photo.jpg
      shutterless predict bundle photos/ -o answers.csv
      find . -name '*.jpg' | shutterless predict bundle - --top 1
      shutterless predict bundle https://example.org/photo.jpg --json
    """
    from shutterless.inference import predict_many

    refuse_both(output, "--output", as_json, "--json")
    _check_order(model, pictures)
    with progress_bar() as progress:
        # The user could fetch any URL without this command, so private addresses are allowed too.
        answers = predict_many(
            model, read_pictures(pictures), output=output, urls="any", progress=progress, on_note=say
        )
        all_readable = show_answers(answers, output=output, top=top, as_json=as_json)
    if not all_readable:
        raise typer.Exit(1)


def _check_order(model: Path, pictures: list[str]) -> None:
    """Raise `InputError` if the bundle was given after the pictures."""
    bundles = [name for name in pictures if (Path(name) / "bundle.json").is_file()]
    if bundles and not (model / "bundle.json").is_file():
        raise InputError(
            "swapped-arguments",
            f"{model} is not a bundle, but {bundles[0]} is",
            f"The bundle comes first: shutterless predict {bundles[0]} {model}",
        )
