"""One page that shows how good a model is and where it fails, with its figures as PNG beside it.

Labels, paths and whatever else a model's folder says are hostile text: the templates escape everything
but the figures, in which matplotlib escapes it.
"""

import datetime
import shlex
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from shutterless import __version__
from shutterless.dataset import Photo
from shutterless.dataset.types import count_photos, totals
from shutterless.errors import OutputError
from shutterless.evaluation import intervals
from shutterless.evaluation.calibration import PRECISION, Judgement, judge, judge_calibrated
from shutterless.evaluation.metrics import MIN_CALIBRATION_PHOTOS, Metrics, calibration_text
from shutterless.evaluation.predict import Predictions
from shutterless.evaluation.provenance import Source, read_source
from shutterless.evaluation.report import plots
from shutterless.evaluation.report.images import HeatMap, Picture, Pixels, ReportImages
from shutterless.evaluation.report.thumbnails import data_uri
from shutterless.files import (
    FIGURES_LIST,
    REPORT_MARK,
    atomic_directory,
    atomic_file,
    ensure_outside,
    ensure_writable,
    entries,
    read_text,
)
from shutterless.files import REPORT as REPORT_KIND
from shutterless.utils.html import render_page

if TYPE_CHECKING:
    from matplotlib.figure import Figure

REPORT, FIGURES = "report.html", "figures"
# Confusions that are listed, the largest, where a matrix has too many labels to be read.
MAX_LISTED = 100
# So few labels or confusions are shown unfolded.
MAX_OPEN = 12
# What `evaluate` measures if it isn't told otherwise, where there are both.
DEFAULT_SPLITS = ("test", "new")
THRESHOLDS = 1001  # at which the page's slider can stop


def write_report(
    folder: str | Path,
    predictions: Predictions,
    model: str | Path,
    *,
    augmented: Sequence[Pixels] = (),
    heat_map: HeatMap | None = None,
    precision: float = PRECISION,
    seed: int = 42,
) -> Path:
    """Write `folder`/report.html and `folder`/figures/*.png, whole or not at all; return the page's path.

    predictions: what the model said of the photos. model: the folder of the run or bundle, which may be
    `folder` itself. augmented: copies of one training photo as training changes them, uint8[height,
    width, 3] each. heat_map: from pixels uint8[height, width, 3] and a label's place to where the
    label was seen, float32[h, w] in 0 … 1. precision: for a run, which has no threshold yet, the share
    of accepted answers that must be right. seed: for what is chosen at random.

    An earlier report is replaced. Raises `ShutterlessError` if a photo is gone, the model's folder cannot
    be read, or `folder` cannot be written, lies among the photos, or has a page or figures of its own.
    """
    folder, model = Path(folder), Path(model)
    check_report_folder(folder, predictions.root)
    source = read_source(model)
    judgement = _judge(predictions, source, precision, seed)
    metrics = predictions.measure()
    images = ReportImages(predictions, judgement, seed)
    heat_maps = images.heat_maps(heat_map) if heat_map else []
    facts = {
        "source": source,
        "judgement": judgement,
        "images": images,
        "heat_maps": heat_maps,
        "augmented": [data_uri(copy) for copy in augmented],
        "metrics": metrics,
        "confusions": metrics.confusions(),
        "per_label": sorted(metrics.per_label.items(), key=lambda item: item[1].f1),
        "calibration_measurable": metrics.photos >= MIN_CALIBRATION_PHOTOS,
        "interval": _interval(metrics),
        "thresholds": _thresholds(judgement),
        "data": _data(source.photos or predictions.photos, predictions.labels),
        "split": _split(predictions),
        "commands": _commands(folder, predictions, model, source),
    }
    with _replacing(folder) as (page, figures), plots.style():
        charts = _charts(source, judgement)
        for name, figure in {**charts, **_grids(metrics, images, augmented, heat_maps)}.items():
            plots.write_png(figure, figures / f"{name}.png")
        facts["charts"] = {name: plots.to_svg(figure, name) for name, figure in charts.items()}
        page.write_text(_render(facts), "utf-8")
    return folder / REPORT


def _judge(predictions: Predictions, source: Source, precision: float, seed: int) -> Judgement:
    truth, probabilities = predictions.truth, predictions.probabilities
    if source.temperature is None:
        return judge(truth, probabilities, precision, seed)
    threshold = predictions.threshold or 0.0
    return judge_calibrated(
        truth, probabilities, source.temperature, threshold, source.wanted_precision, seed
    )


def _charts(source: Source, judgement: Judgement) -> "dict[str, Figure]":
    """Draw the figures that the page has as SVG."""
    charts = {name: plots.curve(source.history, name) for name in ("accuracy", "loss") if source.history}
    charts["reliability"] = plots.reliability(judgement.before, judgement.after, judgement.right)
    calibration = judgement.calibration
    charts["coverage"] = plots.coverage(
        judgement.scores.max(axis=1), judgement.right, calibration.acceptance, calibration.wanted_precision
    )
    return charts


def _grids(
    metrics: Metrics,
    images: ReportImages,
    augmented: Sequence[Pixels],
    heat_maps: Sequence[tuple[Picture, Picture]],
) -> "dict[str, Figure]":
    """Draw the figures that the page makes of HTML and photos."""
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


def _interval(metrics: Metrics) -> str:
    low, high = metrics.accuracy_interval
    error = 100 * (high - low) / 2 / intervals.Z95
    low_text, high_text = intervals.rounded(100 * low, error), intervals.rounded(100 * high, error)
    return f"95 % interval {low_text} to {high_text} %"


def _thresholds(judgement: Judgement) -> list[tuple[int, int]]:
    """Return how many answers reach each threshold from 0 to 1, and how many of those are right."""
    confidence = judgement.scores.max(axis=1)
    reached = [confidence >= threshold for threshold in np.linspace(0, 1, THRESHOLDS)]
    return [(int(accepted.sum()), int((accepted & judgement.right).sum())) for accepted in reached]


def _data(photos: Sequence[Photo], labels: Sequence[str]) -> dict[str, Any]:
    """Return the table of photos by label and split."""
    counts = count_photos(photos, labels)
    return {"counts": counts, "totals": totals(counts)}


def _split(predictions: Predictions) -> str:
    """Return which photos were measured, in the words of `evaluate --split` where it has one for them."""
    splits = tuple(predictions.splits)
    if splits == DEFAULT_SPLITS:
        return " and ".join(splits)
    return splits[0] if len(splits) == 1 else "all"


def _commands(folder: Path, predictions: Predictions, model: Path, source: Source) -> list[str]:
    """Return what to type to make the model, if it is a run, and this page, unless training wrote it."""
    split = [] if tuple(predictions.splits) == DEFAULT_SPLITS else ["--split", _split(predictions)]
    evaluate = ["shutterless", "evaluate", str(model), str(predictions.root), *split]
    written_by_training = folder.resolve() == model.resolve()
    page = [] if written_by_training else [shlex.join([*evaluate, "--report", str(folder)])]
    return [*([source.command] if source.command else []), *page]


def _render(facts: dict[str, Any]) -> str:
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    helpers = {
        "percentage": intervals.percentage,
        "calibration_text": calibration_text,
        "rounded": intervals.rounded,
    }
    bounds = {"max_matrix": plots.MAX_NAMED, "max_listed": MAX_LISTED, "max_open": MAX_OPEN}
    facts = {
        **facts,
        **helpers,
        **bounds,
        "mark": REPORT_MARK.decode(),
        "version": __version__,
        "today": today,
    }
    return render_page("shutterless.evaluation.report", "report.html.j2", facts)


def check_report_folder(folder: Path, photos: Path) -> None:
    """Raise the `ShutterlessError` with which `write_report` would refuse to write to `folder`.

    It may hold anything besides, like a run, but no page and no figures other than an earlier report's.
    """
    ensure_outside(folder, photos)
    ensure_writable(folder / REPORT)
    figures = folder / FIGURES
    for path, is_ours in ((folder / REPORT, REPORT_KIND.matches(folder)), (figures, _are_ours(figures))):
        if path.exists() and not is_ours:
            raise OutputError("not-ours", f"{path} was not written by shutterless", "Choose another folder.")


def _are_ours(figures: Path) -> bool:
    """Tell whether a folder holds nothing but figures that a report listed."""
    try:
        names = entries(figures)
        return not names or names <= {FIGURES_LIST, *read_text(figures / FIGURES_LIST).splitlines()}
    except (OSError, UnicodeDecodeError):
        return False


@contextmanager
def _replacing(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Give a file and a folder to write to, which become the page and the figures in `folder` at the end."""
    existed = folder.exists()
    try:
        with (
            atomic_file(folder / REPORT) as page,
            atomic_directory(folder / FIGURES, "the report") as figures,
        ):
            yield page, figures
            names = sorted(figure.name for figure in figures.iterdir())
            (figures / FIGURES_LIST).write_text("".join(f"{name}\n" for name in names), "utf-8")
    finally:
        if not existed and not (folder / REPORT).exists():
            shutil.rmtree(folder, ignore_errors=True)
