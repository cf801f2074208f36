"""`shutterless evaluate`: measure a run or a bundle on labelled photos."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from shutterless.cli.console import (
    Table,
    output,
    print_json,
    progress_bar,
    result,
    say,
    show,
    table,
    warn,
)

if TYPE_CHECKING:
    from shutterless.evaluation import Metrics, Predictions, Predictor
    from shutterless.training import Run

MOST_CONFUSIONS = 10


def evaluate(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A run or a bundle.")],
    photos: Annotated[
        Path | None,
        typer.Argument(metavar="[PHOTOS]", help="A folder of labelled photos.  [default: the run's]"),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="train, validation, test, new or all.  [default: test and new, else validation]",
        ),
    ] = None,
    label_map: Annotated[
        str | None,
        typer.Option(metavar="OLD=NEW,...", help="Renamed labels, or a file with OLD=NEW on each line."),
    ] = None,
    skip_unknown_labels: Annotated[
        bool, typer.Option("--skip-unknown-labels", help="Leave out photos of labels unknown to the model.")
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Also write report.html and its figures into this folder."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Measure a run or a bundle on labelled photos that it was not trained on.

    The photos of the training run are recognised by their content, wherever they are. By default its test
    photos are measured, and photos that it did not have.

    \b
    Examples:
      shutterless evaluate run
      shutterless evaluate run new-photos --report report
      shutterless evaluate bundle photos --split validation --json
    """
    from shutterless.evaluation.predict import own_photos, predict_folder
    from shutterless.models import load_model

    names = _read_label_map(label_map) if label_map else None
    if report and photos:
        _check_report(report, photos)  # before the model is loaded, which takes a while
    loaded = load_model(model)
    if report and not photos:
        _check_report(report, own_photos(loaded))
    with progress_bar() as progress:
        predictions = predict_folder(
            loaded,
            photos,
            split=split,
            label_map=names,
            skip_unknown_labels=skip_unknown_labels,
            progress=progress,
            on_warning=warn,
        )
    page = _write_report(report, predictions, model, loaded) if report else None
    for note in predictions.notes():
        say(f"note: {note}")
    if as_json:
        splits = {"splits": predictions.splits, "left_out": dict(predictions.left_out)}
        print_json({**predictions.measure().to_json(), **splits})
    else:
        _show(predictions)
    if page:
        say(f"The report is {page}")


def _read_label_map(text: str) -> dict[str, str]:
    """Return old label → new label from "old=new,old=new", or from a file with one pair on each line."""
    pairs = Path(text).read_text("utf-8").splitlines() if Path(text).is_file() else text.split(",")
    names = {}
    for pair in filter(str.strip, pairs):
        old, equals, new = (part.strip() for part in pair.partition("="))
        if not (old and equals and new):
            raise typer.BadParameter(f"--label-map: {pair!r} is not OLD=NEW")
        names[old] = new
    return names


def _check_report(folder: Path, photos: Path) -> None:
    from shutterless.evaluation.report.report import check_report_folder

    check_report_folder(folder, photos)


def _write_report(folder: Path, predictions: "Predictions", model: Path, loaded: "Predictor") -> Path:
    from shutterless.evaluation.report.report import write_report

    if (model / "bundle.json").is_file():
        return write_report(folder, predictions, model)
    from shutterless.training.augmentation import augmented_example
    from shutterless.training.gradcam import GradCam

    run = cast("Run", loaded)
    augmented = augmented_example(run, predictions.root, predictions.photos[0])
    return write_report(folder, predictions, model, augmented=augmented, heat_map=GradCam(run.model))


def _show(predictions: "Predictions") -> None:
    from shutterless.evaluation.holdout import describe
    from shutterless.evaluation.intervals import percentage, percentage_of, percentage_with_interval, rounded
    from shutterless.evaluation.metrics import calibration_text

    metrics = predictions.measure()
    _show_labels(metrics)
    _show_confusions(metrics)
    result(
        f"accuracy {percentage_with_interval(metrics.right, metrics.photos, metrics.effective_photos)} "
        f"on {describe(predictions.splits)}, log loss {rounded(metrics.loss, metrics.loss_error)}, "
        "calibration error " + calibration_text(metrics.calibration_error, metrics.right, metrics.photos)
    )
    accepted = metrics.acceptance
    if accepted is not None:
        right = f", {percentage(accepted.right, accepted.photos)} of them right" if accepted.photos else ""
        share = percentage_of(accepted.photos, metrics.photos)
        result(f"accepted {share} from a confidence of {accepted.threshold:.3f}{right}")


def _show_labels(metrics: "Metrics") -> None:
    from shutterless.evaluation.intervals import percentage, rounded, standard_error

    per_label = table("label", "precision", "recall", "F1", "photos")
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


def _show_confusions(metrics: "Metrics") -> None:
    """Print the most frequent confusions, and the confusion matrix if it fits the width of the output."""
    from shutterless.evaluation.intervals import percentage

    totals = {label: figures.photos for label, figures in metrics.per_label.items()}
    confusions = metrics.confusions()
    largest = table("true label", "predicted", "photos", "of the label", text=2)
    for one in confusions[:MOST_CONFUSIONS]:
        share = percentage(one.photos, totals[one.label])
        largest.add_row(one.label, one.predicted, f"{one.photos:,}", share)
    if confusions:
        show(largest)
    if len(confusions) > MOST_CONFUSIONS:
        result(f"{len(confusions) - MOST_CONFUSIONS:,} more kinds of confusion are in --json")
    matrix = _matrix(metrics)
    if _width(matrix) <= output.width:
        show(matrix)


def _matrix(metrics: "Metrics") -> Table:
    # Numbers, not names, head the columns: ten names do not fit a terminal.
    matrix = table("true \\ predicted", *(str(place) for place, _ in enumerate(metrics.labels, start=1)))
    for place, (label, row) in enumerate(zip(metrics.labels, metrics.confusion, strict=True), start=1):
        matrix.add_row(f"{place} {label}", *(str(count) if count else "·" for count in row))
    return matrix


def _width(content: Table) -> int:
    """Return how many characters wide a table is with its frame."""
    columns = zip(content.columns, *content.rows, strict=True)
    return 1 + sum(3 + max(map(len, column)) for column in columns)
