"""The answers of reviewers, in labels.csv: each is on the disk before the next photo is shown."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from shutterless.errors import DatasetError
from shutterless.files import atomic_file
from shutterless.text_files import MAX_TABLE_BYTES, decode_text, parse_table, read_bytes
from shutterless.utils.escaping import escape_formula, unescape_formula
from shutterless.utils.messages import quoted

COLUMNS = ("id", "photo", "before", "answer", "label", "reviewer", "time")


class Choice(StrEnum):
    """What a reviewer can say of a photo."""

    LABEL = "label"
    NONE = "none"  # none of the labels fits
    SKIP = "skip"


@dataclass(frozen=True)
class Answer:
    """What a reviewer said of a photo.

    Attributes:
        choice: What was chosen.
        label: The label; empty unless `choice` is `label`.
        photo: Where the photo is: a path below the folder that is reviewed, or for a batch job its URI.
        before: The label that the photo had before: the model's answer, or its folder in a data set.
        reviewer: Who said it; may be empty.
        time: When, in ISO 8601.
    """

    choice: Choice
    label: str = ""
    photo: str = ""
    before: str = ""
    reviewer: str = ""
    time: str = ""


def read_labels(file: Path) -> dict[str, Answer]:
    """Return id → answer, as any spreadsheet program may have saved them; empty if there is no file.

    Raises:
        DatasetError: It is not such a table (`unreadable-labels`), or a column is missing (`missing-column`).
    """
    try:
        header, *rows = list(parse_table(decode_text(read_bytes(file, MAX_TABLE_BYTES)))) or [[]]
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _unreadable(file, str(error)) from error
    columns = [cell.strip().lower() for cell in header]
    if missing := {"id", "answer", "label"} - set(columns):
        raise DatasetError(
            "missing-column", f"{file} has no column {quoted(missing)}", "Use the file that review wrote."
        )
    answers = {}
    for number, cells in enumerate(rows, start=2):
        row = dict.fromkeys(COLUMNS, "") | dict(zip(columns, map(unescape_formula, cells), strict=False))
        try:
            answers[row["id"]] = _parse(row)
        except ValueError as error:
            raise _unreadable(file, f"row {number}: {error}") from error
    return answers


def write_labels(file: Path, answers: Mapping[str, Answer]) -> None:
    """Write all answers, at once.

    Raises:
        OutputError: The file cannot be written (`cannot-write`).
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for name, each in answers.items():
        texts = (name, each.photo, each.before, each.choice.value, each.label, each.reviewer, each.time)
        writer.writerow(map(escape_formula, texts))
    with atomic_file(file) as draft:
        draft.write_text(text.getvalue(), "utf-8", newline="")


def _parse(row: Mapping[str, str]) -> Answer:
    choice = Choice(row["answer"].strip().lower())
    label = row["label"].strip() if choice is Choice.LABEL else ""
    if choice is Choice.LABEL and not label:
        raise ValueError("it has no label")
    return Answer(choice, label, row["photo"], row["before"], row["reviewer"], row["time"])


def _unreadable(file: Path, reason: str) -> DatasetError:
    return DatasetError(
        "unreadable-labels",
        f"Cannot read the answers in {file}: {reason}",
        "Correct that row, save the file as CSV in UTF-8, or remove it to begin again.",
    )
