"""Find every error that the source raises: its code, class, message and place."""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

Arguments = tuple[ast.expr, ast.expr]

ROOT_CLASS = "ShutterlessError"


class Raise(NamedTuple):
    """A place that makes an error.

    Attributes:
        code: None where it is no literal, as where an error passes on the code of another.
        error: The name of the class.
        message: With `{…}` where it names something.
        module: The file, below the package.
        line: The number of its line.
    """

    code: str | None
    error: str
    message: str
    module: str
    line: int


def find_raises(source: Path) -> list[Raise]:
    """Return every place in the package `source` that makes an error of ours."""
    trees = parse(source)
    classes = error_classes(trees.values())
    return [
        Raise(literal(code), error, template(message), file.relative_to(source).as_posix(), code.lineno)
        for file, tree in trees.items()
        for error, (code, message) in error_calls(tree, classes)
    ]


def describe_errors(source: Path) -> dict[str, str]:
    """Return the first line of every error class's docstring."""
    classes = error_classes(parse(source).values())
    return {name: (ast.get_docstring(node) or "").partition("\n")[0] for name, node in classes.items()}


def parse(source: Path) -> dict[Path, ast.Module]:
    """Return the syntax tree of every file in a package."""
    return {file: ast.parse(file.read_text("utf-8")) for file in sorted(source.rglob("*.py"))}


def error_classes(trees: Iterable[ast.Module]) -> dict[str, ast.ClassDef]:
    """Return every error class by name: the root, and what is derived from one of them."""
    definitions = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    classes = {node.name: node for node in definitions if node.name == ROOT_CLASS}
    while subclasses := {
        node.name: node
        for node in definitions
        if node.name not in classes and classes.keys() & {ast.unparse(base) for base in node.bases}
    }:
        classes |= subclasses
    return classes


def error_calls(tree: ast.Module, classes: dict[str, ast.ClassDef]) -> Iterator[tuple[str, Arguments]]:
    """Yield the class of every error that a module makes, and the expressions for its code and message.

    A class that sets both itself counts where it does so, not where it is called.
    """
    set_by_class = {name: list(own_arguments(node)) for name, node in classes.items()}
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name in classes:
            yield from ((node.name, arguments) for arguments in set_by_class[node.name])
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func).rpartition(".")[2]
            if name in classes and not set_by_class[name]:
                yield name, code_and_message(node)


def own_arguments(definition: ast.ClassDef) -> Iterator[Arguments]:
    """Yield what an error class passes to its parent, if the code among it is a literal."""
    for node in ast.walk(definition):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "super().__init__":
            code, message = code_and_message(node)
            if literal(code):
                yield code, message


def code_and_message(call: ast.Call) -> Arguments:
    """Return the first two arguments; the message is empty where one expression stands for both."""
    return call.args[0], call.args[1] if len(call.args) > 1 else ast.Constant("")


def literal(node: ast.expr) -> str | None:
    """Return a text that the source spells out, else None."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def template(node: ast.expr) -> str:
    """Return a message with the last name of what it inserts in braces, as in `{photo} is empty`."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "".join(map(template, values))
        case ast.FormattedValue(value=value):
            return f"{{{field(value)}}}"
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return template(left) + template(right)
    return f"{{{field(node)}}}"


def field(node: ast.expr) -> str:
    """Return the name of what a message inserts, or … where it has none."""
    return re.sub(r".*\.", "", ast.unparse(node)) if isinstance(node, ast.Name | ast.Attribute) else "…"
