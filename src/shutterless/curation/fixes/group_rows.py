"""Keep groups.csv, which names photos by their paths, in step with the photos that are moved."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from shutterless.curation.fixes.journal import FixStep
from shutterless.dataset.groups.grouping import read_groups
from shutterless.dataset.sources.table import GROUPS
from shutterless.files import atomic_file
from shutterless.text_files import MAX_TABLE_BYTES, read_text
from shutterless.utils.escaping import escape_formula, unescape_formula


def check_groups(root: Path) -> None:
    """Check that the data set's groups.csv, if there is one, can be read.

    Raises:
        DatasetError: It cannot (`unreadable-groups`, `missing-column`).
    """
    if (root / GROUPS).is_file():
        read_groups(root / GROUPS)


def move_groups(root: Path, steps: Iterable[FixStep]) -> None:
    """Give photos that were moved or renamed their new paths in groups.csv, so that they keep their groups.

    The rows of removed photos stay as they are: no photo has their paths, and an undo needs them again. A
    second call changes nothing.

    Raises:
        DatasetError: groups.csv cannot be read.
        OutputError: It cannot be written (`cannot-write`).
    """
    check_groups(root)
    file = root / GROUPS
    new_paths = {step.path: step.new_path for step in steps if step.action != "remove"}
    if not new_paths or not file.is_file():
        return
    text = read_text(file, MAX_TABLE_BYTES)
    header, *rows = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    column = header.index("path")
    moved_rows = [row for row in rows if row and unescape_formula(row[column]) in new_paths]
    for row in moved_rows:
        row[column] = escape_formula(new_paths[unescape_formula(row[column])])
    if moved_rows:
        encoding = "utf-8-sig" if text.startswith("\ufeff") else "utf-8"
        with atomic_file(file) as draft, draft.open("w", encoding=encoding, newline="") as stream:
            writer = csv.writer(stream, lineterminator="\r\n" if "\r\n" in text else "\n")
            writer.writerows([header, *rows])
