"""Terminal output: results on standard output; notes, warnings and progress on standard error.

Texts are printed literally, without markup or control characters: labels and file names are untrusted and
could otherwise contain commands for the terminal.
"""

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as RichProgress
from rich.table import Table as RichTable
from rich.text import Text

from shutterless.utils.escaping import plain, to_json
from shutterless.utils.progress import Progress

if TYPE_CHECKING:
    from rich.progress import Task

    from shutterless.runtime.json_types import Json

output = Console(highlight=False)
console = Console(stderr=True, highlight=False)

INTERRUPTED = 130  # exit code of a process ended by Ctrl-C: 128 + SIGINT
PIPE_CLOSED = 141  # exit code of a process whose reader, such as `head`, has ended: 128 + SIGPIPE

SECONDS_BETWEEN_LINES = 15  # of progress, where there is no terminal


class ReaderGoneError(Exception):
    """Standard output was closed, as by `| head`."""


def say(text: str) -> None:
    """Print a note, such as what to do next, to standard error."""
    console.print(Text(plain(text)), soft_wrap=True)


def warn(text: str) -> None:
    """Print a warning to standard error."""
    console.print(Text.assemble(("warning:", "yellow"), " ", plain(text)), soft_wrap=True)


def say_error(message: str, hint: str) -> None:
    """Print an error and, on the next line, its hint to standard error."""
    console.print(Text.assemble(("error:", "red"), " ", plain(message)), soft_wrap=True)
    if hint:
        say(hint)


def print_result(text: str) -> None:
    """Print lines of a result to standard output, without wrapping them."""
    _write(plain(text))


def print_json(document: "Json") -> None:
    """Print the JSON document of `--json` to standard output."""
    _write(to_json(document, indent=2))


def format_period(period: timedelta) -> str:
    """Return a duration in whole days, or in whole hours below two days."""
    hours = round(period / timedelta(hours=1))
    if hours >= 48:
        return f"{hours // 24} days"
    return f"{hours} hours" if hours > 1 else "hour"


def format_seconds(seconds: float) -> str:
    """Format a duration, as in "45 s", "12 min" or "2 h 5 min"."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


@dataclass
class Table:
    """A table of plain text.

    Attributes:
        columns: Titles of the columns.
        text: Number of columns with text, aligned left; the others have numbers, aligned right.
        rows: The rows' cells.
        sections: Indices of rows with a line below them.
    """

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

    @property
    def width(self) -> int:
        """Width in characters on a terminal, frame included."""
        columns = zip(self.columns, *self.rows, strict=True)
        return 1 + sum(3 + max(map(cell_len, column)) for column in columns)


def make_table(*columns: str, text: int = 1) -> Table:
    """Return an empty table whose first `text` columns hold text and the others numbers."""
    return Table(tuple(map(_cell, columns)), text)


def show(content: Table) -> None:
    """Print a table to standard output: framed on a terminal, else one row per line, separated by tabs."""
    if output.is_terminal:
        output.print(_framed(content))
        return
    for row in (content.columns, *content.rows):
        _write("\t".join(row))


def show_note(content: Table) -> None:
    """Print a table to standard error: framed on a terminal, else one row per line, aligned."""
    if console.is_terminal:
        console.print(_framed(content))
        return
    rows = (content.columns, *content.rows)
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        say(_aligned(row, widths))


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = (cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=False))
    return "  ".join(cells).rstrip()


class Rows:
    """Rows printed one by one: aligned on a terminal, else separated by tabs."""

    def __init__(self) -> None:
        self._widths: list[int] = []

    def add(self, *cells: str) -> None:
        """Print a row to standard output."""
        row = list(map(_cell, cells))
        if not output.is_terminal:
            _write("\t".join(row))
            return
        self._widths += [0] * (len(row) - len(self._widths))
        for column, cell in enumerate(row):
            self._widths[column] = max(self._widths[column], cell_len(cell))
        _write(_aligned(row, self._widths))


@contextmanager
def progress_bar(unit: str = "") -> Iterator[Progress]:
    """Yield a `Progress` that draws a bar with the remaining time, or prints a line now and then.

    Args:
        unit: What is counted, such as "photos", to show how many of them are done in a second.
    """
    if not console.is_terminal:
        yield _lines(unit)
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        *([_SpeedColumn(unit)] if unit else []),
        TimeRemainingColumn(),
    )
    # Results that go to the same terminal appear above the bar; those that go to a file must not.
    with RichProgress(*columns, console=console, transient=True, redirect_stdout=output.is_terminal) as bars:
        tasks: dict[str, TaskID] = {}

        def report(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(plain(what), total=total)
            bars.update(tasks[what], completed=done, total=total, visible=done < total)

        yield report


class _SpeedColumn(ProgressColumn):
    """The speed of a task, such as "81 photos/s"."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: "Task") -> Text:
        return Text(f"{task.speed:.3g} {self._unit}/s" if task.speed else "")


def _lines(unit: str) -> Progress:
    last = start_time = time.monotonic()
    first: int | None = None  # how many were done before, as in an earlier run

    def report(what: str, done: int, total: int) -> None:
        nonlocal last, first
        first = done if first is None else first
        now = time.monotonic()
        if done == total or now - last > SECONDS_BETWEEN_LINES:
            last = now
            speed = (done - first) / (now - start_time)
            details = f", {speed:.3g} {unit}/s" if unit else ""
            if unit and speed and done < total:
                details += f", {timedelta(seconds=round((total - done) / speed))} left"
            say(f"{what}: {done} of {total}{details}")

    return report


def _cell(text: str) -> str:
    """Return the text of a cell: on one line, and without tabs, which separate cells."""
    return plain(text).replace("\n", " ").replace("\t", " ")


def _framed(content: Table) -> RichTable:
    frame = RichTable()
    for index, column in enumerate(content.columns):
        # Wrapped, not cut off: long paths differ at their ends.
        frame.add_column(Text(column), justify="left" if index < content.text else "right", overflow="fold")
    for index, row in enumerate(content.rows):
        frame.add_row(*map(Text, row), end_section=index in content.sections)
    return frame


def _write(line: str) -> None:
    """Write a line to standard output and flush, so that a pipe gets each row at once."""
    try:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except BrokenPipeError as error:
        # What is left in the buffer would be written at the exit, and its failure reported then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise ReaderGoneError from error
