"""What a model or an API says of each of many pictures, and files of it that a later run continues."""

import csv
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from shutterless.errors import OutputError, ShutterlessError, cannot_write
from shutterless.runtime.model.prediction import Prediction

COLUMNS = ("source", "label", "confidence", "accepted", "code", "detail", "model")


@dataclass(frozen=True)
class Answer:
    """What came of one picture: a prediction, or the problem in its place.

    source: as it was given. model: the version of the model, "" if there is no answer of one. code,
    detail, hint: of the problem, as docs/http-api.md lists them; "" if there is a prediction.
    """

    source: str
    prediction: Prediction | None = None
    model: str = ""
    code: str = ""
    detail: str = ""
    hint: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the source with every member of the prediction, or with the problem."""
        if self.prediction:
            return {"source": self.source, **vars(self.prediction), "model": self.model}
        return {"source": self.source, "code": self.code, "detail": self.detail, "hint": self.hint}

    def to_row(self) -> tuple[str, ...]:
        """Return the cells of a CSV file, as `COLUMNS` names them."""
        said = self.prediction
        figures = (said.label, f"{said.confidence:.4f}", str(said.accepted).lower()) if said else ("",) * 3
        return (self.source, *figures, self.code, self.detail, self.model)


class AnswerFile:
    """A file of answers, a row each, as CSV or JSON Lines, to which further answers are added.

    A row in which an earlier run was stopped is removed. Raises `ShutterlessError` if the file holds
    anything else, and leaves that as it is.
    """

    def __init__(self, stream: BinaryIO, suffix: str) -> None:
        self._stream = stream
        self._format = _FORMATS[suffix]
        self._sources: set[str] = set()
        self._models: set[str] = set()
        lines = list(stream)
        torn = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""
        if not self._format.begins_like(b"".join(lines[:1]) or torn):
            raise _not_ours(stream)
        for line in lines[self._format.heads :]:
            self._take(line)
        stream.seek(sum(map(len, lines)))
        stream.truncate()
        if not lines:
            stream.write(self._format.head)

    def require_model(self, model: str) -> None:
        """Raise `ShutterlessError` if the file has answers of another model than this version."""
        if self._models - {"", model}:
            raise OutputError(
                "answers-of-another-model",
                f"{self._stream.name} has answers of another model",
                "Give another file, or remove this one.",
            )

    def has(self, source: str) -> bool:
        """Tell whether there is an answer for a picture."""
        return _one_line(source) in self._sources

    def write(self, answer: Answer) -> None:
        """Write an answer to the disk; raises `ShutterlessError` if the file has those of another model."""
        if answer.model:
            self.require_model(answer.model)
        try:
            self._stream.write(self._format.to_line(answer).encode())
            self._stream.flush()
        except OSError as error:
            raise cannot_write(self._stream.name, error) from error
        self._sources.add(_one_line(answer.source))
        self._models.add(answer.model)

    def _take(self, line: bytes) -> None:
        try:
            source, model = self._format.from_line(line.decode())
        except (AttributeError, LookupError, TypeError, ValueError, csv.Error, RecursionError) as error:
            raise _not_ours(self._stream) from error
        self._sources.add(source)
        self._models.add(model)


@contextmanager
def open_answers(path: Path, model: str | None = None) -> Iterator[AnswerFile]:
    """Open a file of answers to continue it, or a new one.

    model: the version of the model that answers, "" for one without, if it is known.
    Raises `ShutterlessError` if its suffix is neither .csv nor .jsonl, it exists and is anything else, or
    it has answers of another model.
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
        answers = AnswerFile(stream, suffix)
        if model is not None:
            answers.require_model(model)
        yield answers


def _not_ours(stream: BinaryIO) -> ShutterlessError:
    return OutputError(
        "not-ours",
        f"{stream.name} exists and is not a file of predictions",
        "Choose another name; it is unchanged.",
    )


def _one_line(text: str) -> str:
    """Return a file's name on one line of UTF-8: a line break, or what is not a character, as an escape."""
    text = text.encode(errors="backslashreplace").decode()
    return text.replace("\n", "\\n").replace("\r", "\\r")


class _Csv:
    heads = 1
    head = (",".join(COLUMNS) + "\n").encode()

    def begins_like(self, line: bytes) -> bool:
        return self.head.startswith(line) and (line == self.head or not line.endswith(b"\n"))

    def to_line(self, answer: Answer) -> str:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerow(map(_one_line, answer.to_row()))
        return text.getvalue()

    def from_line(self, line: str) -> tuple[str, str]:
        ((source, _label, _confidence, _accepted, _code, _detail, model),) = csv.reader([line], strict=True)
        return source, model


class _JsonLines:
    heads = 0
    head = b""

    def begins_like(self, line: bytes) -> bool:
        beginning = b'{"source": '
        return line.startswith(beginning[: len(line)])

    def to_line(self, answer: Answer) -> str:
        return (
            json.dumps(answer.to_json(), ensure_ascii=False).encode(errors="backslashreplace").decode() + "\n"
        )

    def from_line(self, line: str) -> tuple[str, str]:
        answer = json.loads(line)
        if not ("label" in answer or "code" in answer):
            raise ValueError(line)
        return _one_line(answer["source"]), answer.get("model", "")


_FORMATS: dict[str, _Csv | _JsonLines] = {".csv": _Csv(), ".jsonl": _JsonLines()}
