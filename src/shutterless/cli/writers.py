"""Where the answers of `predict` and `call` go: rows, one JSON document, or a file that is continued."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import typer

from shutterless.cli.console import Rows, result, to_json

if TYPE_CHECKING:
    from shutterless.answers import Answer


class Writer(Protocol):
    """What takes answers."""

    def has(self, source: str) -> bool:
        """Tell whether it has an answer for a picture from an earlier run."""

    def write(self, answer: "Answer") -> None:
        """Take one answer more."""


@contextmanager
def writing(output: Path | None, top: int, as_json: bool, model: str | None) -> Iterator[Writer]:
    """Give what writes answers to the file `output`, else to standard output: as JSON, or as rows.

    model: see `open_answers`.
    """
    if output:
        if as_json:
            raise typer.BadParameter("give either --output or --json", param_hint="--json")
        from shutterless.answers import open_answers

        with open_answers(output, model) as file:
            yield file
    elif as_json:
        document = _Document()
        try:
            yield document
        finally:
            document.end()
    else:
        yield _Rows(top)


class _Rows:
    """A row for each picture: its name, label, score, whether that is sure, and the next labels."""

    def __init__(self, top: int) -> None:
        self._top = top
        self._rows = Rows()

    def has(self, source: str) -> bool:
        return False

    def write(self, answer: "Answer") -> None:
        if not answer.prediction:
            words = ". ".join(filter(None, (answer.detail, answer.hint)))
            self._rows.add(answer.source, "", "", "unreadable", words)
            return
        (label, score), *others = answer.prediction.top(self._top)
        unsure = "" if answer.prediction.accepted else "not sure"
        others_text = ", ".join(f"{other} {value:.4f}" for other, value in others)
        self._rows.add(answer.source, label, f"{score:.4f}", unsure, others_text)


class _Document:
    """One JSON document: an answer a line, and at its end what they have in common."""

    def __init__(self) -> None:
        self._model = ""
        self._answers = 0
        result('{"predictions": [')

    def has(self, source: str) -> bool:
        return False

    def write(self, answer: "Answer") -> None:
        members = answer.to_json()
        self._model = members.pop("model", self._model)
        result((", " if self._answers else "  ") + to_json(members))
        self._answers += 1

    def end(self) -> None:
        """Complete the document."""
        result(f'], "model": {to_json(self._model)}}}')
