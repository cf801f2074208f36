"""`shutterless evaluate`: measure a model on labelled photos."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shutterless.cli.console import (
    make_table,
    output,
    print_json,
    print_result,
    progress_bar,
    say,
    say_error,
    show,
    warn,
)
from shutterless.cli.options import AsJson, LabelMap, Split, parse_label_map, share

if TYPE_CHECKING:
    from shutterless.evaluation import Metrics
    from shutterless.evaluation.metrics import ForeignMetrics

MAX_CONFUSIONS = 10


def evaluate(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A run or a bundle.")],
    photos: Annotated[
        Path | None,
        typer.Argument(metavar="PHOTOS", help="A folder or table of labelled photos.  [default: the run's]"),
    ] = None,
    split: Split = None,
    label_map: LabelMap = None,
    skip_unknown_labels: Annotated[
        bool, typer.Option("--skip-unknown-labels", help="Leave out photos of labels unknown to the model.")
    ] = False,
    min_accuracy: Annotated[
        float | None,
        typer.Option(
            parser=share,
            metavar="PERCENT",
            help="Exit with code 1 if the accuracy is lower, as a gate in CI.",
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Also write report.html and its figures into this folder."),
    ] = None,
    robustness: Annotated[
        bool,
        typer.Option(
            "--robustness/--no-robustness",
            help="Also measure blurred, noisy, dark, compressed, rotated and cropped copies.",
        ),
    ] = True,
    foreign: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Also measure how many of these pictures, which fit no label, are noticed."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure a run or a bundle on labelled photos that it was not trained on.

    Photos of the training run are recognised wherever they are, byte for byte: a copy that was saved again
    counts as new. By default the run's test photos and all new photos are measured.

    \b
    Examples:
      shutterless evaluate run
      shutterless evaluate run new-photos --report report
      shutterless evaluate bundle photos --split validation --json
      shutterless evaluate bundle photos --min-accuracy 90%
      shutterless evaluate bundle photos --foreign pictures-of-other-things
    """
    from shutterless.models import evaluate as evaluate_model

    with progress_bar() as progress:
        metrics = evaluate_model(
            model,
            photos,
            split=split,
            label_map=parse_label_map(label_map) if label_map else None,
            skip_unknown_labels=skip_unknown_labels,
            report=report,
            robustness=robustness,
            foreign=foreign,
            progress=progress,
            on_warning=warn,
        )
    for note in metrics.notes():
        say(f"note: {note}")
    if as_json:
        print_json(metrics.to_json())
    else:
        _show(metrics)
    if report:
        say(f"Report: {report / 'report.html'}")
    if min_accuracy is not None and metrics.right < min_accuracy * metrics.photos:
        say_error(
            f"The accuracy is below {min_accuracy:.1%}: {metrics.right:,} of {metrics.photos:,} photos", ""
        )
        raise typer.Exit(1)


def _show(metrics: "Metrics") -> None:
    from shutterless.evaluation.holdout import describe
    from shutterless.evaluation.intervals import percentage, percentage_of, percentage_with_interval, rounded
    from shutterless.evaluation.metrics import calibration_text

    _show_labels(metrics)
    _show_confusions(metrics)
    if metrics.robustness:
        _show_robustness(metrics)
    if metrics.foreign:
        _show_foreign(metrics.foreign)
    print_result(
        f"accuracy {percentage_with_interval(metrics.right, metrics.photos, metrics.effective_photos)} "
        f"on {describe(metrics.splits)}, log loss {rounded(metrics.loss, metrics.loss_error)}, "
        "calibration error " + calibration_text(metrics.calibration_error, metrics.right, metrics.photos)
    )
    if acceptance := metrics.acceptance:
        share = percentage_of(acceptance.photos, metrics.photos)
        accuracy = percentage(acceptance.right, acceptance.photos)
        of_them = f", {accuracy} of them correct" if acceptance.photos else ""
        print_result(f"accepted {share} at a threshold of {acceptance.threshold:.3f}{of_them}")


def _show_labels(metrics: "Metrics") -> None:
    from shutterless.evaluation.intervals import percentage, rounded, standard_error

    per_label = make_table("label", "precision", "recall", "F1", "photos")
    for label, figures in metrics.per_label.items():
        error = standard_error(figures.right, figures.photos) if figures.photos else 0
        per_label.add_row(
            label,
            percentage(figures.right, figures.predicted),
            percentage(figures.right, figures.photos),
            f"{rounded(100 * figures.f1, 100 * error)} %" if figures.photos else "–",
            f"{figures.photos:,}",
        )
    show(per_label)


def _show_robustness(metrics: "Metrics") -> None:
    from shutterless.evaluation.intervals import percentage
    from shutterless.evaluation.robustness import CONDITIONS, UNCHANGED

    photos = metrics.robustness[UNCHANGED].photos
    table = make_table(f"{photos:,} photos", "what is done", "accuracy", "95 % interval", text=2)
    for name, figures in metrics.robustness.items():
        low, high = (100 * end for end in figures.accuracy_interval)
        description = CONDITIONS[name].description if name in CONDITIONS else ""
        interval = f"{low:.0f} to {high:.0f} %"
        table.add_row(name, description, percentage(figures.right, figures.photos), interval)
    show(table)


def _show_foreign(foreign: "ForeignMetrics") -> None:
    """Print the foreign pictures that look most familiar, and how many are noticed."""
    from shutterless.evaluation.intervals import percentage_with_interval

    table = make_table("most familiar foreign pictures", "predicted", "confidence", "novelty", text=2)
    for each in foreign.most_familiar:
        table.add_row(each.path, each.label, f"{each.confidence:.3f}", f"{each.novelty:.3f}")
    show(table)
    share = percentage_with_interval(foreign.noticed, foreign.photos, foreign.photos)
    print_result(f"noticed {share} foreign pictures, AUROC {foreign.auroc:.3f}")


def _show_confusions(metrics: "Metrics") -> None:
    """Print the most frequent confusions, and the confusion matrix if the terminal is wide enough."""
    from shutterless.evaluation.intervals import percentage

    totals = {label: figures.photos for label, figures in metrics.per_label.items()}
    confusions = metrics.confusions()
    most_frequent = make_table("true label", "predicted", "photos", "of the label", text=2)
    for each in confusions[:MAX_CONFUSIONS]:
        share = percentage(each.photos, totals[each.label])
        most_frequent.add_row(each.label, each.predicted, f"{each.photos:,}", share)
    if confusions:
        show(most_frequent)
    if len(confusions) > MAX_CONFUSIONS:
        print_result(f"--json lists {len(confusions) - MAX_CONFUSIONS:,} more confusions")
    # The columns are numbered: ten names would not fit into a terminal.
    matrix = make_table("true \\ predicted", *map(str, range(1, len(metrics.labels) + 1)))
    for number, (label, row) in enumerate(zip(metrics.labels, metrics.confusion, strict=True), start=1):
        matrix.add_row(f"{number} {label}", *(str(count) if count else "·" for count in row))
    if matrix.width <= output.width:
        show(matrix)
