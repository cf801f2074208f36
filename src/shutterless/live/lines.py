"""Read our JSON lines from logs, whatever wrapped them: docker, Kubernetes, Google Cloud, journald."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from shutterless.runtime.json_types import JsonObject

# A line of ours has 250,000 bytes at most; inside of another JSON document, each quotation mark takes two.
MAX_LINE_BYTES = 1_000_000
# Kubernetes' files: time, stream, P for a part of a line or F for its end, and the text.
CRI = re.compile(r"(\S{20,40}) (stdout|stderr) ([PF])(?: (.*))?", re.DOTALL)
# Members in which other programs put our line as text, or as an object.
WRAPPERS = ("log", "textPayload", "jsonPayload", "message", "MESSAGE")
MAX_DEPTH = 3
# What every line of ours has; other lines of a log are of no interest.
MARK = "request_id"


@dataclass(frozen=True)
class LogLine:
    """One line of a log.

    Attributes:
        place: Where it is, for messages, such as `line 17`.
        text: The line.
    """

    place: str
    text: str


@dataclass(frozen=True)
class LogRecord:
    """The members of one line of ours.

    Attributes:
        place: Where the line is, for messages.
        members: What it says.
    """

    place: str
    members: JsonObject


@dataclass(frozen=True)
class Damage:
    """A line, or a record in it, that cannot be read.

    Attributes:
        place: Where it is.
        reason: What is wrong with it.
    """

    place: str
    reason: str


def read_lines(stream: BinaryIO) -> Iterator[LogLine | Damage]:
    """Yield the lines of a file or of standard input; those that are too long as damage.

    A JSON array, which `gcloud logging read --format json` writes, is read element by element.
    """
    number, element = 0, bytearray()
    is_array = False
    while data := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(data) > MAX_LINE_BYTES:
            while data and not data.endswith(b"\n"):
                data = stream.readline(MAX_LINE_BYTES)
            yield Damage(f"line {number:,}", f"it is longer than {MAX_LINE_BYTES:,} bytes")
            continue
        is_array = is_array or (number == 1 and data.strip() == b"[")
        if not is_array:
            yield LogLine(f"line {number:,}", data.decode("utf-8", "replace").rstrip("\r\n"))
            continue
        element += b"" if number == 1 else data
        if re.fullmatch(rb" {0,2}\},?\s*", data) or len(element) > MAX_LINE_BYTES:
            yield LogLine(f"line {number:,}", element.decode("utf-8", "replace").strip().removesuffix(","))
            element.clear()


@dataclass
class LineReader:
    """Finds our records in the lines of one log.

    Attributes:
        others: How many lines are of no interest, such as those that Lambda writes itself.
    """

    others: int = 0
    _parts: dict[str, str] = field(default_factory=dict)

    def read(self, lines: Iterable[LogLine | Damage]) -> Iterator[LogRecord | Damage]:
        """Yield the records of some lines, and what is damaged."""
        for line in lines:
            if isinstance(line, Damage):
                yield line
                continue
            try:
                members = self._unwrap(line.text, {}, MAX_DEPTH)
            except (ValueError, RecursionError):
                yield Damage(line.place, "it is not valid JSON")
                continue
            if members is None:
                self.others += 1
            elif members:
                yield LogRecord(line.place, members)

    def _unwrap(self, text: str, outer: JsonObject, depth: int) -> JsonObject | None:
        """Return the members of our line in a text; None if there are none, empty if its rest is missing.

        Raises:
            ValueError: It looks like ours, but is not valid JSON.
        """
        if match := CRI.match(text):
            return self._join(match[2], match[4] or "", match[3] == "F", {"time": match[1]}, depth)
        start = text.find("{")
        if start < 0:
            return None
        try:
            document = json.loads(text[start:])
        except (ValueError, RecursionError):
            if MARK in text:
                raise
            return None
        return self._unwrap_object(document, outer, depth)

    def _unwrap_object(self, document: object, outer: JsonObject, depth: int) -> JsonObject | None:
        if not isinstance(document, Mapping) or not depth:
            return None
        if MARK in document:  # Google Cloud takes the time out of the object
            return {**outer, **document}
        time = document.get("timestamp", document.get("time"))
        outer = {"time": time} if isinstance(time, str) else outer
        inner = next((document[name] for name in WRAPPERS if name in document), None)
        if isinstance(inner, Mapping):
            return self._unwrap_object(inner, outer, depth - 1)
        if not isinstance(inner, str):
            return None
        stream = document.get("stream")
        if "log" in document and isinstance(stream, str):  # docker cuts lines into pieces of 16 KB
            return self._join(stream, inner, inner.endswith("\n"), outer, depth - 1)
        return self._unwrap(inner, outer, depth - 1)

    def _join(self, stream: str, text: str, is_end: bool, outer: JsonObject, depth: int) -> JsonObject | None:
        text = self._parts.pop(stream, "") + text
        if not is_end and not _is_whole(text) and len(text) <= MAX_LINE_BYTES:
            self._parts[stream] = text
            return {}
        return self._unwrap(text, outer, depth)


def _is_whole(text: str) -> bool:
    """Tell whether a text without a line break is a whole line all the same, as from some log shippers."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
