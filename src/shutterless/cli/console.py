"""What the command line prints: results on standard output, notes, warnings and progress on standard error.

Every text is shown as it stands, and none of it can command the terminal, whoever wrote it: a label or a
file's name may come from a stranger.
"""

import json
import sys
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress
from rich.table import Table as RichTable
from rich.text import Text

from shutterless.utils.progress import Progress

output = Console(highlight=False)
console = Console(stderr=True, highlight=False)

INTERRUPTED = 130  # what shells report for a process that Ctrl-C ended: 128 + SIGINT
PIPE_CLOSED = 141  # and for one whose reader, as `head`, has had enough: 128 + SIGPIPE

# Without a terminal a line now and then is enough to see that the work goes on.
SECONDS_BETWEEN_LINES = 15


class ReaderGoneError(Exception):
    """Nobody reads standard output any more, as behind `| head`."""


def plain(text: str) -> str:
    """Return a text without anything that a terminal takes for a command; line breaks and tabs stay."""
    return "".join(
        letter if letter.isprintable() or letter in "\n\t" else _harmless(letter) for letter in text
    )


def say(text: str) -> None:
    """Print a note, such as what to do next, to standard error."""
    console.print(Text(plain(text)), soft_wrap=True)


def warn(text: str) -> None:
    """Print a warning to standard error."""
    console.print(Text.assemble(("warning:", "yellow"), " ", plain(text)), soft_wrap=True)


def say_error(message: str, hint: str) -> None:
    """Print what is wrong and, on the next line, what to do, to standard error."""
    console.print(Text.assemble(("error:", "red"), " ", plain(message)), soft_wrap=True)
    if hint:
        say(hint)


def result(text: str) -> None:
    """Print one line, or several, of a result to standard output; never folded."""
    _write(plain(text))


def print_json(document: Any) -> None:
    """Print the one JSON document that `--json` promises to standard output."""
    _write(to_json(document, indent=2))


def to_json(document: Any, indent: int | None = None) -> str:
    """Return JSON in the user's own letters, without what a terminal obeys or UTF-8 has no bytes for."""
    text = json.dumps(document, indent=indent, ensure_ascii=False)
    return "".join(letter if letter.isprintable() or letter == "\n" else _escaped(letter) for letter in text)


@dataclass
class Table:
    """Rows of plain text. columns: their heads. text: how many of them are text; figures follow."""

    columns: tuple[str, ...]
    text: int = 1
    rows: list[tuple[str, ...]] = field(default_factory=list)
    sections: set[int] = field(default_factory=set)

    def add_row(self, *cells: str) -> None:
        """Add a row below the others."""
        self.rows.append(tuple(map(_cell, cells)))

    def add_section(self) -> None:
        """Draw a line below the last row, on a terminal."""
        self.sections.add(len(self.rows) - 1)


def table(*columns: str, text: int = 1) -> Table:
    """Return an empty table whose first `text` columns are text and whose others are figures."""
    return Table(tuple(map(_cell, columns)), text)


def show(content: Table) -> None:
    """Print a table to standard output: framed on a terminal, else a row a line with tabs between cells."""
    if output.is_terminal:
        output.print(_framed(content))
        return
    for row in (content.columns, *content.rows):
        _write("\t".join(row))


def note(content: Table) -> None:
    """Print a table to standard error: framed on a terminal, else a row a line, aligned."""
    if console.is_terminal:
        console.print(_framed(content))
        return
    rows = (content.columns, *content.rows)
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True))
        say("  ".join(cells).rstrip())


class Rows:
    """Rows that are printed as they come: aligned on a terminal, else with tabs between cells."""

    def __init__(self) -> None:
        self._widths: list[int] = []

    def add(self, *cells: str) -> None:
        """Print a row to standard output."""
        row = list(map(_cell, cells))
        if not output.is_terminal:
            _write("\t".join(row))
            return
        self._widths += [0] * (len(row) - len(self._widths))
        for place, cell in enumerate(row):
            self._widths[place] = max(self._widths[place], cell_len(cell))
        padded = (
            cell + " " * (width - cell_len(cell)) for cell, width in zip(row, self._widths, strict=False)
        )
        _write("  ".join(padded).rstrip())


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """Give a `Progress` that draws a bar with the time left, or prints a line now and then."""
    if not console.is_terminal:
        yield _lines()
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    # Results that go to the same terminal are printed above the bar; those that go to a file are not for it.
    with RichProgress(*columns, console=console, transient=True, redirect_stdout=output.is_terminal) as bars:
        tasks: dict[str, Any] = {}

        def report(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(plain(what), total=total)
            bars.update(tasks[what], completed=done, total=total, visible=done < total)

        yield report


def _lines() -> Progress:
    last = time.monotonic()

    def report(what: str, done: int, total: int) -> None:
        nonlocal last
        if done == total or time.monotonic() - last > SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            say(f"{what}: {done} of {total}")

    return report


def _harmless(letter: str) -> str:
    """Return what stands for a letter that is not printed: a space for a strange one, else U+FFFD."""
    return " " if unicodedata.category(letter) == "Zs" else "\ufffd"


def _escaped(letter: str) -> str:
    """Return a letter as JSON writes it in ASCII; beyond U+FFFF that takes two surrogates."""
    units = letter.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[place : place + 2].hex()}" for place in range(0, len(units), 2))


def _cell(text: str) -> str:
    """Return a text as a cell shows it: on one line, and without the tab that would end the cell."""
    return plain(text).replace("\n", " ").replace("\t", " ")


def _framed(content: Table) -> RichTable:
    framed = RichTable()
    for place, column in enumerate(content.columns):
        # Folded, not cut: the end of a long path is what tells it from the others.
        framed.add_column(Text(column), justify="left" if place < content.text else "right", overflow="fold")
    for place, row in enumerate(content.rows):
        framed.add_row(*map(Text, row), end_section=place in content.sections)
    return framed


def _write(line: str) -> None:
    """Write to standard output at once, so that a row can be read, or searched, when it is there."""
    try:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except BrokenPipeError as error:
        raise ReaderGoneError from error
