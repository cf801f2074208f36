"""The pages of the documentation that are made from the code: a hook of `mkdocs build`.

Commands from the command line itself, recipe fields from the models that check a recipe, the Python API
from the source, so that none of them can fall behind. Changelog and contributing are the repository's own.
"""

import ast
import html
import inspect
import json
import re
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

import shutterless
import shutterless.deploy
from shutterless.cli.app import app
from shutterless.utils.quiet import quiet_start

ROOT = Path(__file__).parents[1]
SOURCE = Path(shutterless.__file__).parent
COMMANDS = """
# Commands

As `shutterless COMMAND --help` shows them. The exit code is 0 when all is done, 1 when something is wrong (a
line says what, one what to do), 2 for wrong usage, 130 after Ctrl-C. `shutterless --debug COMMAND` shows the
traceback of an error. Results go to standard output, progress, warnings and notes to standard error. `--json`
prints one JSON document.
"""
RECIPE_FIELDS = """
# Recipe fields

A recipe is a TOML file that says how to train; [Training](training.md#recipes) says how to use one. A field
that is not given has its default; a misspelt one is an error.
"""
PYTHON = """
# Python API

What a command does, a notebook or a script does with these. `import shutterless` imports nothing else until a
name is used. They return values, print nothing, and raise [ShutterlessError](#shutterlesserror).
"""
STAGES = {
    "errors": "Errors",
    "dataset": "Photos",
    "training": "Training",
    "artifacts": "Training records",
    "evaluation": "Evaluation",
    "conversion": "Conversion",
    "models": "Measuring runs and bundles",
    "inference": "Predicting",
    "answers": "Answers",
    "runtime": "Bundles and predictions",
    "serving": "Serving",
    "packaging": "Container",
    "deploy": "AWS",
    "client": "Calling an API",
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages to those in docs/; called by mkdocs."""
    pages = {
        "commands.md": commands_page(),
        "recipe-fields.md": recipe_page(),
        "python.md": python_page(),
        "changelog.md": of_the_repository("CHANGELOG.md"),
        "contributing.md": of_the_repository("CONTRIBUTING.md"),
    }
    for name, text in pages.items():
        files.append(File.generated(config, name, content=text))
    return files


def of_the_repository(name: str) -> str:
    """Return a page from the repository's root with its links as they are from docs/."""
    return (ROOT / name).read_text("utf-8").replace("](docs/", "](")


def plain(text: str) -> str:
    """Return text in which only backticks are Markdown: angle brackets and asterisks stand for themselves."""
    return _outside_code(text, lambda part: html.escape(part, quote=False).replace("*", "\\*"))


def _outside_code(text: str, change: Callable[[str], str]) -> str:
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else change(part) for part in parts)


def _escape_pipe(text: str) -> str:
    return text.replace("|", "\\|")


def table(rows: list[tuple[str, ...]]) -> str:
    """Return a table; its first row is its head."""
    head, *body = [[_outside_code(cell.replace("\n", " "), _escape_pipe) for cell in row] for row in rows]
    lines = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def commands_page() -> str:
    """Return every command with its help, arguments and options."""
    command = typer.main.get_command(app)
    context = typer.Context(command, info_name="shutterless")
    return "\n\n".join([COMMANDS, *_commands(command, context)])


def _commands(command: Any, context: Any) -> Iterator[str]:
    for name in command.list_commands(context):
        sub = command.get_command(context, name)
        below = typer.Context(sub, info_name=name, parent=context)
        if hasattr(sub, "commands"):
            yield from _commands(sub, below)
        else:
            yield _command(sub, below)


def _command(command: Any, context: Any) -> str:
    records = [(each, each.get_help_record(context)) for each in command.get_params(context)]
    rows = [
        (f"`{record[0]}`", plain(record[1]) + ("" if each.param_type_name == "option" else " (argument)"))
        for each, record in records
        if record and each.name != "help"
    ]
    return f"## {context.command_path}\n\n{_help(command.help)}\n\n{table([('option', 'what for'), *rows])}"


def _help(text: str) -> str:
    """Return a command's help, its examples as a block of code; \\b keeps their lines apart in a terminal."""
    words, _, examples = text.replace("\b", "").partition("Example")
    lines = [line.strip() for line in examples.partition(":")[2].strip().splitlines()]
    return "\n\n".join([plain(words.strip()), "\n".join(["```text", *lines, "```"])])


def recipe_page() -> str:
    """Return every field of a recipe, and the recipes that are shipped."""
    with quiet_start():
        from shutterless.training import recipe

    tables = {
        "A recipe": recipe.Recipe,
        "[image]": recipe.Image,
        "[backbone]": recipe.Trunk,
        "[head]": recipe.Head,
        "Every phase": recipe.Phase,
        "[head_training]": recipe.HeadPhase,
        "[frozen_training], [fine_tuning], [from_scratch]": recipe.NetworkPhase,
        "[….augmentation]": recipe.Augmentation,
    }
    fields = [f"## {name}\n\n{inspect.getdoc(model)}\n\n{_fields(model)}" for name, model in tables.items()]
    shipped = [f"### {name}\n\n```toml\n{recipe.recipe_text(name)}```" for name in recipe.recipe_names()]
    return "\n\n".join([RECIPE_FIELDS, *fields, "## The shipped recipes", *shipped])


def _fields(model: Any) -> str:
    """Return the fields that a model adds to its parent's, but for whole tables, which stand alone."""
    schema = model.model_json_schema()
    inherited = getattr(model.__base__, "model_fields", {})
    rows = [
        (f"`{name}`", *_values(field, name in schema.get("required", ())), field["description"])
        for name, field in schema["properties"].items()
        if name not in inherited and "description" in field
    ]
    return table([("field", "values", "default", "what it is"), *rows])


def _values(field: dict[str, Any], required: bool) -> tuple[str, str]:
    """Return what a field of a JSON schema may be, and what it is if it is not given."""
    kind = field.get("anyOf", [field])[0]
    choices = kind.get("enum") or [kind[name] for name in ("const",) if name in kind]
    values = ", ".join(f"`{json.dumps(choice)}`" for choice in choices) or " ".join(_numbers(kind))
    default = field.get("default")
    return values, "required" if required else "" if default is None else f"`{json.dumps(default)}`"


def _numbers(kind: dict[str, Any]) -> Iterator[str]:
    words = {
        "minimum": "from {:g}",
        "exclusiveMinimum": "above {:g}",
        "maximum": "to {:g}",
        "exclusiveMaximum": "below {:g}",
    }
    yield kind["type"]
    yield from (word.format(kind[name]) for name, word in words.items() if name in kind)


def python_page() -> str:
    """Return what the package offers, as its source writes it."""
    aws = {name: f"deploy.{module}" for name, module in shutterless.deploy._MODULE_OF.items()}
    homes = {**shutterless._MODULE_OF, **aws}
    parts = [PYTHON]
    for stage, title in STAGES.items():
        names = [name for name, home in homes.items() if home.split(".")[0] == stage]
        if names:
            parts += [f"## {title}", *(_definition(name, homes[name]) for name in names)]
    return "\n\n".join(parts)


def _definition(name: str, home: str) -> str:
    """Return a function or class as its source writes it: signature, docstring, a class's methods."""
    lines, node = _find(name, home)
    parts = [f"### {name}", _signature(lines, node), _docstring(node)]
    if isinstance(node, ast.ClassDef):
        methods = [each for each in node.body if isinstance(each, ast.FunctionDef)]
        for method in methods:
            if not method.name.startswith("_"):
                parts += [_signature(lines, method), _docstring(method)]
    return "\n\n".join(parts)


def _docstring(node: ast.ClassDef | ast.FunctionDef) -> str:
    """Return a docstring with the arguments that it explains, as `name: what it is`, set as code."""
    text = ast.get_docstring(node) or ""
    return re.sub(r"(?m)(^|[.;] )([a-z_]+(?:, [a-z_]+)*): ", r"\1`\2`: ", plain(text))


def _find(name: str, home: str) -> tuple[list[str], ast.ClassDef | ast.FunctionDef]:
    """Return the lines of the module that defines a name, and its definition; imports are followed."""
    path = SOURCE.joinpath(*home.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    text = path.read_text("utf-8")
    for node in _statements(ast.parse(text).body):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return text.splitlines(), node
        if isinstance(node, ast.ImportFrom) and any(alias.name == name for alias in node.names):
            return _find(name, str(node.module).removeprefix("shutterless."))
    raise LookupError(f"{home} has no {name}")


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield a module's statements, those in its `with` blocks among them."""
    for node in body:
        yield node
        if isinstance(node, ast.With):
            yield from _statements(node.body)


def _signature(lines: list[str], node: ast.ClassDef | ast.FunctionDef) -> str:
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)]) - 1
    head = textwrap.dedent("\n".join(lines[first : node.body[0].lineno - 1]))
    return f"```python\n{head.rstrip().removesuffix(':')}\n```"
