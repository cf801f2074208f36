import sys

import pytest

from shutterless.utils import progress


@pytest.fixture
def clock(monkeypatch):
    """A clock on which each look takes a second."""
    ticks = iter(range(1000, 9999))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(ticks))
    monkeypatch.setattr(progress, "_last_update", 0.0)


def test_a_script_shows_nothing_unasked(clock, capsys, monkeypatch):
    monkeypatch.delattr(sys, "ps1", raising=False)
    progress.automatic("drawing", 1, 2)
    assert capsys.readouterr() == ("", "")


def test_a_prompt_or_a_notebook_shows_one_line_that_is_updated(clock, capsys, monkeypatch):
    monkeypatch.setattr(sys, "ps1", "In : ", raising=False)
    progress.automatic("drawing", 1, 2000)
    progress.automatic("drawing", 2000, 2000)
    first, second = capsys.readouterr().out[1:].split("\r")
    assert (first.rstrip(), second.rstrip(" \n")) == ("drawing: 1 of 2,000", "drawing: 2,000 of 2,000")
    assert (first.endswith("\n"), second.endswith("\n")) == (False, True)


def test_a_line_is_not_updated_more_often_than_can_be_read(capsys, monkeypatch):
    monkeypatch.setattr(sys, "ps1", "In : ", raising=False)
    monkeypatch.setattr(progress.time, "monotonic", lambda: 1000.0)
    monkeypatch.setattr(progress, "_last_update", 0.0)
    for done in range(100):
        progress.automatic("drawing", done, 1000)
    assert capsys.readouterr().out.count("\r") == 1
