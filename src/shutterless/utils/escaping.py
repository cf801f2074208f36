"""Text of strangers, such as labels and file names, on terminals and pages, and in JSON and CSV files."""

import json
import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shutterless.runtime.json_types import Json

# Zero-width joiners: letters of Persian and Indic scripts, and many emoji, need them.
JOINERS = "\u200c\u200d"
# What spreadsheet programs take for the beginning of a formula, behind any apostrophes that escape it.
FORMULA = re.compile("'*[=+\\-@\t\r\uff1d\uff0b\uff0d\uff20]")


def plain(text: str) -> str:
    """Replace control characters, so that a terminal obeys none of them and text keeps its direction.

    Line breaks, tabs and the zero-width joiners stay. Other spaces become plain ones.
    """
    return text if text.isprintable() else "".join(map(_replace_control, text))


def _replace_control(character: str) -> str:
    if character.isprintable() or character in "\n\t" + JOINERS:
        return character
    return " " if unicodedata.category(character) == "Zs" else "\ufffd"


def to_json(document: "Json", indent: int | None = None) -> str:
    """Format JSON with Unicode characters, but with control characters and lone surrogates escaped."""
    text = json.dumps(document, indent=indent, ensure_ascii=False)
    return text if text.isprintable() else "".join(map(_escape_in_json, text))


def _escape_in_json(character: str) -> str:
    if character.isprintable() or character == "\n":
        return character
    units = character.encode("utf-16-be", "surrogatepass")  # above U+FFFF, JSON takes two surrogates
    return "".join(f"\\u{units[place : place + 2].hex()}" for place in range(0, len(units), 2))


def escape_formula(text: str) -> str:
    """Return the text of a CSV cell so that no spreadsheet program takes it for a formula.

    An apostrophe before it is what OWASP recommends against CSV injection. `unescape_formula` removes it.
    """
    return f"'{text}" if FORMULA.match(text) else text


def unescape_formula(cell: str) -> str:
    """Return the text of a cell that `escape_formula` wrote."""
    return cell[1:] if cell.startswith("'") and FORMULA.match(cell) else cell


def one_line(text: str) -> str:
    """Return a text on one line of UTF-8; backslashes escape control characters and invalid bytes."""
    return text if text.isprintable() else "".join(map(_escape_by_backslash, text))


def _escape_by_backslash(character: str) -> str:
    if character.isprintable() or unicodedata.category(character) == "Zs":
        return character
    return character.encode("unicode_escape").decode()
