"""`shutterless predict`: what a bundle says of pictures on this machine or on the web."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from shutterless.cli.console import print_json, progress_bar, show, table
from shutterless.errors import ShutterlessError

if TYPE_CHECKING:
    from shutterless.runtime.service import Service


def predict(
    bundle: Annotated[Path, typer.Argument(help="A bundle.")],
    sources: Annotated[list[str], typer.Argument(metavar="IMAGE|FOLDER|URL…", help="What to look at.")],
    top: Annotated[int, typer.Option(min=1, help="How many labels to show of each picture.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Predict the label of pictures: files, folders of them, or URLs.

    Example: shutterless predict bundle photo.jpg more-photos/ --top 1
    """
    from shutterless.runtime.service import Service
    from shutterless.runtime.settings import Settings

    # Whoever types a URL here may fetch it anyway: no address is off limits.
    service = Service.load(Settings(bundle, urls="any"))
    pictures = [picture for source in sources for picture in _expand(source)]
    with progress_bar() as progress:
        answers = []
        for done, picture in enumerate(pictures, start=1):
            answers.append({"source": picture, **_answer(service, picture)})
            progress("predicting", done, len(pictures))
    if as_json:
        print_json({"predictions": answers})
    else:
        _show(answers, top)
    if any("code" in answer for answer in answers):
        raise typer.Exit(1)


def _is_url(source: str) -> bool:
    return source.lower().startswith(("http://", "https://"))


def _expand(source: str) -> Iterator[str]:
    """Yield the pictures of a source: itself, or every picture below it if it is a folder."""
    if _is_url(source) or Path(source).is_file():
        yield source
        return
    if not Path(source).is_dir():
        raise ShutterlessError(f"There is no picture or folder {source}", "Give a file, a folder or a URL.")
    from shutterless.dataset import picture_files

    pictures = picture_files(Path(source))
    if not pictures:
        raise ShutterlessError(f"There are no pictures in {source}", "Give a folder with .jpg, .png … files.")
    yield from map(str, pictures)


def _answer(service: "Service", picture: str) -> dict[str, Any]:
    from shutterless.runtime import pixels
    from shutterless.runtime.problem import Problem

    try:
        if _is_url(picture):
            return service.predict_one({"url": picture})
        return service.classify(pixels.read(Path(picture)))
    except Problem as problem:
        return problem.to_json()


def _show(answers: list[dict[str, Any]], top: int) -> None:
    results = table("picture", "label", "score", text=2)
    for answer in answers:
        if "code" in answer:
            results.add_row(escape(answer["source"]), f"[red]{escape(answer['detail'])}[/]", "")
            continue
        best = sorted(answer["scores"].items(), key=lambda item: -item[1])[:top]
        for place, (label, score) in enumerate(best):
            unsure = " (not sure)" if place == 0 and not answer["accepted"] else ""
            source = "" if place else answer["source"]
            results.add_row(escape(source), escape(label) + unsure, f"{score:.4f}")
    show(results)
