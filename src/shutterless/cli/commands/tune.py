"""`shutterless tune`: search for a better recipe."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shutterless.cli.console import make_table, print_json, print_result, progress_bar, say, show
from shutterless.cli.options import AsJson

if TYPE_CHECKING:
    from shutterless.tuning.results import TrialResult
    from shutterless.tuning.tuner import TuneResult


def tune(
    photos: Annotated[
        Path, typer.Argument(metavar="PHOTOS", help="A folder or table of labelled photos, as for train.")
    ],
    search: Annotated[
        Path,
        typer.Argument(
            metavar="SEARCH", help="A TOML file: a recipe, which of its fields to vary, and how often."
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Folder to write.")],
    workers: Annotated[
        int,
        typer.Option(
            metavar="N", min=0, help="Trials at the same time. Default: as many as cores and memory allow."
        ),
    ] = 0,
    cpus: Annotated[int, typer.Option(metavar="N", min=1, help="CPUs of each trial.")] = 1,
    address: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS", help="A Ray cluster. Default: RAY_ADDRESS, or else Ray in this process."
        ),
    ] = "",
    group_by: Annotated[
        str | None,
        typer.Option(metavar="RULE", help="Which photos show the same thing, as for train.  [default: auto]"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Search for a better recipe by many trainings.

    Writes best.toml, a recipe for train, and tables of all trials. Press Ctrl-C to stop; the same command
    continues.

    \b
    Examples:
      shutterless tune photos search.toml -o tuned
      shutterless train photos -o run --recipe tuned/best.toml
    """
    from shutterless.tuning.tuner import tune as run_tune

    with progress_bar() as progress:
        result = run_tune(
            photos,
            search,
            output,
            workers=workers,
            cpus=cpus,
            address=address,
            group_by=group_by,
            progress=progress,
            on_note=say,
            on_trial=_say_trial,
        )
    if as_json:
        print_json(result.to_json())
    else:
        _show_result(result)


def _say_trial(trial: "TrialResult") -> None:
    loss = "" if trial.loss is None else f", log loss {trial.loss:.3f}"
    error = f": {trial.error}: {trial.message}" if trial.error else ""
    say(f"Trial {trial.number} {trial.state}{loss}{error}")


def _show_result(result: "TuneResult") -> None:
    fields = list(dict.fromkeys(name for trial in result.trials for name in trial.values))
    rows = make_table("state", "trial", "log loss", "±", "accuracy", *fields)
    for trial in result.trials:
        rows.add_row(
            trial.error or trial.state,
            str(trial.number),
            "" if trial.loss is None else f"{trial.loss:.3f}",
            "" if trial.loss_deviation is None else f"{trial.loss_deviation:.3f}",
            "" if trial.accuracy is None else f"{trial.accuracy:.1%}",
            *(str(trial.values.get(field, "")) for field in fields),
        )
    show(rows)
    say(f"All figures: {result.output / 'trials.csv'}")
    print_result(f"Best: trial {result.best.number}, {result.recipe}")
    say(f"Next: shutterless train PHOTOS -o run --recipe {result.recipe}")
