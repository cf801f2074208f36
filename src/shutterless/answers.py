"""The answers to many pictures, and CSV or JSON Lines files of them that a later run can continue."""

import csv
import io
import json
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from shutterless.errors import OutputError, cannot_write
from shutterless.runtime.json_types import JsonObject
from shutterless.runtime.model.prediction import Prediction
from shutterless.utils.escaping import escape_formula, one_line, to_json
from shutterless.utils.progress import Progress, silent

COLUMNS = ("source", "label", "confidence", "accepted", "familiar", "novelty", "code", "detail", "model")


@dataclass(frozen=True)
class Answer:
    """The answer to one picture: a prediction or a problem.

    Attributes:
        source: The picture's file or URL.
        prediction: Label, confidence and scores; None if there is a problem.
        model: Version of the model; "" for a run, and if there is a problem.
        code: Code of the problem, as docs/http-api.md lists them; "" if there is a prediction.
        detail: What the problem is.
        hint: What to do about it.
    """

    source: str
    prediction: Prediction | None = None
    model: str = ""
    code: str = ""
    detail: str = ""
    hint: str = ""

    def to_json(self) -> JsonObject:
        """Return the source with the members of the prediction, or of the problem."""
        if self.prediction:
            members = cast("JsonObject", self.prediction.to_json())
            return {"source": self.source, **members, "model": self.model}
        return {"source": self.source, "code": self.code, "detail": self.detail, "hint": self.hint}

    def to_row(self) -> tuple[str, ...]:
        """Return the cells of a CSV file, in the order of `COLUMNS`."""
        figures = [""] * 5
        if answer := self.prediction:
            figures[:3] = answer.label, f"{answer.confidence:.4f}", str(answer.accepted).lower()
            if answer.familiar is not None:
                figures[3:] = str(answer.familiar).lower(), f"{answer.novelty:.4f}"
        return (self.source, *figures, self.code, self.detail, self.model)


class AnswerFile:
    """A CSV or JSON Lines file with one row per answer, to which more are appended.

    If an earlier run was stopped in the middle of a row, that row is removed.

    Args:
        stream: The file, open for reading and writing.
        suffix: .csv or .jsonl.

    Raises:
        OutputError: The file holds anything else; it is left unchanged.
    """

    def __init__(self, stream: BinaryIO, suffix: str) -> None:
        self._stream = stream
        self._format = _FORMATS[suffix]
        self._sources: set[str] = set()
        self._models: set[str] = set()
        lines = list(stream)
        partial_line = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""
        if not self._format.begins_like(b"".join(lines[:1]) or partial_line):
            raise _not_ours(stream)
        for line in lines[self._format.header_lines :]:
            self._take(line)
        stream.seek(sum(map(len, lines)))
        stream.truncate()
        if not lines:
            stream.write(self._format.header)

    def require_model(self, model: str) -> None:
        """Raise `OutputError` if the file has answers of another model than this version."""
        if self._models - {"", _cell(model)}:
            raise OutputError(
                "answers-of-another-model",
                f"{self._stream.name} has answers of another model",
                "Give another file, or remove this one.",
            )

    def has(self, source: str) -> bool:
        """Tell whether the file has an answer for a picture."""
        return _cell(source) in self._sources

    def write(self, answer: Answer) -> None:
        """Append an answer and flush it to the disk.

        Raises:
            OutputError: The file has answers of another model, or the disk is full.
        """
        if answer.model:
            self.require_model(answer.model)
        try:
            self._stream.write(self._format.to_line(answer).encode())
            self._stream.flush()
        except OSError as error:
            raise cannot_write(self._stream.name, error) from error
        self._sources.add(_cell(answer.source))
        self._models.add(_cell(answer.model))

    def _take(self, line: bytes) -> None:
        try:
            source, model = self._format.from_line(line.decode())
        except (AttributeError, LookupError, TypeError, ValueError, csv.Error, RecursionError) as error:
            raise _not_ours(self._stream) from error
        self._sources.add(source)
        self._models.add(model)


@contextmanager
def open_answers(path: Path, model: str | None = None) -> Iterator[AnswerFile]:
    """Open a file of answers to continue it, or create one.

    Args:
        path: A .csv or .jsonl file.
        model: Version of the model that answers, "" if it has none; None if it is not known yet.

    Raises:
        OutputError: The suffix is neither, the file holds anything else, has answers of another model,
            or cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in _FORMATS:
        raise OutputError(
            "unsupported-file-type", f"{path} ends in neither .csv nor .jsonl", "Choose one of them."
        )
    if path.exists() and not path.is_file():
        raise OutputError("not-a-file", f"{path} is not a file", "Give the name of a file.")
    try:
        stream = path.open("r+b" if path.exists() else "x+b")
    except OSError as error:
        raise cannot_write(path, error) from error
    with stream:
        file = AnswerFile(stream, suffix)
        if model is not None:
            file.require_model(model)
        yield file


def answer_sources(
    answer: Callable[[Iterable[str]], Generator[Answer]],
    sources: Iterable[str],
    output: Path | None = None,
    model: str | None = None,
    *,
    progress: Progress = silent,
    on_note: Callable[[str], None] = lambda note: None,
) -> Generator[Answer]:
    """Yield an answer for each source and append it to a file, without those that the file has already.

    Args:
        answer: Yields an answer for each source, in their order.
        sources: Files and URLs, from `expand_sources`.
        output: A .csv or .jsonl file.
        model: Version of the model that answers, see `open_answers`.
        progress: Called after each answer if `sources` is a list.
        on_note: Called with how many sources the file has already.

    Raises:
        OutputError: See `open_answers`.
    """
    if output is None:
        yield from _answer_in_order(answer, sources, None, progress)
        return
    with open_answers(output, model) as file:
        remaining: Iterable[str] = (source for source in sources if not file.has(source))
        if isinstance(sources, list):
            remaining = list(remaining)
            if present := len(sources) - len(remaining):
                on_note(f"{present:,} of {len(sources):,} pictures are already in {output}")
        yield from _answer_in_order(answer, remaining, file, progress)


def _answer_in_order(
    answer: Callable[[Iterable[str]], Generator[Answer]],
    sources: Iterable[str],
    file: AnswerFile | None,
    progress: Progress,
) -> Generator[Answer]:
    with closing(answer(sources)) as answers:
        for number, each in enumerate(answers, start=1):
            if file:
                file.write(each)
            yield each
            if isinstance(sources, list):
                progress("classifying", number, len(sources))


def _not_ours(stream: BinaryIO) -> OutputError:
    return OutputError(
        "not-ours",
        f"{stream.name} exists and is not a file of predictions",
        "Choose another name; the file is unchanged.",
    )


def _cell(text: str) -> str:
    """Return a text as a cell of a CSV file has it, by which pictures are also recognized."""
    return escape_formula(one_line(text))


class _Csv:
    header_lines = 1
    header = (",".join(COLUMNS) + "\n").encode()

    def begins_like(self, line: bytes) -> bool:
        return self.header.startswith(line) and (line == self.header or not line.endswith(b"\n"))

    def to_line(self, answer: Answer) -> str:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerow(map(_cell, answer.to_row()))
        return text.getvalue()

    def from_line(self, line: str) -> tuple[str, str]:
        ((source, *cells, model),) = csv.reader([line], strict=True)
        if len(cells) != len(COLUMNS) - 2:
            raise ValueError(line)
        return source, model


class _JsonLines:
    header_lines = 0
    header = b""

    def begins_like(self, line: bytes) -> bool:
        beginning = b'{"source": '
        return line.startswith(beginning[: len(line)])

    def to_line(self, answer: Answer) -> str:
        return to_json(answer.to_json()) + "\n"

    def from_line(self, line: str) -> tuple[str, str]:
        answer = json.loads(line)
        if not ("label" in answer or "code" in answer):
            raise ValueError(line)
        return _cell(answer["source"]), _cell(answer.get("model", ""))


_FORMATS: dict[str, _Csv | _JsonLines] = {".csv": _Csv(), ".jsonl": _JsonLines()}
