"""`shutterless train`: train a classifier."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shutterless.cli.commands.runs import show_runs
from shutterless.cli.console import print_result, progress_bar, say, warn
from shutterless.cli.options import refuse_both
from shutterless.cli.training_output import (
    list_backbones,
    say_config,
    say_epoch,
    show_fold,
    show_folds,
    show_metrics,
)

if TYPE_CHECKING:
    from shutterless.training.series.options import OneRun, TrainingOptions


def train(
    photos: Annotated[
        Path | None,
        typer.Argument(
            metavar="PHOTOS",
            help="<label>/*.jpg, or train/ validation/ test/ with labels below; or a table: .csv, .parquet.",
        ),
    ] = None,
    run: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="DIR", help="Run folder to write.")
    ] = None,
    recipe: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="quick, standard, best, tutorial, or a TOML file; several to compare them.  "
            "[default: quick]",
        ),
    ] = None,
    show_recipe: Annotated[
        bool, typer.Option("--show", help="Print the recipe and do nothing else.")
    ] = False,
    backbone: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Name of a network; list shows them all, auto chooses one for a --budget. Or "
            "MODULE:VARIABLE, for one of your own.  [default: the recipe's, mobilenetv2]",
        ),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            metavar="LIMIT",
            help="With --backbone auto: time for a photo on this machine, or size of the model: 8ms, 4MB.",
        ),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="imagenet, none, or a file of weights.  [default: imagenet if there are any]",
        ),
    ] = None,
    cut: Annotated[
        str | None,
        typer.Option(
            metavar="LAYER",
            help="Layer at which the backbone ends; a wrong name lists all.  [default: its last layer]",
        ),
    ] = None,
    image_size: Annotated[
        int | None,
        typer.Option(
            metavar="PX", min=1, help="Side of the model's input.  [default: the recipe's or the backbone's]"
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Epochs of the last phase.  [default: the recipe's]"),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Batch size of the last phase.  [default: the recipe's]"),
    ] = None,
    seed: Annotated[
        list[int] | None,
        typer.Option(
            metavar="N",
            help="Seed of the split, the order and the initial weights. Several train one run each, in DIR, "
            "on the split of the first.  [default: 42]",
        ),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            metavar="M",
            min=0,
            help="How long it may take: reduces the epochs of the last phase.  [default: no limit]",
        ),
    ] = None,
    group_by: Annotated[
        str | None,
        typer.Option(
            metavar="RULE",
            help="Which photos show the same thing and stay in one split: auto, none, folder, a regular "
            "expression with one group, or a .csv file with the columns path and group.  [default: auto]",
        ),
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option(
            metavar="K", min=2, help="Cross-validate: train K runs in DIR, each measured on its own fold."
        ),
    ] = None,
    from_run: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="RUN",
            help="Continue from a finished run when labels or photos were added: keeps what it learned and "
            "its split, and takes a quarter of the epochs of fine-tuning.",
        ),
    ] = None,
    teacher: Annotated[
        list[Path] | None,
        typer.Option(
            "--teacher",
            metavar="RUN",
            help="Also learn from the scores of a better model, a run or an .npz file. Repeatable.",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue an interrupted training in this folder.")
    ] = False,
    no_report: Annotated[
        bool, typer.Option("--no-report", help="Do not write report.html and its figures.")
    ] = False,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Also write event files for TensorBoard, to RUN/logs.")
    ] = False,
) -> None:
    """Train a classifier by transfer learning.

    Press Ctrl-C to stop. The best model so far is kept; add --resume to continue.

    \b
    Examples:
      shutterless train photos -o run
      shutterless train photos -o run --recipe standard --backbone efficientnetb0
      shutterless train photos -o run --recipe standard --resume
      shutterless train photos -o run --backbone auto --budget 8ms
      shutterless train photos -o run --recipe standard --minutes 10
      shutterless train more-photos -o run2 --from run
      shutterless train photos -o folds --folds 5
      shutterless train photos -o runs --seed 1 --seed 2 --recipe standard
      shutterless train --backbone list
    """
    from shutterless import training
    from shutterless.evaluation.runs import group_runs, list_runs
    from shutterless.training.config import SEED

    if show_recipe:
        for name in recipe or ["quick"]:
            training.load_recipe(name)
            print_result(training.recipe_text(name).removesuffix("\n"))
        return
    if backbone == "list":
        list_backbones()
        return
    if photos is None or run is None:
        raise typer.BadParameter("PHOTOS and -o RUN are needed to train.")
    refuse_both(folds, "--folds", minutes, "--minutes")
    if folds and from_run:
        raise typer.BadParameter("--folds and --from exclude each other: the run has seen the photos.")
    recipes, seeds = dict.fromkeys(recipe or ()), dict.fromkeys(seed or ())
    is_series = len(recipes) > 1 or len(seeds) > 1
    refuse_both(is_series, "several recipes or seeds", folds, "--folds")
    refuse_both(is_series, "several recipes or seeds", from_run, "--from")
    refuse_both(is_series, "several recipes or seeds", budget, "--budget")
    refuse_both(is_series, "several recipes or seeds", teacher, "--teacher")
    one: OneRun = {
        "recipe": next(iter(recipes), None),
        "seed": next(iter(seeds), None),
        "budget": budget,
        "teacher": teacher or (),
    }
    with _resume_hint(run), progress_bar() as progress:
        options: TrainingOptions = {
            "backbone": backbone,
            "weights": weights,
            "cut": cut,
            "image_size": image_size,
            "epochs": epochs,
            "batch_size": batch_size,
            "group_by": group_by,
            "resume": resume,
            "tensorboard": tensorboard,
            "report": not no_report,
            "progress": progress,
            "on_epoch": say_epoch,
            "on_warning": warn,
        }
        if folds:
            summary = training.cross_validate(photos, run, folds=folds, on_fold=show_fold, **one, **options)
        elif is_series:
            training.train_series(
                photos,
                run,
                recipes=tuple(recipes) or ("quick",),
                seeds=tuple(seeds) or (SEED,),
                minutes=minutes,
                on_start=say_config,
                **options,
            )
        else:
            trained_run = training.train(
                photos, run, from_run=from_run, minutes=minutes, on_start=say_config, **one, **options
            )
    if folds:
        show_folds(summary)
        say(f"All figures: {run / training.FOLDS}")
    elif is_series:
        runs = list_runs(run)
        show_runs(runs, group_runs(runs))
        say(f"Learning curves: {run / training.CURVES}")
    else:
        show_metrics(trained_run)
        if not no_report:
            say(f"Report: {run / 'report.html'}")
        say(f"Next: shutterless convert {run} -o bundle")


@contextmanager
def _resume_hint(run: Path) -> Iterator[None]:
    """After Ctrl-C, tell what is kept and how to continue."""
    from shutterless.training import MODEL

    try:
        yield
    except KeyboardInterrupt:
        if (run / MODEL).is_file():
            say(f"The best model so far is in {run} and can be evaluated and converted.")
        if run.exists():
            say("Run the same command with --resume to continue.")
        raise
