import os

import pytest

from shutterless.curation.fixes.accepted import AcceptedFinding, read_findings
from shutterless.errors import DatasetError

ROWS = "id;accept;path;action;target\n1;yes;Hüte/1.jpg;move;Röcke\n2;;Hüte/2.jpg;remove;\n"
EXPECTED = (AcceptedFinding(2, "move", "Hüte/1.jpg", "Röcke"),)


@pytest.fixture
def read(tmp_path):
    def read_bytes(data: bytes):
        file = tmp_path / "findings.csv"
        file.write_bytes(data)
        return read_findings(file)

    return read_bytes


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_table_is_read_as_spreadsheets_save_it(read, delimiter, encoding, line_end):
    text = ROWS.replace(";", delimiter).replace("\n", line_end)
    assert read(text.encode(encoding)).accepted == EXPECTED


def test_quotes_formulas_blank_rows_and_short_rows(read):
    text = (
        'Accept ,"Path",ACTION,target,sha256,remark\n'
        "\n"
        'x,"hat/a, b.jpg",Remove,,ABC\n'
        "x,'=hat/1.jpg,move,'@label,,a remark\n"
        "x,hat/2.jpg,remove\n"
        "x,hat/3.jpg, ,\n"
        "x\n"
    )
    findings = read(text.encode())
    assert findings.accepted == (
        AcceptedFinding(3, "remove", "hat/a, b.jpg", "", "abc"),
        AcceptedFinding(4, "move", "=hat/1.jpg", "@label"),
        AcceptedFinding(5, "remove", "hat/2.jpg"),
    )
    assert (findings.without_action, findings.problems) == (2, ())


@pytest.mark.parametrize(
    ("answer", "is_accepted"),
    [
        *[(answer, True) for answer in ("yes", "Y", "TRUE", "1", " x ", "X", "WAHR")],
        *[(answer, False) for answer in ("", "no", "N", "false", "0", "FALSCH")],
    ],
)
def test_what_counts_as_accepted(read, answer, is_accepted):
    findings = read(f"accept,path,action,target\n{answer},hat/1.jpg,remove,\n".encode())
    assert (len(findings.accepted), findings.problems) == (is_accepted, ())


def test_rows_that_are_unclear_are_problems(read):
    findings = read(b"accept,path,action,target\nmaybe,a.jpg,remove,\nyes,b.jpg,remove,,more\n")
    assert [(each.row, each.path, each.code) for each in findings.problems] == [
        (2, "a.jpg", "invalid-accept"),
        (3, "b.jpg", "invalid-row"),
    ]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "missing-column"),
        (b"accept,path,action\n", "missing-column"),
        (b"\x89PNG\r\n\x1a\n\x81", "unreadable-findings"),
        (b'accept,path,action,target\nyes,"a"b,remove,\n', "unreadable-findings"),
        (b"accept,path,action,target\nyes," + b"a" * 200_000 + b",remove,\n", "unreadable-findings"),
        ("accept\n".encode("utf-16")[:-1], "unreadable-findings"),
    ],
)
def test_what_is_no_table_of_findings_is_refused(read, data, code):
    with pytest.raises(DatasetError) as caught:
        read(data)
    assert caught.value.code == code


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "findings.csv")
    with pytest.raises(DatasetError) as caught:
        read_findings(tmp_path / "findings.csv")
    assert caught.value.code == "unreadable-findings"
