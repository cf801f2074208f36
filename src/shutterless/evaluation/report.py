"""One page that shows how good a model is and where it fails, with its figures as PNG beside it.

Labels, paths and whatever else a model's folder says are hostile text: the templates escape everything
but the figures, in which matplotlib escapes it.
"""

import datetime
import shlex
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from shutterless import __version__
from shutterless.dataset import Photo, read_pixels
from shutterless.dataset.pages import templates
from shutterless.dataset.records import count_photos, totals
from shutterless.errors import ShutterlessError
from shutterless.evaluation import plots
from shutterless.evaluation.calibration import PRECISION, Judgement, judge, judge_calibrated
from shutterless.evaluation.evaluator import Predictions
from shutterless.evaluation.source import Source, read_source
from shutterless.evaluation.thumbnails import data_uri, overlay, read_thumbnails
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

if TYPE_CHECKING:
    from matplotlib.figure import Figure

REPORT, FIGURES = "report.html", "figures"
WORST = 12
HEATED = 4  # right ones and as many wrong ones
THUMBNAILS, MOST_PER_CELL = 400, 24  # of mistakes, so that a poor model's page can still be opened

Pixels = npt.NDArray[np.uint8]
HeatMap = Callable[[Pixels, int], npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Picture:
    """A photo, uint8[height, width, 3], with its truth and what the model said."""

    pixels: Pixels
    path: str
    truth: str
    guess: str
    score: float

    @property
    def right(self) -> bool:
        """Whether the guess is the truth."""
        return self.truth == self.guess

    @cached_property
    def uri(self) -> str:
        """The picture as an address that holds it."""
        return data_uri(self.pixels)


@dataclass(frozen=True)
class Cell:
    """The photos of one label that were taken for one other; `pictures` are the surest of `count`."""

    anchor: str
    truth: str
    guess: str
    count: int
    pictures: tuple[Picture, ...]


def write_report(
    folder: Path,
    predictions: Predictions,
    model: Path,
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
    of accepted answers that must be right. seed: for what is drawn by lot.

    An earlier report is replaced. Raises `ShutterlessError` if a photo is gone, the model's folder cannot
    be read, or `folder` cannot be written, lies among the photos, or has a page or figures of its own.
    """
    check_report_folder(folder, predictions.root)
    source = read_source(model)
    judgement = _judge(predictions, source, precision, seed)
    album = _Album(predictions, judgement, seed)
    heats = album.heats(heat_map) if heat_map else []
    facts = {
        "source": source,
        "judgement": judgement,
        "album": album,
        "heats": heats,
        "augmented": [data_uri(copy) for copy in augmented],
        "metrics": predictions.measure(),
        "data": _data(source.photos or predictions.photos, predictions.labels),
        "split": _split(predictions),
        "commands": _commands(folder, predictions, model, source),
    }
    with _replacing(folder) as (page, figures), plots.style():
        charts = _charts(source, judgement)
        for name, figure in {**charts, **_grids(predictions, album, augmented, heats)}.items():
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


class _Album:
    """The photos that the page shows, each decoded once."""

    def __init__(self, predictions: Predictions, judgement: Judgement, seed: int) -> None:
        self._predictions, self._judgement = predictions, judgement
        self._rng = np.random.default_rng(seed)
        confidence = judgement.scores.max(axis=1)
        wrong = np.flatnonzero(~judgement.right)
        self._wrong = [int(number) for number in wrong[np.argsort(-confidence[wrong], kind="stable")]]
        sampled = self._one_of_each_label()
        numbers = sorted({*sampled, *self._shown_mistakes()})
        thumbnails = read_thumbnails(predictions.root, [predictions.photos[number] for number in numbers])
        self._pictures = dict(zip(numbers, map(self._picture, numbers, thumbnails), strict=True))
        self.samples = [self._pictures[number] for number in sampled]
        self.worst = [self._pictures[number] for number in self._wrong[:WORST]]

    def _picture(self, number: int, pixels: Pixels) -> Picture:
        scores, labels = self._judgement.scores[number], self._predictions.labels
        photo, guess = self._predictions.photos[number], int(scores.argmax())
        return Picture(pixels, photo.path, photo.label, labels[guess], float(scores[guess]))

    def _one_of_each_label(self) -> list[int]:
        """Draw by lot, so that nobody has chosen the best."""
        truth = self._predictions.truth
        return [int(self._rng.choice(np.flatnonzero(truth == place))) for place in np.unique(truth)]

    @cached_property
    def _by_cell(self) -> dict[tuple[int, int], list[int]]:
        """The mistakes' numbers, the surest first, of each pair of truth and guess."""
        cells: dict[tuple[int, int], list[int]] = {}
        for number in self._wrong:
            place = int(self._predictions.truth[number]), int(self._judgement.scores[number].argmax())
            cells.setdefault(place, []).append(number)
        return dict(sorted(cells.items()))

    @property
    def _per_cell(self) -> int:
        return max(1, min(MOST_PER_CELL, THUMBNAILS // max(1, len(self._by_cell))))

    def _shown_mistakes(self) -> list[int]:
        of_cells = (number for numbers in self._by_cell.values() for number in numbers[: self._per_cell])
        return [*self._wrong[:WORST], *of_cells]

    @cached_property
    def cells(self) -> dict[tuple[int, int], Cell]:
        """The mistakes by the places of truth and guess."""
        labels = self._predictions.labels
        return {
            (truth, guess): Cell(
                f"cell-{truth}-{guess}",
                labels[truth],
                labels[guess],
                len(numbers),
                tuple(self._pictures[number] for number in numbers[: self._per_cell]),
            )
            for (truth, guess), numbers in self._by_cell.items()
        }

    def heats(self, heat_map: HeatMap) -> list[tuple[Picture, Picture]]:
        """Return some right and the surest wrong photos as the model sees them, without and with heat."""
        right = np.flatnonzero(self._judgement.right)
        drawn = sorted(self._rng.choice(right, min(HEATED, len(right)), replace=False).tolist())
        numbers = [*drawn, *self._wrong[:HEATED]]
        photos = [self._predictions.photos[number] for number in numbers]
        pairs = []
        for number, pixels in zip(
            numbers, read_pixels(self._predictions.root, photos, self._predictions.input), strict=True
        ):
            guess = int(self._judgement.scores[number].argmax())
            heated = overlay(pixels, heat_map(pixels, guess))
            pairs.append((self._picture(number, pixels), self._picture(number, heated)))
        return pairs


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
    predictions: Predictions,
    album: _Album,
    augmented: Sequence[Pixels],
    heats: Sequence[tuple[Picture, Picture]],
) -> "dict[str, Figure]":
    """Draw the figures that the page makes of HTML and photos."""
    grids = {
        "confusion": plots.confusion(predictions.measure()),
        "samples": _grid(album.samples),
    }
    if album.worst:
        grids["mistakes"] = _grid(album.worst)
    if augmented:
        grids["augmentation"] = plots.grid(augmented, [""] * len(augmented))
    if heats:
        grids["heat-maps"] = _grid([picture for pair in heats for picture in pair], columns=4)
    return grids


def _grid(pictures: Sequence[Picture], columns: int = 5) -> "Figure":
    titles = [
        f"{picture.guess} {picture.score:.2f}" + ("" if picture.right else f"\ntrue: {picture.truth}")
        for picture in pictures
    ]
    return plots.grid([picture.pixels for picture in pictures], titles, columns)


def _data(photos: Sequence[Photo], labels: Sequence[str]) -> dict[str, Any]:
    """Return the table of photos by label and split."""
    counts = count_photos(photos, labels)
    return {"counts": counts, "totals": totals(counts)}


def _split(predictions: Predictions) -> str:
    splits = {photo.split for photo in predictions.photos}
    return splits.pop() if len(splits) == 1 else "all"


def _commands(folder: Path, predictions: Predictions, model: Path, source: Source) -> list[str]:
    """Return what to type to make the model, if it is a run, and this page, unless training wrote it."""
    evaluate = ["shutterless", "evaluate", str(model), str(predictions.root), "--split", _split(predictions)]
    written_by_training = folder.resolve() == model.resolve()
    page = [] if written_by_training else [shlex.join([*evaluate, "--report", str(folder)])]
    return [*([source.command] if source.command else []), *page]


def _render(facts: dict[str, Any]) -> str:
    return (
        templates("shutterless.evaluation")
        .get_template("report.html.j2")
        .render(
            facts,
            mark=REPORT_MARK.decode(),
            version=__version__,
            today=datetime.datetime.now(datetime.UTC).date().isoformat(),
        )
    )


def check_report_folder(folder: Path, photos: Path) -> None:
    """Raise the `ShutterlessError` with which `write_report` would refuse to write to `folder`.

    It may hold anything besides, like a run, but no page and no figures other than an earlier report's.
    """
    ensure_outside(folder, photos)
    ensure_writable(folder / REPORT)
    figures = folder / FIGURES
    for path, is_ours in ((folder / REPORT, REPORT_KIND.matches(folder)), (figures, _are_ours(figures))):
        if path.exists() and not is_ours:
            raise ShutterlessError(f"{path} was not written by shutterless", "Choose another folder.")


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
