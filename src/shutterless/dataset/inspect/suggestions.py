"""Suggested fixes of an inspection, and findings.csv, in which the user accepts them."""

import csv
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from shutterless.dataset.types import Photo
from shutterless.runtime.json_types import JsonObject
from shutterless.text_files import MAX_TABLE_BYTES, decode_text, parse_table, read_bytes
from shutterless.utils.escaping import escape_formula

FINDINGS = "findings.csv"
COLUMNS = ("id", "kind", "action", "path", "target", "reason", "confidence", "accept", "sha256")

Action = Literal["move", "remove", ""]


@dataclass(frozen=True)
class Suggestion:
    """What could be done about one photo of a finding.

    Attributes:
        kind: The finding's kind.
        path: Path of the photo.
        reason: Why, in a few words.
        action: `move` to the label `target`, `remove`, or empty if there is nothing to do but look.
        target: The label that a photo is moved to, or `_other`.
        confidence: How sure it is, from 0 to 1; None if that is unknown.
        sha256: SHA-256 of the photo's content in hex; empty if the file cannot be read.
        examples: Label → paths of its photos that are most similar, to compare with.
    """

    kind: str
    path: str
    reason: str
    action: Action = ""
    target: str = ""
    confidence: float | None = None
    sha256: str = ""
    examples: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Return a name that stays the same as long as the photo, its place and the suggestion do."""
        text = "\0".join((self.sha256, self.path, self.action, self.target))
        return f"{self.kind}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"

    def to_row(self) -> dict[str, str]:
        """Return the cells of findings.csv, without `accept`."""
        confidence = "" if self.confidence is None else f"{self.confidence:.3f}"
        cells = (self.id, self.kind, self.action, self.path, self.target, self.reason, confidence, "")
        return dict(zip(COLUMNS, (*map(escape_formula, cells), self.sha256), strict=True))

    def to_json(self) -> JsonObject:
        """Return the suggestion as a JSON object."""
        return {
            "id": self.id,
            "path": self.path,
            "action": self.action,
            "target": self.target,
            "reason": self.reason,
            "confidence": self.confidence,
            "examples": {label: list(paths) for label, paths in self.examples.items()},
        }


def suggest_removal(kind: str, photo: Photo, reason: str) -> Suggestion:
    """Return the suggestion to remove a photo."""
    return Suggestion(kind, photo.path, reason, "remove", sha256=photo.sha256)


def write_suggestions(file: Path, suggestions: Iterable[Suggestion], accepted: Mapping[str, str]) -> None:
    """Write findings.csv.

    Args:
        file: The file.
        suggestions: The rows.
        accepted: Suggestion id → what the user wrote into the column `accept` of an earlier file.
    """
    # With a byte order mark, by which Excel recognises UTF-8.
    with file.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for suggestion in suggestions:
            row = suggestion.to_row()
            writer.writerow({**row, "accept": escape_formula(accepted.get(row["id"], ""))})


def read_accepted(file: Path) -> dict[str, str]:
    """Return suggestion id → what the user wrote into the column `accept`; empty if there is no such file."""
    try:
        header, *rows = parse_table(decode_text(read_bytes(file, MAX_TABLE_BYTES)))
        columns = [cell.strip().lower() for cell in header]
        records = [dict(zip(columns, cells, strict=False)) for cells in rows]
        return {record["id"]: record["accept"].strip() for record in records if record.get("accept")}
    except (OSError, ValueError, csv.Error, KeyError):  # ValueError: an empty file, or in no encoding
        return {}
