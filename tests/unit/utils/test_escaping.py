import csv
import io
import json
import unicodedata

import pytest
from hypothesis import given

from shutterless.utils.escaping import JOINERS, escape_formula, one_line, plain, to_json, unescape_formula
from tests.texts import TEXTS

FORMULAS = "=+-@\t\r＝＋－＠"
BIDI_CLASSES = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


@given(TEXTS)
def test_a_terminal_gets_nothing_that_it_obeys_and_all_that_can_be_read(text):
    shown = plain(text)
    assert len(shown) == len(text)
    assert all(each.isprintable() or each in "\n\t" + JOINERS for each in shown)
    assert not BIDI_CLASSES.intersection(map(unicodedata.bidirectional, shown))
    assert all(new == old for new, old in zip(shown, text, strict=True) if old.isprintable())


@given(TEXTS)
def test_json_says_the_same_and_shows_a_terminal_nothing_that_it_obeys(text):
    written = to_json({text: [text]})
    assert json.loads(written) == json.loads(json.dumps({text: [text]}))
    assert written.isprintable()


@given(TEXTS)
def test_a_cell_is_one_line_that_no_spreadsheet_takes_for_a_formula(text):
    cell = escape_formula(one_line(text))
    assert not cell.startswith(tuple(FORMULAS))
    assert len(cell.splitlines()) <= 1
    cell.encode()
    stream = io.StringIO()
    csv.writer(stream).writerow([cell, "x"])
    assert next(csv.reader([stream.getvalue()])) == [cell, "x"]


@given(TEXTS, TEXTS)
def test_cells_are_read_back_as_the_texts_that_they_were(text, other):
    assert unescape_formula(escape_formula(text)) == text
    assert (escape_formula(text) == escape_formula(other)) == (text == other)


@pytest.mark.parametrize("text", ["T-shirt, weiß", "a=b", "'quoted'", "1-2", "", "'", "帽子"])
def test_an_ordinary_label_stays_as_it_is(text):
    assert (plain(text), one_line(text), escape_formula(text)) == (text, text, text)
