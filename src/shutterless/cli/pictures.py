"""What `predict` and `call` share: which pictures are meant, and how the answers are shown."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from shutterless.cli.console import print_json, say, show, table
from shutterless.client import is_url
from shutterless.errors import ShutterlessError

Answer = dict[str, Any]


def expand(sources: Sequence[str]) -> list[str]:
    """Return files and URLs as they stand, and for a folder every picture below it, sorted.

    Raises `ShutterlessError` if one is not there or a folder has no picture.
    """
    return [picture for source in sources for picture in _expand(source)]


def show_answers(answers: Sequence[Answer], top: int, as_json: bool) -> bool:
    """Show answers and problems, each with its `source`; return whether all are answers."""
    if as_json:
        print_json({"predictions": answers})
    else:
        _show_table(answers, top)
    failed = sum("code" in answer for answer in answers)
    unsure = sum(not answer.get("accepted", True) for answer in answers)
    if len(answers) > 1:
        say(f"{len(answers):,} photos: {unsure:,} not sure, {failed:,} unreadable")
    return not failed


def _expand(source: str) -> Iterator[str]:
    if not source:  # pathlib takes it for the current folder
        raise ShutterlessError("The name of a picture is empty", "Is a variable of the shell not set?")
    if is_url(source) or Path(source).is_file():
        yield source
        return
    if not Path(source).is_dir():
        raise ShutterlessError(f"There is no picture or folder {source}", "Give a file, a folder or a URL.")
    from shutterless.dataset import find_pictures

    pictures, skipped = find_pictures(Path(source))
    for one in skipped:
        say(f"{source}: {one}")
    if not pictures:
        raise ShutterlessError(f"There are no pictures in {source}", "Give a folder with .jpg, .png … files.")
    yield from map(str, pictures)


def _show_table(answers: Sequence[Answer], top: int) -> None:
    results = table("picture", "label", "score", text=2)
    for answer in answers:
        if "code" in answer:
            words = ". ".join(filter(None, (answer["detail"], answer.get("hint"))))
            results.add_row(answer["source"], words, "")
            continue
        best = sorted(answer["scores"].items(), key=lambda item: -item[1])[:top]
        for place, (label, score) in enumerate(best):
            unsure = " (not sure)" if place == 0 and not answer["accepted"] else ""
            source = "" if place else answer["source"]
            results.add_row(source, label + unsure, f"{score:.4f}")
    show(results)
