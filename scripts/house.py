"""Measure the size and the naming of the source, and compare them with limits.

    python scripts/house.py [SOURCE] [--list MEASURE]

SOURCE is a package folder, `src/shutterless` by default. Use a checkout of an older commit to get
the figures from before a change. `--list` shows the places behind one figure, such as `participles`.
"""

import argparse
import ast
import re
import statistics
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

SMALL_HELPER = 6  # lines
PARTICIPLE = re.compile(r"[a-z]{2,}ed")
NOUNS_IN_ED = {"bed", "embed", "feed", "need", "red", "seed", "speed", "shed", "breed"}
IRREGULAR = set(
    """
    begun beside bound bought broken brought built chosen cut done drawn driven fallen felt forgotten found
    frozen given gone grown heard held hidden hurt kept known laid led left lent lost made meant met paid put
    read run said seen sent set shown shut sold spent split spoken stolen stood taken taught there thought
    thrown told torn understood woken won worn written
    """.split()  # noqa: SIM905
) - {"cut", "put", "read", "run", "set", "split"}  # nouns, too
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
Function = ast.FunctionDef | ast.AsyncFunctionDef


class Measure(NamedTuple):
    """A figure, its limit, and the places that make it up."""

    name: str
    figure: float
    limit: float
    places: list[str]


class Module:
    """One parsed source file."""

    def __init__(self, path: Path, root: Path) -> None:
        self.path = path.relative_to(root)
        self.text = path.read_text("utf-8")
        self.tree = ast.parse(self.text)
        self.functions = [node for node in ast.walk(self.tree) if isinstance(node, FUNCTIONS)]


def measure(root: Path) -> list[Measure]:
    """Return every measure of the package in `root`."""
    modules = [Module(path, root) for path in sorted(root.rglob("*.py"))]
    lengths = {
        f"{module.path}:{function.lineno} {function.name}": length(function)
        for module in modules
        for function in module.functions
    }
    folders = Counter(str(module.path.parent) for module in modules)
    sizes = {str(module.path): len(module.text.splitlines()) for module in modules}
    helpers, participles = list(small_helpers(modules)), list(participle_locals(modules))
    any_signatures, renames = list(untyped_signatures(modules)), list(atomic_writes(modules))
    return [
        Measure("files", max(folders.values()), 14, largest(folders)),
        Measure("median", statistics.median(lengths.values()), 8, []),
        Measure("p90", sorted(lengths.values())[int(len(lengths) * 0.9)], 22, largest(lengths)),
        Measure("largest", max(sizes.values()), 350, largest(sizes)),
        Measure("helpers", len(helpers), 30, helpers),
        Measure("participles", len(participles), 20, participles),
        Measure("any", len(any_signatures), 0, any_signatures),
        Measure("renames", len(renames), 1, renames),
    ]


def largest(sizes: dict[str, int]) -> list[str]:
    """Return the forty largest, with their size."""
    return [f"{name}: {size}" for name, size in Counter(sizes).most_common(40)]


def small_helpers(modules: list[Module]) -> Iterator[str]:
    """Yield private functions of few lines that the whole package names once, in a call."""
    name_counts: Counter[str] = Counter()
    call_counts: Counter[str] = Counter()
    for module in modules:
        for node in ast.walk(module.tree):
            match node:
                case ast.Name(id=name) | ast.Attribute(attr=name):
                    name_counts[name] += 1
                case ast.alias(name=name):
                    name_counts[name] += 1
            match node:
                case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
                    call_counts[name] += 1
    for module in modules:
        for function in module.functions:
            private = function.name.startswith("_") and not function.name.startswith("__")
            small = length(function) <= SMALL_HELPER
            if private and small and name_counts[function.name] == call_counts[function.name] == 1:
                yield f"{module.path}:{function.lineno} {function.name}"


def length(function: Function) -> int:
    """Return the lines of a function without its docstring."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function):
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines


def participle_locals(modules: list[Module]) -> Iterator[str]:
    """Yield each function's local variables that are a participle and nothing else."""
    for module in modules:
        for function in module.functions:
            for name in sorted(local_names(function)):
                if is_participle(name):
                    yield f"{module.path}:{function.lineno} {function.name}: {name}"


def local_names(function: Function) -> set[str]:
    """Return the names that a function assigns itself, without those of functions inside it."""
    names: set[str] = set()
    queue: list[ast.AST] = list(function.body)
    while queue:
        node = queue.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        if not isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            queue.extend(ast.iter_child_nodes(node))
    return names


def is_participle(name: str) -> bool:
    """Tell whether a name is one word that says what was done, not what it is."""
    return name in IRREGULAR or (bool(PARTICIPLE.fullmatch(name)) and name not in NOUNS_IN_ED)


def untyped_signatures(modules: list[Module]) -> Iterator[str]:
    """Yield public functions and methods that take or return `Any`."""
    for module in modules:
        if any(part.startswith("_") and part != "__init__.py" for part in module.path.parts):
            continue
        for function in public_functions(module.tree):
            hints = [argument.annotation for argument in arguments_of(function)] + [function.returns]
            words = " ".join(ast.unparse(hint) for hint in hints if hint)
            if re.search(r"\bAny\b", words):
                yield f"{module.path}:{function.lineno} {function.name}"


def public_functions(tree: ast.Module) -> Iterator[Function]:
    """Yield a module's public functions, and the public methods of its public classes."""
    for node in tree.body:
        scope = node.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_") else [node]
        for each in scope:
            if isinstance(each, FUNCTIONS) and (not each.name.startswith("_") or each.name == "__init__"):
                yield each


def arguments_of(function: Function) -> list[ast.arg]:
    """Return all arguments of a function, `*args` and `**options` among them."""
    signature = function.args
    extra = [argument for argument in (signature.vararg, signature.kwarg) if argument]
    return [*signature.posonlyargs, *signature.args, *signature.kwonlyargs, *extra]


def atomic_writes(modules: list[Module]) -> Iterator[str]:
    """Yield the modules that rename what they have written, instead of asking `files.py` to."""
    for module in modules:
        if re.search(
            r"\bos\.(replace|rename)\(|\.(replace|rename)\((self\.)?(path|target|file|folder)\b", module.text
        ):
            yield str(module.path)


def main() -> None:
    """Print the measures as a table, and exit with 1 where one is above its limit."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("source", nargs="?", type=Path, default=Path("src/shutterless"))
    parser.add_argument("--list", metavar="MEASURE", help="show the places behind one measure")
    options = parser.parse_args()
    measures = measure(options.source)
    for each in measures:
        over = "" if each.figure <= each.limit else "   over the limit"
        print(f"{each.name:12} {each.figure:6g}   at most {each.limit:g}{over}")
        if options.list == each.name:
            print(*(f"    {place}" for place in each.places), sep="\n")
    raise SystemExit(any(each.figure > each.limit for each in measures))


if __name__ == "__main__":
    main()
