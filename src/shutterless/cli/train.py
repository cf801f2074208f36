"""`shutterless train`: from photos to a run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shutterless.cli.console import progress_bar, quiet_start, say, warn

if TYPE_CHECKING:
    from shutterless.training.fit import Epoch


def train(
    photos: Annotated[
        Path, typer.Argument(help="<label>/*.jpg, or train/ validation/ test/ with labels below.")
    ],
    run: Annotated[Path, typer.Option("-o", "--output", help="The run folder to write.")],
    recipe: Annotated[str, typer.Option(help="quick, standard, or a TOML file.")] = "quick",
    backbone: Annotated[
        str, typer.Option(help="mobilenetv2, mobilenet, inceptionv3 or tiny.")
    ] = "mobilenetv2",
    weights: Annotated[
        str | None,
        typer.Option(help="imagenet, none, or a Keras weights file.  [default: imagenet if there are any]"),
    ] = None,
    cut: Annotated[
        str | None,
        typer.Option(help="Layer to cut the backbone at; a wrong name lists them.  [default: its end]"),
    ] = None,
    image_size: Annotated[
        int | None, typer.Option(help="Side in pixels.  [default: the backbone's own]")
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Epochs of the recipe's last phase.")] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Batch size of the recipe's last phase.")
    ] = None,
    seed: Annotated[int, typer.Option(help="For the split, the order and the first weights.")] = 42,
) -> None:
    """Train a classifier by transfer learning.

    Ctrl-C stops it; the run folder then holds the best network so far.

    Example: shutterless train photos -o run --recipe standard
    """
    with quiet_start():
        from shutterless import training

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
                progress=progress,
                on_warning=warn,
                on_epoch=_say_epoch,
            )
        except KeyboardInterrupt:
            if (run / training.MODEL).is_file():
                say(f"The best network so far is in {run} and can be evaluated and converted.")
            raise
    validation = trained.metrics["validation"]
    say(
        f"Validation accuracy {validation['accuracy']:.2%} on {validation['photos']} photos, "
        f"loss {validation['loss']:.3f}"
    )
    say(f"Next: shutterless convert {run} -o bundle")


def _say_epoch(epoch: "Epoch") -> None:
    say(
        f"{epoch.phase} {epoch.epoch:>3}  loss {epoch.loss:.3f}  accuracy {epoch.accuracy:.3f}  "
        f"validation loss {epoch.val_loss:.3f}  accuracy {epoch.val_accuracy:.3f}  "
        f"{epoch.seconds:.0f} s{'  best' if epoch.best else ''}"
    )
