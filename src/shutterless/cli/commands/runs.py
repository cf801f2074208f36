"""`shutterless runs`: list training runs, and draw their learning curves."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shutterless.cli.console import format_seconds, make_table, print_json, say, show
from shutterless.cli.options import AsJson

if TYPE_CHECKING:
    from shutterless.evaluation.runs import RunGroup, RunSummary

app = typer.Typer(no_args_is_help=True, help="List training runs and compare their learning curves.")

Folders = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="FOLDER...", help="Runs, or folders with runs below.  [default: the working folder]"
    ),
]


@app.command("list")
def list_runs(
    folders: Folders = None,
    as_json: AsJson = False,
) -> None:
    """List training runs with their settings and metrics, the best first.

    Accuracy and log loss are those on the validation photos. Runs that only differ in their seeds are also
    summarised.

    \b
    Examples:
      shutterless runs list runs
      shutterless runs list run-1 run-2 --json
    """
    from shutterless.evaluation.runs import group_runs
    from shutterless.evaluation.runs import list_runs as find

    runs = find(*folders or ())
    groups = group_runs(runs)
    if as_json:
        print_json({"runs": [run.to_json() for run in runs], "groups": [group.to_json() for group in groups]})
    else:
        show_runs(runs, groups)


@app.command("curves")
def curves(
    folders: Folders = None,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="Picture to write, .svg or .png.")
    ] = Path("curves.svg"),
) -> None:
    """Draw validation accuracy and log loss of up to ten runs into one picture.

    The dots mark the epochs whose models were kept.

    \b
    Examples:
      shutterless runs curves run-1 run-2 -o curves.png
    """
    from shutterless.evaluation.learning_curves import draw_curves

    names = draw_curves(output, *folders or ())
    say(f"Curves of {len(names):,} runs: {output}")


def show_runs(runs: "tuple[RunSummary, ...]", groups: "tuple[RunGroup, ...]") -> None:
    """Print a table of runs, and one with the mean and the spread of those that only differ in seeds."""
    columns = ("run", "recipe", "backbone", "px", "seed", "photos", "accuracy", "log loss", "time")
    table = make_table(*columns, "parameters", "date (UTC)", text=3)
    for run in runs:
        table.add_row(
            run.path if run.state == "finished" else f"{run.path} ({run.state})",
            run.recipe,
            run.backbone,
            _text(run.image_size),
            _text(run.seed),
            _text(run.photos, "{:,}".format),
            *_metrics(run),
            _text(run.seconds, format_seconds),
            _text(run.parameters, lambda count: f"{count / 1e6:.2f} M"),
            run.finished[:16].replace("T", " "),
        )
    show(table)
    say("Accuracy and log loss: on the validation photos. time: of the epochs alone if a run is unfinished.")
    for run in runs:
        if run.problem:
            say(f"{run.path} is damaged: {run.problem}")
    if not groups:
        return
    summary = make_table(
        "recipe", "backbone", "px", "runs", "mean accuracy", "mean log loss", "mean time", text=2
    )
    for group in groups:
        summary.add_row(
            group.recipe,
            group.backbone,
            str(group.image_size),
            str(group.runs),
            f"{100 * group.accuracy:.1f} % ± {100 * group.accuracy_deviation:.1f}",
            f"{group.loss:.3f} ± {group.loss_deviation:.3f}",
            _text(group.seconds, format_seconds),
        )
    show(summary)
    say("±: sample standard deviation over the seeds")


def _metrics(run: "RunSummary") -> tuple[str, str]:
    from shutterless.evaluation.intervals import rounded

    if run.accuracy is None:
        return "", ""
    loss = "" if run.loss is None else rounded(run.loss, run.loss_error or 0.01)
    return f"{rounded(100 * run.accuracy, 100 * (run.accuracy_error or 0.01))} %", loss


def _text(value: float | None, form: Callable[[float], str] = str) -> str:
    return "" if value is None else form(value)
