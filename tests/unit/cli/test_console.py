import io
import json
import os

import pytest
from rich.console import Console

from shutterless.cli import console

ERASE_LINE = "\x1b[2K"


@pytest.fixture
def screen(monkeypatch) -> io.StringIO:
    """Show everything on a terminal of the test's own and return what stands on it."""
    written = io.StringIO()
    monkeypatch.setattr(console, "console", Console(file=written, force_terminal=True, width=100))
    return written


def test_json_is_one_document_in_the_user_s_own_letters(capsys):
    console.print_json({"label": "Hüte", "score": 0.5})
    shown = capsys.readouterr().out
    assert json.loads(shown) == {"label": "Hüte", "score": 0.5}
    assert "Hüte" in shown


def test_without_a_terminal_progress_is_a_line_at_the_end_and_now_and_then(capsys, monkeypatch):
    now = iter((0, 1, 20, 21, 22, 23))
    monkeypatch.setattr(console.time, "monotonic", lambda: next(now))
    with console.progress_bar() as progress:
        for done in (1, 2, 3):
            progress("drawing", done, 3)
    assert capsys.readouterr().err == "drawing: 2 of 3\ndrawing: 3 of 3\n"


def test_on_a_terminal_progress_is_a_bar_that_is_wiped_away_at_the_end(screen):
    with console.progress_bar() as progress:
        progress("drawing", 1, 3)
        progress("drawing", 3, 3)
    assert "drawing" in screen.getvalue()
    assert "0/3" in screen.getvalue()
    assert "drawing" not in screen.getvalue().rpartition(ERASE_LINE)[2]


def test_start_up_notes_are_hidden_while_all_goes_well(capfd):
    with console.quiet_start():
        os.write(2, b"note of a library\n")
    os.write(2, b"later\n")
    assert capfd.readouterr().err == "later\n"


def test_start_up_notes_are_shown_when_the_import_fails(capfd):
    with pytest.raises(ImportError), console.quiet_start():
        os.write(2, b"note of a library\n")
        raise ImportError
    assert capfd.readouterr().err == "note of a library\n"


def test_what_a_stranger_wrote_commands_no_terminal(capsys):
    console.say("[red]\x1b[2J one\ntwo\udcff")
    assert capsys.readouterr().err == "[red]\ufffd[2J one\ntwo\ufffd\n"


def test_a_long_path_is_folded_so_that_its_end_can_be_read(screen):
    listing = console.table("picture", "score")
    listing.add_row(f"{'folder/' * 20}last.jpg", "1")
    console.show(listing)
    assert "last.jpg" in screen.getvalue()
