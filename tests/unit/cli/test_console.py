import io
import json
import subprocess
import sys

import pytest
from hypothesis import given
from rich.cells import cell_len
from rich.console import Console

from shutterless.cli import console
from shutterless.utils.escaping import JOINERS, plain
from tests.texts import TEXTS

ERASE_LINE = "\x1b[2K"
# What strangers write: rich's markup, its emoji, a terminal's commands, a reversed text, half a letter.
HOSTILE = "[x][/x]:hat:\x1b[2J\x9b2J\u202e\udcff"
SHOWN = "[x][/x]:hat:\ufffd[2J\ufffd2J\ufffd\ufffd"


@pytest.fixture
def screen(monkeypatch) -> io.StringIO:
    """Show everything on a terminal of the test's own and return what stands on it."""
    written = io.StringIO()
    terminal = Console(file=written, force_terminal=True, width=100)
    monkeypatch.setattr(console, "console", terminal)
    monkeypatch.setattr(console, "output", terminal)
    return written


def test_json_is_one_document_in_the_user_s_own_letters(capsys):
    console.print_json({"label": "Hüte", "score": 0.5})
    shown = capsys.readouterr().out
    assert json.loads(shown) == {"label": "Hüte", "score": 0.5}
    assert "Hüte" in shown


def test_json_keeps_what_strangers_wrote_and_shows_a_terminal_none_of_it(capsys):
    text = f"{HOSTILE}\U000e0001"
    console.print_json([text])
    shown = capsys.readouterr().out
    assert json.loads(shown) == [text]
    assert shown.replace("\n", "").isprintable()


def test_without_a_terminal_progress_is_a_line_at_the_end_and_now_and_then(capsys, monkeypatch):
    now = iter((0, 1, 20, 21, 22, 23))
    monkeypatch.setattr(console.time, "monotonic", lambda: next(now))
    with console.progress_bar() as progress:
        for done in (1, 2, 3):
            progress("drawing", done, 3)
    assert capsys.readouterr().err == "drawing: 2 of 3\ndrawing: 3 of 3\n"


def test_on_a_terminal_progress_is_a_bar_that_is_wiped_away_at_the_end(screen):
    with console.progress_bar() as progress:
        progress("drawing [x]", 1, 3)
        progress("drawing [x]", 3, 3)
    assert "drawing [x]" in screen.getvalue()
    assert "0/3" in screen.getvalue()
    assert "drawing" not in screen.getvalue().rpartition(ERASE_LINE)[2]


def test_results_below_a_bar_go_to_their_file(screen, capsys, monkeypatch):
    monkeypatch.setattr(console, "output", Console())
    with console.progress_bar() as progress:
        progress("drawing", 1, 3)
        console.print_result("a result")
    assert capsys.readouterr().out == "a result\n"
    assert "a result" not in screen.getvalue()


def test_notes_warnings_and_errors_go_to_standard_error_and_command_no_terminal(capsys):
    console.say(f"one\ntwo {HOSTILE}")
    console.warn(HOSTILE)
    console.say_error(HOSTILE, HOSTILE)
    shown = capsys.readouterr()
    assert shown.err == f"one\ntwo {SHOWN}\nwarning: {SHOWN}\nerror: {SHOWN}\n{SHOWN}\n"
    assert shown.out == ""


def test_results_go_to_standard_output_unfolded_and_command_no_terminal(capsys):
    console.print_result(f"{HOSTILE} {'long ' * 100}end")
    shown = capsys.readouterr()
    assert shown.out == f"{SHOWN} {'long ' * 100}end\n"
    assert shown.err == ""


def test_without_a_terminal_a_table_is_a_line_a_row_with_tabs_between_cells(capsys):
    listing = console.make_table("picture [x]", "score")
    listing.add_row(f"{'folder/' * 40}{HOSTILE}", "1")
    listing.add_section()
    listing.add_row("two\nlines\tand a tab", "2")
    console.show(listing)
    assert capsys.readouterr().out.splitlines() == [
        "picture [x]\tscore",
        f"{'folder/' * 40}{SHOWN}\t1",
        "two lines and a tab\t2",
    ]


def test_on_a_terminal_a_table_shows_what_strangers_wrote_as_it_stands(screen):
    listing = console.make_table(HOSTILE, "score")
    listing.add_row(HOSTILE, "1")
    console.show(listing)
    head, row = [line for line in screen.getvalue().splitlines() if "hat" in line]
    assert (SHOWN in head, SHOWN in row) == (True, True)


def test_a_long_path_is_folded_so_that_its_end_can_be_read(screen):
    listing = console.make_table("picture", "score")
    listing.add_row(f"{'folder/' * 20}last.jpg", "1")
    console.show(listing)
    assert "last.jpg" in screen.getvalue()


def test_rows_have_tabs_and_on_a_terminal_columns_as_wide_as_any_before(capsys, monkeypatch):
    rows = console.Rows()
    rows.add("one.jpg", "hat", "0.9")
    monkeypatch.setattr(console, "output", Console(force_terminal=True))
    rows = console.Rows()
    for cells in (("a-longer.jpg", "hat", "0.9"), ("b.jpg", "衣", "0.8"), ("c.jpg", "")):
        rows.add(*cells)
    assert capsys.readouterr().out.splitlines() == [
        "one.jpg\that\t0.9",
        "a-longer.jpg  hat  0.9",
        "b.jpg         衣   0.8",
        "c.jpg",
    ]


def test_who_stops_reading_ends_a_command_without_a_word():
    """As `| head -1` does; the list is longer than a pipe holds and than what Python keeps back."""
    script = (
        "import sys; from shutterless.cli import app, console, main\n"
        "@app.app.command()\n"
        "def endless():\n"
        "    while True: console.print_result('a result')\n"
        "sys.argv = ['shutterless', 'endless']; main()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as command:
        assert command.stdout.readline() == b"a result\n"
        command.stdout.close()
        assert command.stderr.read() == b""
    assert command.returncode == console.PIPE_CLOSED


@given(TEXTS)
def test_every_way_to_a_terminal_shows_text_literally(text):
    written, stdout = io.StringIO(), io.StringIO()
    terminal = Console(file=written, force_terminal=True, color_system=None, width=10_000)
    table = console.make_table(text, "figure")
    table.add_row(text, text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(console, "console", terminal)
        patch.setattr(console, "output", terminal)
        patch.setattr(sys, "stdout", stdout)
        console.say(text)
        console.warn(text)
        console.say_error(text, text)
        console.show(table)
        console.show_note(table)
        console.print_result(text)
    assert all(
        each.isprintable() or each in "\n\t" + JOINERS for each in written.getvalue() + stdout.getvalue()
    )
    assert stdout.getvalue() == f"{plain(text)}\n"
    if "\n" not in text and "\t" not in text and cell_len(plain(text)):  # a cell of no width shows nothing
        assert written.getvalue().count(plain(text)) >= 8
