"""The `shutterless` command: its subcommands, and how errors become messages and exit codes."""

import errno
from collections.abc import Callable
from itertools import chain
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import shutterless
from shutterless.cli.commands import (
    batch,
    call,
    compare,
    convert,
    dataset,
    evaluate,
    image,
    package,
    predict,
    review,
    runs,
    serve,
    train,
    tune,
)
from shutterless.cli.commands.aws import cost, deploy, logs, status
from shutterless.cli.commands.live import collect, drift, schedule
from shutterless.cli.console import INTERRUPTED, PIPE_CLOSED, ReaderGoneError, say_error
from shutterless.errors import ShutterlessError
from shutterless.utils.interrupt import interrupted

# The extra that installs a package; all others are in `train`.
EXTRAS = {"boto3": "aws", "botocore": "aws", "pyarrow": "parquet", "ray": "ray", "s3fs": "s3", "fsspec": "s3"}

Command = typer.Typer | Callable[..., None]

# Commands by stage, in the order of a project; typer would list the groups, dataset and image, last.
STAGES: dict[str, dict[str, Command]] = {
    "Data and training": {
        "dataset": dataset.app,
        "train": train.train,
        "tune": tune.tune,
        "runs": runs.app,
        "evaluate": evaluate.evaluate,
        "compare": compare.compare,
        "convert": convert.convert,
    },
    "Predictions": {
        "predict": predict.predict,
        "batch": batch.batch,
        "review": review.review,
        "serve": serve.serve,
        "call": call.call,
        "collect": collect.collect,
        "drift": drift.drift,
        "schedule": schedule.schedule,
    },
    "Container": {"package": package.package, "image": image.app},
    "AWS": {
        "cost": cost.cost,
        "deploy": deploy.deploy,
        "status": status.status,
        "logs": logs.logs,
        "promote": deploy.promote,
        "rollback": deploy.rollback,
        "releases": status.releases,
        "destroy": deploy.destroy,
    },
}


class _Commands(TyperGroup):
    """Lists the commands by stage, and turns an error into its message, its hint and an exit code."""

    def list_commands(self, context: Any) -> list[str]:
        return list(chain(*STAGES.values()))

    def get_command(self, context: Any, name: str) -> Any:
        command = super().get_command(context, name)
        if command:
            _hide_argument_types(command)
        return command

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


def _hide_argument_types(command: Any) -> None:
    """Keep typer from showing Python types in the help, as in `PICTURES <list[str]>`."""
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            parameter.display_type_rich = lambda ctx: None
    for subcommand in getattr(command, "commands", {}).values():
        _hide_argument_types(subcommand)


def _report(error: BaseException) -> tuple[str, str, int]:
    """Return the message, the hint and the exit code."""
    if isinstance(error, ShutterlessError):
        return error.message, error.hint, error.exit_code
    if isinstance(error, KeyboardInterrupt) or interrupted():  # an import may turn Ctrl-C into its own error
        return "Stopped by Ctrl-C", "", INTERRUPTED
    if isinstance(error, ModuleNotFoundError):
        extra = EXTRAS.get(error.name or "", "train")
        return (
            f"This needs {error.name}, which is not installed",
            f"In a clone of shutterless: pip install '.[{extra}]'",
            1,
        )
    if isinstance(error, OSError):
        hint = "Check the path and its permissions."
        if error.errno == errno.ENOSPC:
            hint = "Free some space, or choose a folder on another disk."
        return f"{error.filename}: {error.strerror}" if error.filename else str(error), hint, 1
    raise error


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


def _print_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(shutterless.__version__)
        raise typer.Exit


@app.callback()
def root(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options before the command."""
