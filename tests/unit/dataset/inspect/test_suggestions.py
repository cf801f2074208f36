import csv
from dataclasses import replace

import pytest

from shutterless.dataset.inspect.suggestions import COLUMNS, Suggestion, read_accepted, write_suggestions
from shutterless.utils.escaping import unescape_formula

MOVE = Suggestion("label-errors", "train/shirt/1.jpg", "filed as shirt", "move", "tee", 0.912345, "ab" * 32)
HOSTILE = Suggestion("blank", '=cmd|"/c calc"!A1,\n.jpg', "@x", "remove", sha256="cd" * 32)


def rows(file):
    with file.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_row_has_the_columns_that_fix_reads(tmp_path):
    write_suggestions(tmp_path / "findings.csv", [MOVE], {})
    (row,) = rows(tmp_path / "findings.csv")
    assert tuple(row) == COLUMNS
    assert row == {
        "id": MOVE.id,
        "kind": "label-errors",
        "action": "move",
        "path": "train/shirt/1.jpg",
        "target": "tee",
        "reason": "filed as shirt",
        "confidence": "0.912",
        "accept": "",
        "sha256": "ab" * 32,
    }


def test_no_cell_is_a_formula_and_every_path_can_be_read_back(tmp_path):
    write_suggestions(tmp_path / "findings.csv", [HOSTILE], {})
    (row,) = rows(tmp_path / "findings.csv")
    assert not any(cell.startswith(("=", "@", "+", "-")) for cell in row.values())
    assert unescape_formula(row["path"]) == HOSTILE.path


def test_what_was_accepted_is_kept_for_the_same_suggestion(tmp_path):
    file = tmp_path / "findings.csv"
    write_suggestions(file, [MOVE, HOSTILE], {MOVE.id: "yes"})
    assert read_accepted(file) == {MOVE.id: "yes"}


@pytest.mark.parametrize(("delimiter", "encoding"), [(";", "cp1252"), ("\t", "utf-16")])
def test_what_a_spreadsheet_program_saved_is_kept_too(tmp_path, delimiter, encoding):
    file = tmp_path / "findings.csv"
    write_suggestions(file, [replace(MOVE, reason="größer")], {MOVE.id: "yes"})
    cells = csv.reader(file.read_text("utf-8-sig").splitlines())
    file.write_bytes("\r\n".join(delimiter.join(row) for row in cells).encode(encoding))
    assert read_accepted(file) == {MOVE.id: "yes"}


@pytest.mark.parametrize(
    "change", [{"sha256": "ef"}, {"path": "b"}, {"target": "hat"}, {"action": ""}, {"kind": "outliers"}]
)
def test_another_photo_place_or_action_is_another_suggestion(change):
    assert Suggestion(**{**vars(MOVE), **change}).id != MOVE.id
    assert Suggestion(**{**vars(MOVE), "confidence": 0.5, "reason": "x"}).id == MOVE.id


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"a,b\n1,2\n", b"id\nx\n", b'"id,accept\n'])
def test_an_unusable_file_accepts_nothing(tmp_path, content):
    (tmp_path / "findings.csv").write_bytes(content)
    assert read_accepted(tmp_path / "findings.csv") == {}
    assert read_accepted(tmp_path / "missing.csv") == {}
