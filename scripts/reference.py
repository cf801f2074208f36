"""Generate the pages of the documentation that come from the source; a hook of `mkdocs build`.

Commands from the command line, recipe fields from the models that check a recipe, errors from every place
that raises one. The Python API is mkdocstrings' work; no plug-in for commands shows the arguments and options
of a typer app, which no longer consists of click's classes, in tables. Changelog and contributing are the
repository's own files.
"""

import ast
import html
import inspect
import json
import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

import shutterless
from error_codes import Raise, describe_errors, find_raises
from shutterless.cli.app import app
from shutterless.utils.quiet import quiet_start

ROOT = Path(__file__).parents[1]
SOURCE = Path(shutterless.__file__).parent
COMMANDS = """
# Commands

As `shutterless COMMAND --help` shows them. The exit code is 0 on success, 1 on an error (one line says what
is wrong, one what to do), 2 for wrong usage, 130 after Ctrl-C. `shutterless --debug COMMAND` shows the
traceback of an error. Results go to standard output, progress, warnings and notes to standard error. `--json`
prints one JSON document.
"""
RECIPE_FIELDS = """
# Recipe fields

A recipe is a TOML file that says how to train; [Training](training.md#recipes) explains how to use one. A
field that is left out has its default; a misspelt field is an error.
"""
ERRORS = """
# Errors

Every error has a stable `code`, for programs, and a message and a hint, for people, whose wording may change:

```python
import shutterless

try:
    shutterless.train("photos", "run")
except shutterless.ShutterlessError as error:
    print(error.code, error.message, error.hint)
```

Names in braces stand for what the message inserts. The class [Problem](python.md#shutterless.Problem) is also
what the [HTTP API](http-api.md#problems) answers.
"""
MODULES = """
# Modules

Every module of the package with the first line of its docstring. [Architecture](architecture.md) shows how
they belong together.
"""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages to those in docs/; called by mkdocs."""
    pages = {
        "commands.md": commands_page(),
        "recipe-fields.md": recipe_page(),
        "errors.md": errors_page(),
        "modules.md": modules_page(),
        "changelog.md": repository_page("CHANGELOG.md"),
        "contributing.md": repository_page("CONTRIBUTING.md"),
    }
    for name, text in pages.items():
        files.append(File.generated(config, name, content=text))
    return files


def repository_page(name: str) -> str:
    """Return a page from the repository's root, with its links as they are from docs/."""
    return (ROOT / name).read_text("utf-8").replace("](docs/", "](")


def plain(text: str) -> str:
    """Return text in which only backticks are Markdown: angle brackets and asterisks stand for themselves."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(
        part if part.startswith("`") else html.escape(part, quote=False).replace("*", "\\*") for part in parts
    )


def table(rows: Iterable[tuple[str, ...]]) -> str:
    """Return a table; its first row is the header."""
    header, *body = ([table_cell(text) for text in row] for row in rows)
    return "\n".join(f"| {' | '.join(row)} |" for row in [header, ["---"] * len(header), *body])


def table_cell(text: str) -> str:
    """Return text as a cell on one line, with its pipes escaped, except within backticks."""
    return re.sub(r"(`[^`]*`)|\|", lambda match: match[1] or "\\|", text.replace("\n", " "))


def commands_page() -> str:
    """Return every command with its help, arguments and options."""
    command = typer.main.get_command(app)
    context = typer.Context(command, info_name="shutterless")
    return "\n\n".join([COMMANDS, *command_sections(command, context)])


def command_sections(group: Any, context: typer.Context) -> Iterator[str]:
    """Yield a section for each command of a group and of the groups below it."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        below = typer.Context(command, info_name=name, parent=context)
        if hasattr(command, "commands"):
            yield from command_sections(command, below)
        else:
            yield "\n\n".join(
                [f"## {below.command_path}", command_help(command.help), options_table(command, below)]
            )


def command_help(text: str) -> str:
    """Return a command's help with its examples as a block of code."""
    words, _, examples = text.replace("\b", "").partition("Example")
    lines = [line.strip() for line in examples.partition(":")[2].strip().splitlines()]
    return "\n\n".join([plain(words.strip()), "\n".join(["```text", *lines, "```"])])


def options_table(command: Any, context: typer.Context) -> str:
    """Return a command's arguments and options with their help."""
    parameters = [each for each in command.get_params(context) if each.name != "help"]
    records = [(each.param_type_name, each.get_help_record(context)) for each in parameters]
    rows = [(f"`{record[0]}`", kind, plain(record[1])) for kind, record in records if record]
    return table([("name", "kind", "description"), *rows])


def recipe_page() -> str:
    """Return every field of a recipe, and the recipes that are shipped."""
    with quiet_start():
        from shutterless.training import recipe

    tables = {
        "A recipe": recipe.Recipe,
        "[image]": recipe.ImageConfig,
        "[backbone]": recipe.BackboneConfig,
        "[head]": recipe.HeadConfig,
        "[teacher]": recipe.TeacherConfig,
        "Every phase": recipe.Phase,
        "[head_training]": recipe.HeadPhase,
        "[frozen_training], [fine_tuning], [from_scratch]": recipe.ModelPhase,
        "[….augmentation]": recipe.Augmentation,
    }
    fields = [
        f"## {name}\n\n{inspect.getdoc(model)}\n\n{fields_table(model)}" for name, model in tables.items()
    ]
    recipes = [f"### {name}\n\n```toml\n{recipe.recipe_text(name)}```" for name in recipe.recipe_names()]
    return "\n\n".join([RECIPE_FIELDS, *fields, "## The shipped recipes", *recipes])


def fields_table(model: Any) -> str:
    """Return the fields that a model adds to its parent's, but for whole tables, which stand alone."""
    schema = model.model_json_schema()
    parent_fields = getattr(model.__base__, "model_fields", {})
    rows = [
        (f"`{name}`", *values_and_default(field, name in schema.get("required", ())), field["description"])
        for name, field in schema["properties"].items()
        if name not in parent_fields and "description" in field
    ]
    return table([("field", "values", "default", "what it is"), *rows])


def values_and_default(field: dict[str, Any], required: bool) -> tuple[str, str]:
    """Return what a field of a JSON schema may be, and what it is if it is not given."""
    kind = field.get("anyOf", [field])[0]
    choices = kind.get("enum") or [kind[name] for name in ("const",) if name in kind]
    values = ", ".join(f"`{json.dumps(choice)}`" for choice in choices) or " ".join(numeric_range(kind))
    default = field.get("default")
    return values, "required" if required else "" if default is None else f"`{json.dumps(default)}`"


def numeric_range(kind: dict[str, Any]) -> Iterator[str]:
    """Yield the type of a field of a JSON schema, and its limits."""
    words = {
        "minimum": "from {:g}",
        "exclusiveMinimum": "above {:g}",
        "maximum": "to {:g}",
        "exclusiveMaximum": "below {:g}",
    }
    yield kind["type"]
    yield from (word.format(kind[name]) for name, word in words.items() if name in kind)


def errors_page() -> str:
    """Return a table for each class of errors: code, messages, and the files that raise it."""
    descriptions = describe_errors(SOURCE)
    raises = sorted((each for each in find_raises(SOURCE) if each.code), key=attrgetter("error", "code"))
    by_class = groupby(raises, attrgetter("error"))
    sections = [f"## {error}\n\n{descriptions[error]}\n\n{errors_table(group)}" for error, group in by_class]
    return "\n\n".join([ERRORS, *sections])


def errors_table(raises: Iterable[Raise]) -> str:
    """Return a row for each code of a class."""
    rows = [("code", "message", "raised in")]
    for code, group in groupby(raises, attrgetter("code")):
        places = list(group)
        messages = dict.fromkeys(html.escape(each.message, quote=False) for each in places)
        modules = dict.fromkeys(f"`{each.module}`" for each in places)
        rows.append((f"`{code}`", "<br>".join(messages), ", ".join(modules)))
    return table(rows)


def modules_page() -> str:
    """Return a table for each folder of the package: file, first line of its docstring."""
    files = sorted(SOURCE.rglob("*.py"), key=lambda file: (file.parent.parts, file.name))
    sections = [MODULES]
    for folder, modules in groupby(files, attrgetter("parent")):
        rows = [("file", "what it does"), *map(module_row, modules)]
        sections.append(f"## {folder.relative_to(SOURCE.parent)}\n\n{table(rows)}")
    return "\n\n".join(sections)


def module_row(file: Path) -> tuple[str, str]:
    """Return the name of a module and the first line of its docstring."""
    docstring = ast.get_docstring(ast.parse(file.read_text("utf-8"))) or ""
    return f"`{file.name}`", plain(docstring.partition("\n")[0])
