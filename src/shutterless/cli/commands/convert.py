"""`shutterless convert`: convert a run to a bundle."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shutterless.cli.console import make_table, print_json, progress_bar, say, show, warn
from shutterless.cli.options import AsJson, share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shutterless.conversion import Candidate, Comparison
    from shutterless.evaluation import Calibration
    from shutterless.novelty import NoveltyMeasurement

# Verdict → cell of the table.
RESULTS = {
    "taken": "taken",
    "conversion-failed": "not converted",
    "not-finite": "not finite",
    "accuracy-drop": "inaccurate",
    "calibration-error": "uncalibrated",
    "slower": "slower",
    "larger": "larger",
    "less-exact": "less exact",
}


def convert(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    bundle: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Bundle to write.")],
    precision: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Precision: float32, float16, dynamic, int8, int8-mixed, or auto for the quickest that "
            "stays accurate.",
        ),
    ] = "auto",
    max_drop: Annotated[
        float,
        typer.Option(
            parser=share,
            metavar="PERCENT",
            show_default=False,
            help="How much validation accuracy may be lost.  [default: 1%]",
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
        Path | None, typer.Option(metavar="DIR", help="Folder of the run's photos, if they have moved.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Name of the bundle.  [default: its folder's]")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Convert a run to a bundle and check it on the validation photos.

    A bundle (model.tflite and bundle.json) is all that serving needs. The model is converted to float32,
    float16, int8 and int8-mixed (int8 with the first and last layer in float32). The quickest whose accuracy
    drops by no more than --max-drop is written; if none of them qualifies, nothing is.

    The bundle also learns what the training photos look like, so that pictures that fit no label are noticed.
    The table says how well: "of photos of a label it has never seen, 41 % are noticed at 2 % false alarms".
    Below 100 validation photos, nothing is promised about the false alarms.

    \b
    Examples:
      shutterless convert run -o bundle
      shutterless convert run -o bundle --precision int8 --max-drop 2%
      shutterless convert run -o bundle --accept-precision 99%
    """
    from shutterless import conversion

    with progress_bar() as progress:
        try:
            conversion_result = conversion.convert(
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
                _show(refused.candidates)
            raise
    if as_json:
        print_json(
            {
                "bundle": conversion_result.bundle.to_json(),
                "comparison": conversion_result.comparison.to_json(),
                "calibration": conversion_result.calibration.to_json(),
                "novelty": conversion_result.bundle.familiar["measured"],
                "candidates": [candidate.to_json() for candidate in conversion_result.candidates],
            }
        )
        return
    _show(conversion_result.candidates)
    _show_calibration(conversion_result.calibration, accept_precision)
    _show_novelty(conversion_result.novelty, conversion_result.familiarity.false_alarm_rate)
    if len(conversion_result.candidates) > 1:
        _warn_of_few_photos(conversion_result.calibration.photos)
    say(f"Next: shutterless serve {bundle}")


def _show(candidates: "Sequence[Candidate]") -> None:
    comparisons = [candidate.comparison for candidate in candidates if candidate.comparison]
    if len(candidates) == 1:
        _show_comparison(comparisons[0])
        return
    table = make_table("precision", "result", "right", "as Keras", "calibration", "ms", "MB", text=2)
    table.add_row(
        "Keras", f"{comparisons[0].keras.photos:,} photos", f"{comparisons[0].keras.right:,}", *[""] * 4
    )
    for candidate in candidates:
        table.add_row(candidate.precision, RESULTS[candidate.verdict], *_figures(candidate))
    show(table)


def _figures(candidate: "Candidate") -> tuple[str, ...]:
    from shutterless.evaluation.intervals import rounded, standard_error
    from shutterless.evaluation.metrics import MIN_CALIBRATION_PHOTOS

    comparison, calibration = candidate.comparison, candidate.calibration
    if comparison is None or calibration is None:
        return ("",) * 5
    photos, right = comparison.converted.photos, comparison.converted.right
    error = rounded(calibration.error_after, standard_error(right, photos))
    return (
        f"{right:,}",
        f"{round(comparison.agreement * photos):,}",
        error if photos >= MIN_CALIBRATION_PHOTOS else "",
        f"{comparison.milliseconds:.{1 if comparison.milliseconds >= 1 else 2}f}",
        f"{comparison.bytes / 1e6:.2f}",
    )


def _show_comparison(comparison: "Comparison") -> None:
    from shutterless.evaluation.intervals import percentage_of, rounded

    both = (comparison.keras, comparison.converted)
    figures = make_table("", "Keras", comparison.precision)
    figures.add_row("accuracy", *(percentage_of(metrics.right, metrics.photos) for metrics in both))
    figures.add_row("log loss", *(rounded(metrics.loss, metrics.loss_error) for metrics in both))
    photos = comparison.keras.photos
    figures.add_row("same top label", "", percentage_of(round(comparison.agreement * photos), photos))
    figures.add_row("largest score difference", "", f"{comparison.largest_difference:.5f}")
    figures.add_row("megabytes", "", f"{comparison.bytes / 1e6:.2f}")
    figures.add_row("milliseconds per photo, one core", "", f"{comparison.milliseconds:.1f}")
    show(figures)


def _show_calibration(calibration: "Calibration", target: float) -> None:
    from shutterless.evaluation.intervals import percentage_of
    from shutterless.evaluation.metrics import MIN_CALIBRATION_PHOTOS

    acceptance, photos = calibration.acceptance, calibration.photos
    figures = make_table("confidence", "")
    if photos < MIN_CALIBRATION_PHOTOS:
        figures.add_row("calibration error", f"too few photos ({photos}; {MIN_CALIBRATION_PHOTOS} needed)")
    else:
        change = f"{calibration.error_before:.2f} → {calibration.error_after:.2f}"
        figures.add_row("calibration error, before → after", change)
        figures.add_row("expected for a perfectly calibrated model", f"{calibration.error_of_chance:.2f}")
    figures.add_row("temperature", f"{calibration.temperature:.2f}")
    figures.add_row("acceptance threshold", f"{acceptance.threshold:.3f}")
    figures.add_row("accepted answers", percentage_of(acceptance.photos, photos))
    accuracy = percentage_of(acceptance.right, acceptance.photos) if acceptance.photos else "none"
    figures.add_row(f"accuracy of accepted answers (target {100 * target:g} %)", accuracy)
    show(figures)
    if photos < MIN_CALIBRATION_PHOTOS:
        warn(
            f"{photos:,} validation photos are too few to calibrate: confidences and the threshold are rough "
            f"estimates, and photos of other kinds may be accepted; {MIN_CALIBRATION_PHOTOS} are needed"
        )


def _show_novelty(measurement: "NoveltyMeasurement", rate: float) -> None:
    from shutterless.novelty import MIN_PHOTOS

    figures = make_table("pictures that fit no label", "")
    false_alarms = f"too few photos ({measurement.photos}; {MIN_PHOTOS} needed)"
    if measurement.false_alarms is not None:
        false_alarms = f"{100 * measurement.false_alarms:.1f} %"
    figures.add_row("false alarms on other photos of its labels", false_alarms)
    at_rate = f"at {100 * rate:g} % false alarms"
    if measurement.noticed is not None:
        share_noticed = f"{100 * measurement.noticed:.0f} % {at_rate}"
        figures.add_row("noticed, of photos of a label it has never seen", share_noticed)
        by_share = sorted(measurement.by_label, key=lambda label: -measurement.by_label[label].noticed)
        for label in (by_share[0], by_share[-1]):
            share = measurement.by_label[label].noticed
            figures.add_row(f"  of {label}, if it has never seen that", f"{100 * share:.0f} %")
    if measurement.other:
        figures.add_row(
            "noticed, of the photos in _other", f"{100 * measurement.other.noticed:.0f} % {at_rate}"
        )
    show(figures)


def _warn_of_few_photos(photos: int) -> None:
    from shutterless.evaluation.metrics import MIN_CALIBRATION_PHOTOS

    if photos < MIN_CALIBRATION_PHOTOS:
        warn(
            f"{photos:,} validation photos are too few to choose a precision by, because each counts for "
            f"{100 / photos:.1f} points of accuracy: --precision float32 loses none"
        )
