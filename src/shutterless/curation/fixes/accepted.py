"""Read the accepted findings from findings.csv, as any spreadsheet program may have saved it."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from shutterless.curation.fixes.problems import FixProblem
from shutterless.errors import DatasetError
from shutterless.text_files import MAX_TABLE_BYTES, decode_text, parse_table, read_bytes
from shutterless.utils.escaping import unescape_formula
from shutterless.utils.messages import quoted

REQUIRED = {"action", "path", "target", "accept"}
# The German words are what a German spreadsheet program makes of TRUE and FALSE.
YES = {"yes", "y", "true", "1", "x", "wahr"}
NO = {"", "no", "n", "false", "0", "falsch"}


@dataclass(frozen=True)
class AcceptedFinding:
    """A row of findings.csv that the user has accepted.

    Attributes:
        row: Its number, counted as spreadsheets do.
        action: `move`, `rename`, `remove`, or anything else that somebody typed.
        path: The photo's path relative to the data set's folder.
        target: A label or `_other` for `move`, the new file name for `rename`.
        sha256: SHA-256 of the photo when it was inspected, in hex; empty if the file doesn't tell.
    """

    row: int
    action: str
    path: str
    target: str = ""
    sha256: str = ""


@dataclass(frozen=True)
class Findings:
    """What findings.csv asks for.

    Attributes:
        accepted: The accepted findings that have an action.
        without_action: Number of accepted findings that only you can do something about.
        problems: Rows that cannot be read.
    """

    accepted: tuple[AcceptedFinding, ...]
    without_action: int
    problems: tuple[FixProblem, ...]


def read_findings(file: Path) -> Findings:
    """Read findings.csv: with commas, semicolons or tabs, in UTF-8, UTF-16 or Windows-1252.

    Raises:
        DatasetError: It is not such a table (`unreadable-findings`), or a column is missing
            (`missing-column`).
    """
    header, *rows = _read_cells(file)
    columns = [cell.strip().lower() for cell in header]
    if missing := REQUIRED - set(columns):
        raise DatasetError(
            "missing-column",
            f"{file} has no column {quoted(missing)}",
            "Use the findings.csv that dataset inspect --report writes.",
        )
    accepted, problems, without_action = [], [], 0
    for number, cells in enumerate(rows, start=2):
        row = dict.fromkeys(columns, "") | dict(zip(columns, cells, strict=False))
        answer = row["accept"].strip().lower()
        if len(cells) > len(columns):
            problems.append(_problem("invalid-row", number, row, "the row has more cells than the header"))
        elif answer not in YES | NO:
            reason = f"'{answer}' in the column accept is neither yes nor no"
            problems.append(_problem("invalid-accept", number, row, reason))
        elif answer in YES and row["action"].strip():
            accepted.append(_parse_finding(number, row))
        else:
            without_action += answer in YES
    return Findings(tuple(accepted), without_action, tuple(problems))


def _parse_finding(number: int, row: Mapping[str, str]) -> AcceptedFinding:
    return AcceptedFinding(
        number,
        row["action"].strip().lower(),
        unescape_formula(row["path"]),
        unescape_formula(row["target"]),
        row.get("sha256", "").strip().lower(),
    )


def _problem(code: str, number: int, row: Mapping[str, str], reason: str) -> FixProblem:
    return FixProblem(code, unescape_formula(row["path"]), reason, number)


def _read_cells(file: Path) -> list[list[str]]:
    """Return the cells of every row, the header first."""
    try:
        return list(parse_table(decode_text(read_bytes(file, MAX_TABLE_BYTES)))) or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(
            "unreadable-findings",
            f"Cannot read the findings in {file}: {error}",
            "Use the findings.csv that dataset inspect --report writes, and save it as CSV, in UTF-8.",
        ) from error
