"""`shutterless predict`: classify pictures with a bundle or a run."""

from pathlib import Path
from typing import Annotated

import typer

from shutterless.cli.pictures import AsJson, Output, Pictures, Top, expand, show_answers
from shutterless.errors import InputError
from shutterless.utils.quiet import quiet_start


def predict(
    model: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle, or a run.")],
    pictures: Pictures,
    output: Output = None,
    top: Top = 3,
    as_json: AsJson = False,
) -> None:
    """Classify pictures: files, folders, URLs, or a list of them.

    Folders are searched at any depth. Unreadable pictures are listed with the reason; the exit code is
    then 1. Press Ctrl-C to stop; the answers so far are kept. With -o, the same command continues.

    \b
    Examples:
      shutterless predict bundle photo.jpg
      shutterless predict bundle photos/ -o answers.csv
      find . -name '*.jpg' | shutterless predict bundle - --top 1
      shutterless predict bundle https://example.org/photo.jpg --json
    """
    _check_order(model, pictures)
    sources = expand(pictures)
    from shutterless.inference import Classifier

    with quiet_start():
        # Whoever types a URL here may fetch it anyway: no address is off limits.
        classifier = Classifier(model, urls="any")
    version = classifier.version
    if not show_answers(classifier.answer, sources, output=output, top=top, as_json=as_json, model=version):
        raise typer.Exit(1)


def _check_order(model: Path, pictures: list[str]) -> None:
    """Raise `ShutterlessError` if the bundle is given behind the pictures."""
    bundles = [name for name in pictures if (Path(name) / "bundle.json").is_file()]
    if bundles and not (model / "bundle.json").is_file():
        raise InputError(
            "swapped-arguments",
            f"{model} is not a bundle, but {bundles[0]} is",
            f"The bundle comes first: shutterless predict {bundles[0]} {model}",
        )
