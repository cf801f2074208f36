"""Options and output that `predict` and `call` share: one answer per picture, as they come."""

import itertools
import os
import sys
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shutterless.cli.console import Rows, print_result, say
from shutterless.errors import ShutterlessError
from shutterless.utils.escaping import to_json
from shutterless.utils.messages import plural

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
Top = Annotated[int, typer.Option(metavar="N", min=1, help="How many labels to show per picture.")]

STANDARD_INPUT = "-"


def read_pictures(pictures: Sequence[str]) -> Sequence[str] | Iterator[str]:
    """Return the files, folders and URLs that were given; for -, those listed on standard input."""
    if STANDARD_INPUT not in pictures:
        return pictures
    if len(pictures) > 1:
        raise typer.BadParameter("give either - or pictures", param_hint="PICTURES")
    lines = (os.fsdecode(line.rstrip(b"\r\n")) for line in sys.stdin.buffer)
    return filter(None, lines)


@dataclass
class Summary:
    """How many pictures have been answered."""

    answered: int = 0
    unsure: int = 0
    unfamiliar: int = 0
    unreadable: int = 0

    def add(self, answer: "Answer") -> None:
        """Count one more answer."""
        from shutterless.runtime.model.prediction import NONE_OF_THE_LABELS, NOT_SURE

        self.answered += 1
        verdict = answer.prediction.verdict if answer.prediction else None
        self.unsure += verdict == NOT_SURE
        self.unfamiliar += verdict == NONE_OF_THE_LABELS
        self.unreadable += verdict is None

    def __str__(self) -> str:
        from shutterless.runtime.model.prediction import NONE_OF_THE_LABELS, NOT_SURE

        unfamiliar = f"{self.unfamiliar:,} {NONE_OF_THE_LABELS}, " if self.unfamiliar else ""
        counts = f"{self.unsure:,} {NOT_SURE}, {unfamiliar}{self.unreadable:,} unreadable"
        return f"{plural(self.answered, 'picture')}: {counts}"


def show_answers(answers: Generator["Answer"], *, output: Path | None, top: int, as_json: bool) -> bool:
    """Print each answer when it comes, unless it goes to a file.

    After Ctrl-C, or an error that would affect every picture, the answers so far are kept.

    Args:
        answers: From `predict_many` or `call_many`.
        output: The file that they are written to, if any.
        top: Number of labels to show per picture.
        as_json: Print one JSON document instead of rows.

    Returns:
        Whether every picture could be read.
    """
    summary = Summary()
    document = _Document() if as_json else None
    show = document.add if document else _ignore if output else _row_printer(top)
    try:
        with closing(answers):
            for answer in answers:
                show(answer)
                summary.add(answer)
    except (KeyboardInterrupt, ShutterlessError):
        if document and summary.answered:
            document.end()
        if summary.answered:
            continuation = f"; {output} has the answers, and the same command continues" if output else ""
            say(f"Stopped after {plural(summary.answered, 'picture')}{continuation}")
        raise
    if document:
        document.end()
    if summary.answered > 1:
        say(str(summary))
    return not summary.unreadable


def describe_outcome(record: Mapping[str, object]) -> str:
    """Return the result of a request in the log: labels with their confidence, its problem, or its route."""
    from shutterless.runtime.model.prediction import describe_verdict

    if "label" not in record:
        return str(record.get("code") or record.get("route", ""))
    values = (record.get(name) for name in ("label", "confidence", "accepted", "familiar"))
    columns: Iterator[list[Any]] = (each if isinstance(each, list) else [each] for each in values)
    predictions = []
    for label, confidence, *verdict in itertools.zip_longest(*columns):  # `familiar` may be missing
        reason = describe_verdict(*verdict)
        predictions.append(f"{label} {confidence:.2f}{reason and f' ({reason})'}")
    return ", ".join(predictions)


def _ignore(answer: "Answer") -> None:
    pass


def _row_printer(top: int) -> Callable[["Answer"], None]:
    """Return what prints a row per picture: name, label, score, verdict, and the next best labels."""
    rows = Rows()

    def print_row(answer: "Answer") -> None:
        if not answer.prediction:
            reason = ". ".join(filter(None, (answer.detail, answer.hint)))
            rows.add(answer.source, "", "", "unreadable", reason)
            return
        (label, score), *others = answer.prediction.top(top)
        others_text = ", ".join(f"{other} {value:.4f}" for other, value in others)
        rows.add(answer.source, label, f"{score:.4f}", answer.prediction.verdict, others_text)

    return print_row


class _Document:
    """A JSON document with one answer per line, and at its end the model, which they share."""

    def __init__(self) -> None:
        self._model = ""
        self._lines = 0

    def add(self, answer: "Answer") -> None:
        if not self._lines:
            print_result('{"predictions": [')
        self._model = answer.model or self._model
        members = {name: value for name, value in answer.to_json().items() if name != "model"}
        print_result((", " if self._lines else "  ") + to_json(members))
        self._lines += 1

    def end(self) -> None:
        if not self._lines:
            print_result('{"predictions": [')
        print_result(f'], "model": {to_json(self._model)}}}')
