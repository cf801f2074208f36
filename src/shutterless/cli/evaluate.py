"""`shutterless evaluate`: measure a run or a bundle on labelled photos."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from shutterless.cli.console import print_json, progress_bar, result, say, show, table, warn

if TYPE_CHECKING:
    from shutterless.evaluation import Metrics, Predictions, Predictor
    from shutterless.training import Run


def evaluate(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A run or a bundle.")],
    photos: Annotated[Path, typer.Argument(metavar="PHOTOS", help="A folder of labelled photos.")],
    split: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="train, validation, test or all.  [default: test, or validation where there is no test]",
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Also write report.html and its figures into this folder."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Measure a run or a bundle on labelled photos.

    \b
    Examples:
      shutterless evaluate run photos --report report
      shutterless evaluate bundle photos --split validation --json
    """
    from shutterless.evaluation import predict_folder

    if report:
        from shutterless.evaluation.report import check_report_folder

        check_report_folder(report, photos)
    with progress_bar() as progress:
        loaded = _load(model)
        predictions = predict_folder(loaded, photos, split=split, progress=progress, on_warning=warn)
    page = _write_report(report, predictions, model, loaded) if report else None
    metrics = predictions.measure()
    if as_json:
        print_json(metrics.to_json())
    else:
        _show(metrics)
    if page:
        say(f"The report is {page}")


def _load(path: Path) -> "Predictor":
    if (path / "bundle.json").is_file():
        from shutterless.runtime.bundle import read_bundle
        from shutterless.runtime.classifier import Classifier

        return Classifier(read_bundle(path))
    from shutterless.training import load_run

    return load_run(path)


def _write_report(folder: Path, predictions: "Predictions", model: Path, loaded: "Predictor") -> Path:
    from shutterless.evaluation.report import write_report

    if (model / "bundle.json").is_file():
        return write_report(folder, predictions, model)
    from shutterless.training.examples import augmented_example
    from shutterless.training.gradcam import GradCam

    run = cast("Run", loaded)
    augmented = augmented_example(run, predictions.root, predictions.photos[0])
    return write_report(folder, predictions, model, augmented=augmented, heat_map=GradCam(run.model))


def _show(metrics: "Metrics") -> None:
    per_label = table("label", "precision", "recall", "F1", "photos")
    for label, figures in metrics.per_label.items():
        per_label.add_row(
            label,
            f"{figures.precision:.3f}",
            f"{figures.recall:.3f}",
            f"{figures.f1:.3f}",
            str(figures.photos),
        )
    show(per_label)
    # Numbers, not names, head the columns: ten names do not fit a terminal.
    confusion = table("true \\ guessed", *(str(place) for place, _ in enumerate(metrics.labels, start=1)))
    for place, (label, row) in enumerate(zip(metrics.labels, metrics.confusion, strict=True), start=1):
        confusion.add_row(f"{place} {label}", *(str(count) if count else "·" for count in row))
    show(confusion)
    low, high = metrics.accuracy_interval
    result(
        f"accuracy {metrics.accuracy:.2%} on {metrics.photos} photos (95% interval {low:.2%} to {high:.2%}), "
        f"loss {metrics.loss:.3f}, calibration error {metrics.calibration_error:.3f}"
    )
    accepted = metrics.acceptance
    if accepted is not None:
        right = "" if accepted.precision is None else f", {accepted.precision:.2%} of them right"
        result(f"accepted {accepted.coverage:.2%} from a confidence of {accepted.threshold:.3f}{right}")
