"""What `predict` and `call` share: which pictures are meant, and how their answers are shown."""

import os
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shutterless.cli.console import progress_bar, say
from shutterless.cli.writers import writing
from shutterless.errors import InputError, ShutterlessError

if TYPE_CHECKING:
    from shutterless.answers import Answer

Pictures = Annotated[
    list[str],
    typer.Argument(metavar="PICTURES", help="Files, folders or URLs; - reads a list from standard input."),
]
Output = Annotated[
    Path | None,
    typer.Option("-o", "--output", metavar="FILE", help="Write the answers to a .csv or .jsonl file."),
]
Top = Annotated[int, typer.Option(metavar="N", min=1, help="How many labels to show of each picture.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]

STANDARD_INPUT = "-"


@dataclass(frozen=True)
class Sources:
    """The pictures that are meant. total: how many; None where a list is still coming."""

    names: Iterable[str]
    total: int | None = None

    def without(self, has: Callable[[str], bool]) -> "Sources":
        """Return those that `has` does not know."""
        left = (name for name in self.names if not has(name))
        if self.total is None:
            return Sources(left)
        names = list(left)
        return Sources(names, len(names))


@dataclass
class Counts:
    """How many pictures have been answered."""

    answered: int = 0
    unsure: int = 0
    unreadable: int = 0

    def add(self, answer: "Answer") -> None:
        """Count one answer more."""
        self.answered += 1
        self.unsure += answer.prediction is not None and not answer.prediction.accepted
        self.unreadable += answer.prediction is None


def expand(given: Sequence[str]) -> Sources:
    """Return files and URLs as they stand, for a folder every picture below it, and for - what is listed.

    Raises `ShutterlessError` if one is not there or a folder has no picture.
    """
    if STANDARD_INPUT not in given:
        names = [name for source in given for name in _expand(source)]
        return Sources(names, len(names))
    if len(given) > 1:
        raise InputError(
            "conflicting-sources", "- and other pictures are given", "Put all of them into the list."
        )
    return Sources(_listed())


def show_answers(
    classify: Callable[[Iterable[str]], Generator["Answer"]],
    sources: Sources,
    *,
    output: Path | None,
    top: int,
    as_json: bool,
    model: str | None = None,
) -> bool:
    """Show each answer when it comes; return whether every picture could be read.

    classify: gives an answer for each source, in their order.
    output: a file for the answers, which is continued. model: the version that answers, if it is known.
    Ctrl-C, or an error that every picture would meet, leaves what has been answered.
    """
    counts = Counts()
    with writing(output, top, as_json, model) as writer:
        todo = sources.without(writer.has)
        if sources.total is not None and todo.total is not None and todo.total < sources.total:
            say(f"{sources.total - todo.total:,} of {sources.total:,} photos are already in {output}")
        try:
            with progress_bar() as progress, closing(classify(todo.names)) as answers:
                for answer in answers:
                    writer.write(answer)
                    counts.add(answer)
                    if todo.total:
                        progress("photos", counts.answered, todo.total)
        except (KeyboardInterrupt, ShutterlessError):
            _say_stopped(counts, todo, output)
            raise
    if counts.answered > 1:
        say(f"{counts.answered:,} photos: {counts.unsure:,} not sure, {counts.unreadable:,} unreadable")
    return not counts.unreadable


def _say_stopped(counts: Counts, todo: Sources, output: Path | None) -> None:
    total = "" if todo.total is None else f" of {todo.total:,}"
    kept = f", which {output} has; the same command continues" if output else ""
    say(f"Stopped after {counts.answered:,}{total} photos{kept}")


def _listed() -> Iterator[str]:
    """Yield what stands on standard input, a file, folder or URL a line."""
    for line in sys.stdin.buffer:
        if name := os.fsdecode(line.rstrip(b"\r\n")):
            yield from _expand(name) if Path(name).is_dir() else (name,)


def _expand(source: str) -> Iterator[str]:
    if not source:  # pathlib takes it for the current folder
        raise InputError(
            "empty-name", "The name of a picture is empty", "Is a variable of the shell not set?"
        )
    if source.lower().startswith(("http://", "https://")) or Path(source).is_file():
        yield source
        return
    if not Path(source).is_dir():
        raise InputError(
            "not-found", f"There is no picture or folder {source}", "Give a file, a folder or a URL."
        )
    from shutterless.dataset import find_pictures

    pictures, skipped = find_pictures(Path(source))
    for one in skipped:
        say(f"{source}: {one}")
    if not pictures:
        raise InputError(
            "no-pictures", f"There are no pictures in {source}", "Give a folder with .jpg, .png … files."
        )
    yield from map(str, pictures)
