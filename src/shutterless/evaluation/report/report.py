"""Write a report: one HTML page that shows how good a model is and where it fails, and its figures as PNG.

Labels, paths and the texts in a model's folder are untrusted: the template escapes everything except the
charts, in which matplotlib escapes it.
"""

import datetime
import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from shutterless import __version__
from shutterless.dataset.types import count_photos, totals
from shutterless.errors import OutputError
from shutterless.evaluation import intervals
from shutterless.evaluation.calibration import (
    PRECISION,
    CalibrationResult,
    evaluate_calibrated,
    evaluate_calibration,
)
from shutterless.evaluation.metrics import (
    MIN_CALIBRATION_PHOTOS,
    ConditionMetrics,
    ForeignMetrics,
    Metrics,
    calibration_text,
)
from shutterless.evaluation.predict import Predictions
from shutterless.evaluation.provenance import Provenance, read_provenance
from shutterless.evaluation.report import plots
from shutterless.evaluation.report.images import HeatMap, Picture, Pixels, ReportImages
from shutterless.evaluation.report.thumbnails import data_uri
from shutterless.evaluation.robustness import CONDITIONS
from shutterless.files import (
    FIGURES_LIST,
    REPORT_MARK,
    atomic_directory,
    atomic_file,
    ensure_outside,
    ensure_writable,
    entries,
)
from shutterless.files import REPORT as REPORT_KIND
from shutterless.text_files import read_text
from shutterless.utils.html import render_page
from shutterless.utils.messages import plural

if TYPE_CHECKING:
    from matplotlib.figure import Figure

REPORT, FIGURES = "report.html", "figures"
# Confusions to list, the most frequent first, if there are too many labels for a matrix.
MAX_LISTED = 100
# Up to this many labels or confusions are shown unfolded.
MAX_OPEN = 12
# What `evaluate` measures by default if there are both.
DEFAULT_SPLITS = ("test", "new")
THRESHOLDS = 1001  # positions of the page's threshold slider


def write_report(
    folder: str | Path,
    predictions: Predictions,
    model: str | Path,
    *,
    augmented: Sequence[Pixels] = (),
    heat_map: HeatMap | None = None,
    robustness: Mapping[str, ConditionMetrics] | None = None,
    foreign: ForeignMetrics | None = None,
    precision: float = PRECISION,
    seed: int = 42,
) -> Path:
    """Write `folder`/report.html and `folder`/figures/*.png, whole or not at all.

    An earlier report in the folder is replaced. To also get heat maps and augmented photos for a training
    run, use `evaluate(..., report=folder)`.

    Args:
        folder: May be the run's own folder.
        predictions: The model's answers, from `predict_folder`.
        model: Folder of the run or bundle.
        augmented: Augmented copies of one training photo, uint8[height, width, 3] each.
        heat_map: Maps the model's input, uint8[height, width, 3], and the index of a label to
            float32[h, w], 0 to 1: where the photo raises the label's score.
        robustness: Accuracy under each condition, from `evaluate`, as `Metrics.robustness`.
        foreign: How many pictures of other things are noticed, from `evaluate`, as `Metrics.foreign`.
        precision: Accuracy that accepted answers must reach, 0 to 1; only for a run, as a bundle has its
            threshold already.
        seed: Seed of the random choices, such as the sample photos.

    Returns:
        Path of the page.

    Raises:
        DatasetError: A photo is gone or broken.
        RunError: The run cannot be read.
        BundleError: The bundle does not verify.
        OutputError: The folder cannot be written, is inside the folder of photos, or holds a page or
            figures that no report wrote.

    Example:
        >>> import shutterless
        >>> predictions = shutterless.predict_folder(shutterless.load_model("bundle"), "photos")
        >>> page = shutterless.write_report("report", predictions, "bundle")
        >>> page.name
        'report.html'
    """
    folder, model = Path(folder), Path(model)
    check_report_folder(folder, predictions.root)
    provenance = read_provenance(model)
    calibration = _calibrate(predictions, provenance, precision, seed)
    metrics = predictions.measure()
    images = ReportImages(predictions, calibration, seed)
    heat_maps = images.heat_maps(heat_map) if heat_map else []
    examples = images.perturbed() if robustness else {}
    counts = count_photos(provenance.photos or predictions.photos, predictions.labels)
    context = {
        **_figures(metrics, calibration, provenance),
        "images": images,
        "heat_maps": heat_maps,
        "augmented": [data_uri(copy) for copy in augmented],
        "robustness": robustness or {},
        "foreign": foreign,
        "examples": {name: data_uri(copy) for name, copy in examples.items()},
        "conditions": CONDITIONS,
        "counts": counts,
        "totals": totals(counts),
        "split": _split(predictions),
        "commands": _commands(folder, predictions, model, provenance),
    }
    with _replacing(folder) as (page, figures), plots.style():
        charts = _charts(provenance, calibration)
        if robustness:
            charts["robustness"] = plots.robustness(robustness)
        for name, figure in {**charts, **_grids(metrics, images, augmented, heat_maps)}.items():
            plots.write_png(figure, figures / f"{name}.png")
        svgs = {name: plots.to_svg(figure, name) for name, figure in charts.items()}
        page.write_text(_render({**context, "charts": svgs}), "utf-8")
    return folder / REPORT


def _calibrate(
    predictions: Predictions, provenance: Provenance, precision: float, seed: int
) -> CalibrationResult:
    truth, probabilities = predictions.truth, predictions.probabilities
    if provenance.temperature is None:
        return evaluate_calibration(truth, probabilities, precision, seed)
    return evaluate_calibrated(
        truth,
        probabilities,
        provenance.temperature,
        predictions.threshold or 0.0,
        provenance.target_precision,
        seed,
    )


def _figures(metrics: Metrics, result: CalibrationResult, provenance: Provenance) -> dict[str, object]:
    """Return the numbers that the page shows."""
    confidence = result.scores.max(axis=1)
    masks = [confidence >= threshold for threshold in np.linspace(0, 1, THRESHOLDS)]
    return {
        "source": provenance,
        "calibration": result.calibration,
        "fitted_here": result.fitted_here,
        "metrics": metrics,
        "confusions": metrics.confusions(),
        "per_label": sorted(metrics.per_label.items(), key=lambda item: item[1].f1),
        "calibration_measurable": metrics.photos >= MIN_CALIBRATION_PHOTOS,
        "interval": intervals.interval_text(*metrics.accuracy_interval),
        # For each position of the slider: how many answers are accepted, how many of them are correct.
        "thresholds": [(int(mask.sum()), int((mask & result.right).sum())) for mask in masks],
    }


def _charts(provenance: Provenance, result: CalibrationResult) -> "dict[str, Figure]":
    """Draw the figures that the page shows as SVG."""
    history = provenance.history
    charts = {name: plots.curve(history, name) for name in ("accuracy", "loss") if history}
    charts["reliability"] = plots.reliability(result.before, result.after, result.right)
    acceptance, target = result.calibration.acceptance, result.calibration.target_precision
    charts["coverage"] = plots.coverage(result.scores.max(axis=1), result.right, acceptance, target)
    return charts


def _grids(
    metrics: Metrics,
    images: ReportImages,
    augmented: Sequence[Pixels],
    heat_maps: Sequence[tuple[Picture, Picture]],
) -> "dict[str, Figure]":
    """Draw the figures that the page builds from HTML and photos."""
    grids = {
        "confusion": plots.confusion(metrics),
        "samples": _grid(images.samples),
    }
    if images.worst:
        grids["mistakes"] = _grid(images.worst)
    if augmented:
        grids["augmentation"] = plots.grid(augmented, [""] * len(augmented))
    if heat_maps:
        grids["heat-maps"] = _grid([picture for pair in heat_maps for picture in pair], columns=4)
    return grids


def _grid(pictures: Sequence[Picture], columns: int = 5) -> "Figure":
    titles = [
        f"{picture.guess} {picture.score:.2f}" + ("" if picture.right else f"\ntrue: {picture.truth}")
        for picture in pictures
    ]
    return plots.grid([picture.pixels for picture in pictures], titles, columns)


def _split(predictions: Predictions) -> str:
    """Return which photos were measured, as `evaluate --split` names them if it can."""
    splits = tuple(predictions.splits)
    if splits == DEFAULT_SPLITS:
        return " and ".join(splits)
    return splits[0] if len(splits) == 1 else "all"


def _commands(folder: Path, predictions: Predictions, model: Path, provenance: Provenance) -> list[str]:
    """Return the commands that make the run and this page; training itself writes a page into its run."""
    commands = [provenance.command] if provenance.command else []
    if folder.resolve() != model.resolve():
        words = ["shutterless", "evaluate", str(model), str(predictions.root)]
        if tuple(predictions.splits) != DEFAULT_SPLITS:
            words += ["--split", _split(predictions)]
        if predictions.label_map:
            words += ["--label-map", ",".join(f"{old}={new}" for old, new in predictions.label_map.items())]
        if predictions.skip_unknown_labels:
            words.append("--skip-unknown-labels")
        commands.append(shlex.join([*words, "--report", str(folder)]))
    return commands


def _render(context: Mapping[str, object]) -> str:
    constants = {
        "percentage": intervals.percentage,
        "rounded": intervals.rounded,
        "calibration_text": calibration_text,
        "plural": plural,
        "max_matrix": plots.MAX_NAMED,
        "max_listed": MAX_LISTED,
        "max_open": MAX_OPEN,
        "mark": REPORT_MARK.decode(),
        "version": __version__,
        "today": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }
    return render_page("shutterless.evaluation.report", "report.html.j2", {**context, **constants})


def check_report_folder(folder: Path, photos: Path) -> None:
    """Raise the error with which `write_report` would refuse to write to `folder`.

    The folder may hold other files, as a run does, but no page or figures that no report wrote.

    Raises:
        OutputError: See `write_report`.
    """
    ensure_outside(folder, photos)
    ensure_writable(folder / REPORT)
    page, figures = folder / REPORT, folder / FIGURES
    for path, is_ours in ((page, REPORT_KIND.matches(folder)), (figures, _holds_only_figures(figures))):
        if path.exists() and not is_ours:
            raise OutputError("not-ours", f"{path} was not written by shutterless", "Choose another folder.")


def _holds_only_figures(folder: Path) -> bool:
    """Tell whether a folder holds nothing but the figures that a report listed in it."""
    try:
        names = entries(folder)
        return not names or names <= {FIGURES_LIST, *read_text(folder / FIGURES_LIST).splitlines()}
    except (OSError, UnicodeDecodeError):
        return False


@contextmanager
def _replacing(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Yield a file and a folder to write to, which become the page and the figures in `folder` at the end."""
    is_new = not folder.exists()
    try:
        with (
            atomic_file(folder / REPORT) as page,
            atomic_directory(folder / FIGURES, "the report") as figures,
        ):
            yield page, figures
            names = sorted(figure.name for figure in figures.iterdir())
            (figures / FIGURES_LIST).write_text("".join(f"{name}\n" for name in names), "utf-8")
    finally:
        if is_new and not (folder / REPORT).exists():
            shutil.rmtree(folder, ignore_errors=True)
