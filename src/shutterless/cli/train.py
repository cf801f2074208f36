"""`shutterless train`: from photos to a run."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shutterless.cli.console import progress_bar, quiet_start, result, say, show, table, warn

if TYPE_CHECKING:
    from shutterless.training import Epoch


def train(
    photos: Annotated[
        Path | None,
        typer.Argument(
            metavar="PHOTOS", help="<label>/*.jpg, or train/ validation/ test/ with labels below."
        ),
    ] = None,
    run: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="DIR", help="The run folder to write.")
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
            metavar="NAME", help="Its name, or list to see them all.  [default: the recipe's, mobilenetv2]"
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
            help="Where the backbone ends; a wrong name lists all.  [default: its last layer]",
        ),
    ] = None,
    image_size: Annotated[
        int | None,
        typer.Option(
            metavar="PX", min=1, help="The network's input.  [default: the recipe's or the backbone's]"
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Of the recipe's last phase.  [default: the recipe's]"),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Of the recipe's last phase.  [default: the recipe's]"),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(metavar="N", help="For the split, the order and the first weights.  [default: 42]"),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where a training into this folder ended.")
    ] = False,
    no_report: Annotated[
        bool, typer.Option("--no-report", help="Leave out report.html and its figures.")
    ] = False,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Also write event files for TensorBoard, to RUN/logs.")
    ] = False,
) -> None:
    """Train a classifier by transfer learning.

    Ctrl-C stops it; the run folder then holds the best network so far, and the same command with
    --resume goes on.

    \b
    Examples:
      shutterless train photos -o run
      shutterless train photos -o run --recipe standard --backbone efficientnetb0
      shutterless train photos -o run --recipe standard --resume
      shutterless train --backbone list
    """
    with quiet_start():
        from shutterless import training

    if show_recipe:
        training.load_recipe(recipe or "quick")
        sys.stdout.write(training.recipe_text(recipe or "quick"))
        return
    if backbone == "list":
        _list_backbones()
        return
    if photos is None or run is None:
        raise typer.BadParameter("PHOTOS and -o RUN are needed to train.")
    with progress_bar() as progress:
        try:
            trained = training.train(
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
                resume=resume,
                report=not no_report,
                tensorboard=tensorboard,
                progress=progress,
                on_warning=warn,
                on_epoch=_say_epoch,
            )
        except KeyboardInterrupt:
            if (run / training.MODEL).is_file():
                say(f"The best network so far is in {run} and can be evaluated and converted.")
                say("The same command with --resume goes on.")
            raise
    validation = trained.metrics["validation"]
    result(
        f"Validation accuracy {validation['accuracy']:.2%} on {validation['photos']} photos, "
        f"loss {validation['loss']:.3f}"
    )
    if not no_report:
        say(f"Report: {run / 'report.html'}")
    say(f"Next: shutterless convert {run} -o bundle")


def _list_backbones() -> None:
    from shutterless.training.backbones import BACKBONES, is_cached

    listing = table("backbone", "px", "parameters (M)", "MB", "top-1 (%)", "cached")
    for backbone in BACKBONES.values():
        listing.add_row(
            backbone.name,
            str(backbone.image_size),
            f"{backbone.parameters / 1e6:.1f}",
            f"{backbone.megabytes:.1f}" if backbone.pretrained else "none",
            f"{backbone.top1:.1f}" if backbone.top1 else "",
            "yes" if is_cached(backbone) else "no" if backbone.pretrained else "",
        )
    show(listing)
    say("px: side of the input. Parameters and MB: without the top, float32. cached: no download needed.")
    say("top-1: of ImageNet's labels, as Keras states it: https://keras.io/api/applications/")


def _say_epoch(epoch: "Epoch") -> None:
    say(
        f"{epoch.phase} {epoch.epoch:>3}  loss {epoch.loss:.3f}  accuracy {epoch.accuracy:.3f}  "
        f"validation loss {epoch.val_loss:.3f}  accuracy {epoch.val_accuracy:.3f}  "
        f"{epoch.seconds:.0f} s{'  best' if epoch.best else ''}"
    )
