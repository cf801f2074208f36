"""`shutterless convert`: from a run to a bundle."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shutterless.cli.console import print_json, progress_bar, say, show, table, warn
from shutterless.cli.options import share

if TYPE_CHECKING:
    from shutterless.conversion import Comparison
    from shutterless.evaluation import Calibration


def convert(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run, as train writes it.")],
    bundle: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="The bundle to write.")],
    precision: Annotated[
        str, typer.Option(metavar="NAME", help="Of the weights: float32, float16, dynamic or int8.")
    ] = "float16",
    max_drop: Annotated[
        float,
        typer.Option(
            parser=share,
            metavar="PERCENT",
            show_default=False,
            help="Accuracy that may be lost on validation.  [default: 1%]",
        ),
    ] = 0.01,
    accept_precision: Annotated[
        float,
        typer.Option(
            parser=share,
            metavar="PERCENT",
            show_default=False,
            help="Accuracy that accepted answers must reach.  [default: 95%]",
        ),
    ] = 0.95,
    photos: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where the run's photos are, if they have moved.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="The bundle's name.  [default: its folder's]")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Convert a run to a bundle and check it on the validation photos.

    The network is measured on the validation photos again. A bundle, model.tflite and bundle.json, is
    all that serving needs; it is written if the network loses no more than --max-drop.

    \b
    Examples:
      shutterless convert run -o bundle
      shutterless convert run -o bundle --precision int8 --max-drop 2%
      shutterless convert run -o bundle --accept-precision 99%
    """
    from shutterless import conversion

    with progress_bar() as progress:
        try:
            done = conversion.convert(
                run,
                bundle,
                precision=precision,
                max_drop=max_drop,
                accept_precision=accept_precision,
                photos=photos,
                name=name,
                progress=progress,
            )
        except conversion.ConversionRefusedError as refused:
            if not as_json:
                _show(refused.comparison)
            raise
    if as_json:
        parts = ("bundle", "comparison", "calibration")
        print_json({part: getattr(done, part).to_json() for part in parts})
        return
    _show(done.comparison)
    _show_confidence(done.calibration, accept_precision)
    _warn_of_few_photos(done.calibration.photos)
    say(f"Next: shutterless serve {bundle}")


def _warn_of_few_photos(photos: int) -> None:
    from shutterless.evaluation.metrics import MIN_CALIBRATION_PHOTOS

    if photos < MIN_CALIBRATION_PHOTOS:
        warn(
            f"{photos:,} validation photos are too few to calibrate: confidences and the threshold are rough "
            f"estimates, and photos of other kinds may be accepted; {MIN_CALIBRATION_PHOTOS} are needed"
        )


def _show(comparison: "Comparison") -> None:
    from shutterless.evaluation.intervals import percentage_of, rounded

    keras, converted = comparison.keras, comparison.converted
    figures = table("", "Keras", comparison.precision)
    figures.add_row("accuracy", *(percentage_of(one.right, one.photos) for one in (keras, converted)))
    figures.add_row("log loss", *(rounded(one.loss, one.loss_error) for one in (keras, converted)))
    agreeing = round(comparison.agreement * keras.photos)
    figures.add_row("same best label", "", percentage_of(agreeing, keras.photos))
    figures.add_row("largest score difference", "", f"{comparison.largest_difference:.5f}")
    figures.add_row("megabytes", "", f"{comparison.bytes / 1e6:.2f}")
    figures.add_row("milliseconds a photo, one core", "", f"{comparison.milliseconds:.1f}")
    show(figures)


def _show_confidence(calibration: "Calibration", wanted: float) -> None:
    from shutterless.evaluation.intervals import percentage_of
    from shutterless.evaluation.metrics import MIN_CALIBRATION_PHOTOS

    accepted, photos = calibration.acceptance, calibration.photos
    figures = table("confidence", "")
    if photos < MIN_CALIBRATION_PHOTOS:
        figures.add_row("calibration error", f"too few photos ({photos}; {MIN_CALIBRATION_PHOTOS} needed)")
    else:
        change = f"{calibration.error_before:.2f} → {calibration.error_after:.2f}"
        figures.add_row("calibration error, before → after", change)
        figures.add_row("expected for a perfectly calibrated model", f"{calibration.error_of_chance:.2f}")
    figures.add_row("temperature", f"{calibration.temperature:.2f}")
    figures.add_row("accepted from a confidence of", f"{accepted.threshold:.3f}")
    figures.add_row("share accepted", percentage_of(accepted.photos, photos))
    precision = percentage_of(accepted.right, accepted.photos) if accepted.photos else "none"
    figures.add_row(f"accuracy of accepted answers (target {wanted:.0%})", precision)
    show(figures)
