"""What the command line shows: words, tables and progress on standard error, JSON on standard output."""

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress
from rich.table import Table

from shutterless.progress import Progress

console = Console(stderr=True, highlight=False)

INTERRUPTED = 130  # what shells report for a process that Ctrl-C ended: 128 + SIGINT

# Without a terminal a line now and then is enough to see that the work goes on.
SECONDS_BETWEEN_LINES = 15


def plain(text: str) -> str:
    """Return a text that a stranger may have written, without markup or what commands a terminal."""
    return escape("".join(letter if letter.isprintable() or letter == "\n" else "\ufffd" for letter in text))


def say(text: str) -> None:
    """Print a line."""
    console.print(plain(text), soft_wrap=True)


def warn(text: str) -> None:
    """Print a warning."""
    console.print(f"[yellow]warning:[/] {plain(text)}", soft_wrap=True)


def say_error(message: str, hint: str) -> None:
    """Print what is wrong and, on the next line, what to do."""
    console.print(f"[red]error:[/] {plain(message)}", soft_wrap=True)
    if hint:
        console.print(plain(hint), soft_wrap=True)


def table(*columns: str, text: int = 1) -> Table:
    """Return an empty table whose first `text` columns are text and whose others are figures."""
    made = Table()
    for place, column in enumerate(columns):
        # Folded, not cut: the end of a long path is what tells it from the others.
        made.add_column(column, justify="left" if place < text else "right", overflow="fold")
    return made


def show(content: Table) -> None:
    """Print a table."""
    console.print(content)


def print_json(document: Any) -> None:
    """Print the one JSON document that `--json` promises on standard output."""
    text = json.dumps(document, indent=2, ensure_ascii=False)
    # A file's name that is no UTF-8 has half a surrogate pair; with a backslash it is right JSON.
    sys.stdout.write(text.encode(errors="backslashreplace").decode() + "\n")


@contextmanager
def quiet_start() -> Iterator[None]:
    """Keep TensorFlow's start-up notes off the terminal while a stage that uses it is imported.

    Its C++ side writes some of them before it reads TF_CPP_MIN_LOG_LEVEL, so they are caught where the
    process writes its errors, and shown only if the import fails.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as notes:
        os.dup2(notes.fileno(), 2)
        try:
            yield
        except BaseException:
            notes.seek(0)
            os.write(terminal, notes.read())
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """Give a `Progress` that draws a bar with the time left, or prints a line now and then."""
    if not console.is_terminal:
        yield _lines()
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with RichProgress(*columns, console=console, transient=True) as bars:
        tasks: dict[str, Any] = {}

        def report(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
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
