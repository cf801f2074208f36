"""`shutterless evaluate`: measure a run or a bundle on labelled photos."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shutterless.cli.console import print_json, progress_bar, quiet_start, say, show, table, warn

if TYPE_CHECKING:
    from shutterless.evaluation import Metrics, Predictor


def evaluate(
    model: Annotated[Path, typer.Argument(help="A run or a bundle.")],
    photos: Annotated[Path, typer.Argument(help="A folder of labelled photos.")],
    split: Annotated[
        str | None,
        typer.Option(
            help="train, validation, test or all.  [default: test, or validation where there is no test]"
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Measure a run or a bundle on labelled photos.

    Example: shutterless evaluate bundle photos --split validation
    """
    from shutterless import evaluation

    with progress_bar() as progress:
        metrics = evaluation.evaluate(_load(model), photos, split=split, progress=progress, on_warning=warn)
    if as_json:
        print_json(metrics.to_json())
    else:
        _show(metrics)


def _load(path: Path) -> "Predictor":
    if (path / "bundle.json").is_file():
        from shutterless.runtime.bundle import read_bundle
        from shutterless.runtime.classifier import Classifier

        return Classifier(read_bundle(path))
    with quiet_start():
        from shutterless.training import load_run

    return load_run(path)


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
    say(
        f"accuracy {metrics.accuracy:.2%} on {metrics.photos} photos, loss {metrics.loss:.3f}, "
        f"calibration error {metrics.calibration_error:.3f}"
    )
