"""`shutterless convert`: from a run to a bundle."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shutterless.cli.console import print_json, progress_bar, quiet_start, say, show, table

if TYPE_CHECKING:
    from shutterless.conversion import Comparison


def convert(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    bundle: Annotated[Path, typer.Option("-o", "--output", help="The bundle folder to write.")],
    precision: Annotated[str, typer.Option(help="float32, float16, dynamic or int8.")] = "float16",
    max_drop: Annotated[
        float, typer.Option(min=0, max=1, help="Accuracy that may be lost on validation; 0.01 is one point.")
    ] = 0.01,
    photos: Annotated[
        Path | None, typer.Option(help="Where the run's photos are, if they have moved.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="The bundle's name.  [default: its folder's]")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Convert a run's network to .tflite, prove it on the validation photos, and write a bundle.

    Example: shutterless convert run -o bundle --precision int8
    """
    with quiet_start():
        from shutterless import conversion

    with progress_bar() as progress:
        try:
            done = conversion.convert(
                run,
                bundle,
                precision=precision,
                max_drop=max_drop,
                photos=photos,
                name=name,
                progress=progress,
            )
        except conversion.ConversionRefusedError as refused:
            _show(refused.comparison)
            raise
    if as_json:
        print_json({"bundle": done.bundle.to_json(), "comparison": done.comparison.to_json()})
        return
    _show(done.comparison)
    say(f"Next: shutterless serve {bundle}")


def _show(comparison: "Comparison") -> None:
    figures = table("", "Keras", comparison.precision)
    figures.add_row("accuracy", f"{comparison.keras.accuracy:.2%}", f"{comparison.converted.accuracy:.2%}")
    figures.add_row("loss", f"{comparison.keras.loss:.4f}", f"{comparison.converted.loss:.4f}")
    figures.add_row("same best label", "", f"{comparison.agreement:.2%}")
    figures.add_row("largest score difference", "", f"{comparison.largest_difference:.5f}")
    figures.add_row("megabytes", "", f"{comparison.bytes / 1e6:.2f}")
    figures.add_row("milliseconds a photo, one core", "", f"{comparison.milliseconds:.1f}")
    show(figures)
