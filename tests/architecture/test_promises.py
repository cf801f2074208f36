"""Every promise of docs/security.md names its test, and each test that it names exists."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs" / "security.md").read_text("utf-8")
FILES = {file.relative_to(TESTS.parent).as_posix() for file in TESTS.rglob("*.py")}
FUNCTIONS = {
    name
    for file in FILES
    for name in re.findall(r"^def (test_\w+)\(", Path(TESTS.parent, file).read_text("utf-8"), re.M)
}


def test_each_test_that_the_page_names_exists():
    names = re.findall(r"`((?:tests/)?[\w/]*test\w*(?:/\w+)*(?:\.py)?)`", PAGE)
    folders = {str(Path(file).parent) for file in FILES}
    known = {*FILES, *(Path(file).name for file in FILES), *folders, *FUNCTIONS}
    assert len(names) > 50
    assert [name for name in names if name.rstrip("/") not in known] == []


def test_each_row_of_a_table_of_promises_names_a_test():
    tables = re.findall(r"^\|.*(?:tested by|test) \|\n\| --.*\n((?:\|.*\|\n)+)", PAGE, re.M)
    promises = [row for table in tables for row in table.splitlines()]
    assert len(promises) > 25
    assert [row for row in promises if not re.search(r"`[\w/.]*test_\w+(\.py)?`|`tests/[\w/]+`", row)] == []
