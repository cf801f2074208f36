"""`shutterless train`: train a classifier."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shutterless.cli.console import make_table, print_result, progress_bar, say, show, show_note, warn
from shutterless.utils.messages import plural

if TYPE_CHECKING:
    from shutterless.cli.console import Table
    from shutterless.dataset import Dataset
    from shutterless.training import CrossValidation, Epoch, Fold, Run
    from shutterless.training.config import TrainingConfig

MAX_ROWS = 12  # labels up to which all are listed; otherwise only the smallest and the largest


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
        str | None,
        typer.Option(
            metavar="NAME", help="quick, standard, best, tutorial, or a TOML file.  [default: quick]"
        ),
    ] = None,
    show_recipe: Annotated[
        bool, typer.Option("--show", help="Print the recipe and do nothing else.")
    ] = False,
    backbone: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Name of a network; list shows them all. Or MODULE:VARIABLE, for one of your own.  "
            "[default: the recipe's, mobilenetv2]",
        ),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="imagenet, none, or a Keras weights file.  [default: imagenet if there are any]",
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
        int | None,
        typer.Option(
            metavar="N", help="Seed of the split, the order and the initial weights.  [default: 42]"
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
            "its split, and takes a quarter of the epochs.",
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
      shutterless train more-photos -o run2 --from run
      shutterless train photos -o folds --folds 5
      shutterless train --backbone list
    """
    from shutterless import training

    if show_recipe:
        training.load_recipe(recipe or "quick")
        print_result(training.recipe_text(recipe or "quick").removesuffix("\n"))
        return
    if backbone == "list":
        _list_backbones()
        return
    if photos is None or run is None:
        raise typer.BadParameter("PHOTOS and -o RUN are needed to train.")
    if folds and from_run:
        raise typer.BadParameter("--folds and --from exclude each other: the run has seen the photos.")
    with _resume_hint(run), progress_bar() as progress:
        if folds:
            summary = training.cross_validate(
                photos,
                run,
                folds=folds,
                recipe=recipe,
                backbone=backbone,
                weights=weights,
                cut=cut,
                image_size=image_size,
                epochs=epochs,
                batch_size=batch_size,
                seed=seed,
                group_by=group_by,
                resume=resume,
                tensorboard=tensorboard,
                report=not no_report,
                progress=progress,
                on_epoch=_say_epoch,
                on_fold=_show_fold,
                on_warning=warn,
            )
        else:
            trained_run = training.train(
                photos,
                run,
                recipe=recipe,
                backbone=backbone,
                weights=weights,
                cut=cut,
                image_size=image_size,
                epochs=epochs,
                batch_size=batch_size,
                seed=seed,
                group_by=group_by,
                from_run=from_run,
                resume=resume,
                tensorboard=tensorboard,
                report=not no_report,
                progress=progress,
                on_start=say_config,
                on_epoch=_say_epoch,
                on_warning=warn,
            )
    if folds:
        _show_folds(summary)
        say(f"All figures: {run / training.FOLDS}")
    else:
        _show_metrics(trained_run)
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


def _show_fold(number: int, fold: "Fold") -> None:
    from shutterless.evaluation.intervals import percentage_of

    print_result(f"fold {number}: accuracy {percentage_of(fold.right, fold.photos)}")


def _show_folds(summary: "CrossValidation") -> None:
    from shutterless.evaluation.intervals import percentage_with_interval

    spread = 100 * summary.standard_deviation
    print_result(f"mean of the folds {100 * summary.mean:.1f} %, standard deviation {spread:.1f} points")
    accuracy = percentage_with_interval(summary.right, summary.photos, summary.effective_photos)
    print_result(f"accuracy over all photos {accuracy}")


def _list_backbones() -> None:
    from shutterless.training.backbones.builder import is_cached
    from shutterless.training.backbones.catalogue import BACKBONES

    listing = make_table("backbone", "px", "parameters (M)", "MB", "top-1 (%)", "local")
    for backbone in BACKBONES.values():
        parameters = backbone.parameters or 0  # only those that users register don't tell
        listing.add_row(
            backbone.name,
            str(backbone.image_size),
            f"{parameters / 1e6:.1f}",
            f"{4 * parameters / 1e6:.1f}" if backbone.pretrained else "none",
            f"{backbone.top1:.1f}" if backbone.top1 else "",
            "yes" if is_cached(backbone) else "no" if backbone.pretrained else "",
        )
    show(listing)
    say("px: side of the input. Parameters and MB: without the top, in float32.")
    say("top-1: accuracy on ImageNet, as published. local: the weights are on this machine.")


def say_config(config: "TrainingConfig", dataset: "Dataset") -> None:
    """Print recipe, backbone, image size, seed, labels and photos by split."""
    from shutterless.dataset.types import summarize_groups

    recipe = config.recipe
    cut = f", cut at {recipe.backbone.cut}" if recipe.backbone.cut else ""
    source = "from random weights" if config.weights == "none" else f"from the weights {config.weights}"
    source = f"from the run {config.from_run}" if config.from_run else source
    size, seed = config.image_size, config.seed
    say(f"Recipe {recipe.name}: {config.backbone.name}{cut}, {size} px, {source}, seed {seed}")
    counts = dataset.counts()
    if len(counts) <= MAX_ROWS:
        show_note(_counts_by_split(counts))
    else:
        _say_extremes(counts)
    for line in summarize_groups(dataset.groups):
        say(line)


def _counts_by_split(counts: dict[str, dict[str, int]]) -> "Table":
    from shutterless.dataset.types import totals

    splits = totals(counts)
    listing = make_table("label", *splits)
    for label, row in counts.items():
        listing.add_row(label, *(f"{row[split]:,}" for split in splits))
    listing.add_section()
    listing.add_row(plural(len(counts), "label"), *(f"{count:,}" for count in splits.values()))
    return listing


def _say_extremes(counts: dict[str, dict[str, int]]) -> None:
    """Print the totals, and the labels with the fewest and the most training photos."""
    from shutterless.dataset.types import totals

    photos = ", ".join(f"{count:,} for {split}" for split, count in totals(counts).items())
    say(f"{len(counts):,} labels; photos: {photos}")
    by_size = sorted(counts, key=lambda label: counts[label]["train"])
    sizes = [f"{label} ({counts[label]['train']:,})" for label in by_size]
    say(f"Fewest training photos: {', '.join(sizes[:3])}; most: {', '.join(sizes[:-4:-1])}")


def _show_metrics(run: "Run") -> None:
    """Print the accuracy and the log loss on the validation and the test photos."""
    from shutterless.evaluation.intervals import percentage_with_interval, rounded

    for split, metrics in (("validation", run.metrics["validation"]), ("test", run.metrics.get("test"))):
        if metrics:
            accuracy = percentage_with_interval(
                metrics["right"], metrics["photos"], metrics.get("effective_photos")
            )
            loss = rounded(metrics["loss"], metrics["loss_error"])
            print_result(f"{split.capitalize()} accuracy {accuracy}, log loss {loss}")
            _show_old_and_new_labels(run, split)


def _show_old_and_new_labels(run: "Run", split: str) -> None:
    """Print the accuracy on the labels of the run that this one continues, and on those that were added."""
    from shutterless.evaluation.intervals import percentage_of

    comparison = run.metrics.get("from_run")
    if comparison is None:
        return
    for kind, labels, accuracies in (
        ("old label", comparison["old_labels"], comparison["old"]),
        ("new label", comparison["new_labels"], comparison["new"]),
    ):
        if metrics := accuracies.get(split):
            accuracy = percentage_of(metrics["right"], metrics["photos"])
            before = metrics.get("right_before")
            earlier = f", before {percentage_of(before, metrics['photos'])}" if before is not None else ""
            print_result(f"  {plural(len(labels), kind)}: accuracy {accuracy}{earlier}")


def _say_epoch(epoch: "Epoch") -> None:
    say(
        f"{epoch.phase} {epoch.epoch:>3}  log loss {epoch.log_loss:.3f}  accuracy {epoch.accuracy:.3f}  "
        f"validation log loss {epoch.val_log_loss:.3f}  accuracy {epoch.val_accuracy:.3f}  "
        f"{epoch.seconds:.0f} s{'  best' if epoch.best else ''}"
    )
