"""Text of strangers leaves the program through one place for each kind of output, which makes it safe."""

import ast
from pathlib import Path

import shutterless

SOURCE = Path(shutterless.__file__).parent
# Who writes to standard output or standard error: the console, what runs without it, and child processes.
WRITERS = {
    "cli/__init__.py",
    "cli/console.py",
    "runtime/__main__.py",
    "runtime/access_log.py",
    "runtime/image/child.py",
    "runtime/model/check.py",
    "utils/progress.py",
    "utils/quiet.py",  # which silences libraries
}
# A table of numbers, and of names that this program chose.
WITHOUT_TEXT = {"artifacts/history.py"}
MODULES = {file.relative_to(SOURCE).as_posix(): file for file in sorted(SOURCE.rglob("*.py"))}


def names(file: Path) -> set[str]:
    """Return the names that a module uses, dotted ones as they are written."""
    nodes = ast.walk(ast.parse(file.read_text("utf-8")))
    return {ast.unparse(node) for node in nodes if isinstance(node, ast.Name | ast.Attribute)}


def test_only_the_console_writes_to_a_terminal():
    streams = {"print", "sys.stdout", "sys.stderr", "sys.__stdout__", "sys.__stderr__"}
    assert {module for module, file in MODULES.items() if names(file) & streams} == WRITERS


def test_who_writes_csv_files_escapes_formulas():
    writers = {module for module, file in MODULES.items() if names(file) & {"csv.writer", "csv.DictWriter"}}
    assert {module for module in writers if "escape_formula" not in names(MODULES[module])} == WITHOUT_TEXT
