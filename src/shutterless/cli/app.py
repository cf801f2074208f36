"""The `shutterless` command: its subcommands, and the one place where errors become exit codes."""

import errno
from collections.abc import Callable
from itertools import chain
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import shutterless
from shutterless.cli.commands import (
    call,
    convert,
    cost,
    dataset,
    deploy,
    evaluate,
    image,
    logs,
    package,
    predict,
    serve,
    status,
    train,
)
from shutterless.cli.console import INTERRUPTED, PIPE_CLOSED, ReaderGoneError, say_error
from shutterless.errors import ShutterlessError
from shutterless.utils.interrupt import interrupted

Command = typer.Typer | Callable[..., None]

# The commands by stage, in the way of the data; typer itself would list the groups, dataset and image, last.
STAGES: dict[str, dict[str, Command]] = {
    "Data and training": {
        "dataset": dataset.app,
        "train": train.train,
        "evaluate": evaluate.evaluate,
        "convert": convert.convert,
    },
    "Answers": {"predict": predict.predict, "serve": serve.serve, "call": call.call},
    "Container": {"package": package.package, "image": image.app},
    "AWS": {
        "cost": cost.cost,
        "deploy": deploy.deploy,
        "status": status.status,
        "logs": logs.logs,
        "promote": deploy.promote,
        "rollback": deploy.rollback,
        "destroy": deploy.destroy,
    },
}


class _Commands(TyperGroup):
    """The commands by stage; what one raises becomes a line of what, one of what to do, and a code."""

    def list_commands(self, context: Any) -> list[str]:
        return list(chain(*STAGES.values()))

    def format_commands(self, context: Any, formatter: Any) -> None:
        longest = max(map(len, self.commands))
        for stage, names in STAGES.items():
            helps = [self.commands[name].get_short_help_str(formatter.width) for name in names]
            with formatter.section(stage):
                formatter.write_dl([(n.ljust(longest), h) for n, h in zip(names, helps, strict=True)])

    def invoke(self, context: Any) -> Any:
        try:
            return super().invoke(context)
        except ReaderGoneError:
            raise typer.Exit(PIPE_CLOSED) from None
        except (ShutterlessError, OSError, ModuleNotFoundError, KeyboardInterrupt) as error:
            if context.params["debug"]:
                raise
            message, hint, code = _report(error)
        say_error(message, hint)
        raise typer.Exit(code)


def _report(error: BaseException) -> tuple[str, str, int]:
    """Return what is wrong, what to do about it, and the exit code."""
    if isinstance(error, ShutterlessError):
        return error.message, error.hint, error.exit_code
    if isinstance(error, KeyboardInterrupt) or interrupted():  # which an import turns into its own error
        return "Stopped by Ctrl-C", "", INTERRUPTED
    if isinstance(error, ModuleNotFoundError):
        extra = "aws" if error.name in ("boto3", "botocore") else "train"
        return (
            f"This needs {error.name}, which is not installed",
            f"In a clone of shutterless: pip install '.[{extra}]'",
            1,
        )
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}" if error.filename else str(error), _way_out(error), 1
    raise error


def _way_out(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return "The disk is full: make room, or choose a folder on another disk."
    return "Check the path and its permissions."


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="From a folder of labelled photos to a serverless image-classification API.",
    epilog="""\b
Start with:
  shutterless dataset sample photos
  shutterless train photos -o run --backbone tiny
More on a command: shutterless COMMAND --help""",
)
for name, command in chain.from_iterable(commands.items() for commands in STAGES.values()):
    if isinstance(command, typer.Typer):
        app.add_typer(command, name=name)
    else:
        app.command(name)(command)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(shutterless.__version__)
        raise typer.Exit


@app.callback()
def root(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Hold the options that come before a command."""
