"""Draw the report's figures with matplotlib, without pyplot and its global state.

matplotlib is imported with the first figure: importing it is slow and writes a font cache.
"""

import io
import math
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from shutterless.artifacts.history import Epoch
from shutterless.evaluation.intervals import wilson_interval
from shutterless.evaluation.metrics import Acceptance, ConditionMetrics, Metrics, calibration_bins

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Colours of the PNGs, on white. In the page they are replaced by variables for light and dark mode.
INK, FAINT, FIRST, SECOND = "#1b1d20", "#86857f", "#1b6b57", "#b34700"
IN_PAGE = {INK: "currentColor", FAINT: "var(--edge)", FIRST: "var(--first)", SECOND: "var(--second)"}
STYLE: dict[Any, Any] = {
    **dict.fromkeys(("text.color", "axes.labelcolor", "xtick.labelcolor", "ytick.labelcolor"), INK),
    **dict.fromkeys(("axes.edgecolor", "xtick.color", "ytick.color"), FAINT),
    **dict.fromkeys(("axes.spines.top", "axes.spines.right", "legend.frameon"), False),
    "axes.facecolor": "none",
    "text.parse_math": False,  # a label is text, even "$x$"
    "svg.fonttype": "none",
    "svg.hashsalt": "shutterless",
}
SIZE = (5.2, 3.6)  # inches
MAX_TITLE, MAX_NAME = 22, 40  # characters
MAX_NAMED = 40  # labels up to which a confusion matrix is readable
MAX_SIDE = 512  # pixels of the overview of a large confusion matrix


@contextmanager
def style() -> Iterator[None]:
    """Draw and save in the report's style, whatever the user's matplotlibrc says."""
    import matplotlib

    with matplotlib.rc_context(), warnings.catch_warnings():
        # Labels in scripts that matplotlib's font lacks are boxes in the PNG; the page shows them.
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        yield


def write_png(figure: "Figure", file: Path) -> None:
    """Write a figure as a PNG with a white background."""
    figure.savefig(file, format="png", dpi=150, facecolor="white")


def to_svg(figure: "Figure", name: str) -> str:
    """Return a figure as an <svg> element for the page.

    Args:
        figure: The figure; its colours become the page's variables.
        name: Prefix of all ids, so that several figures can share a page.
    """
    text = io.StringIO()
    figure.savefig(text, format="svg", transparent=True)
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(
        r"<metadata>.*?</metadata>|<style.*?</style>| xmlns(:xlink)?=\"[^\"]*\"", "", svg, flags=re.S
    )
    svg = re.sub(r"(\bid=\"|href=\"#|url\(#)", rf"\g<1>{name}-", svg)
    for colour, replacement in IN_PAGE.items():
        svg = svg.replace(colour, replacement)
    return svg


def make_axes(x: str, y: str) -> tuple["Figure", "Axes"]:
    """Return a figure with axes whose labels are `x` and `y`."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE, layout="constrained")
    axes = figure.add_subplot(xlabel=x, ylabel=y)
    axes.grid(color=FAINT, alpha=0.25)
    axes.set_axisbelow(True)
    return figure, axes


def curve(history: Sequence[Epoch], quantity: str) -> "Figure":
    """Draw training and validation curves over the epochs of all phases.

    Args:
        history: The epochs.
        quantity: `loss` or `accuracy`.
    """
    from matplotlib.ticker import MaxNLocator

    figure, axes = make_axes("epoch", quantity)
    epochs = np.arange(1, len(history) + 1)
    validation = [getattr(epoch, f"val_{quantity}") for epoch in history]
    axes.plot(epochs, [getattr(epoch, quantity) for epoch in history], color=SECOND, label="training")
    axes.plot(epochs, validation, color=FIRST, label="validation")
    best = max((index for index, epoch in enumerate(history) if epoch.best), default=None)
    if best is not None:
        axes.plot(epochs[best], validation[best], "o", color=FIRST, label="best epoch")
    for index in np.flatnonzero([one.phase != other.phase for one, other in pairwise(history)]):
        axes.axvline(epochs[index] + 0.5, color=FAINT, linestyle=":")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()
    return figure


def reliability(
    before: npt.NDArray[np.float32], after: npt.NDArray[np.float32], right: npt.NDArray[np.bool_]
) -> "Figure":
    """Draw a reliability diagram: accuracy over confidence, in the bins of the calibration error.

    The bars are 95 % intervals of the accuracy. A calibrated model's bars reach the diagonal.

    Args:
        before: Confidences without calibration, float32[photos].
        after: Confidences with calibration, float32[photos].
        right: bool[photos], whether each answer is correct.
    """
    figure, axes = make_axes("mean confidence", "accuracy")
    axes.plot([0, 1], [0, 1], color=FAINT, linestyle="--")
    lowest = 1.0
    for confidence, colour, label in (
        (before, SECOND, "before calibration"),
        (after, FIRST, "after calibration"),
    ):
        bins = calibration_bins(confidence)
        counts = np.bincount(bins)
        is_filled = counts > 0
        counts, hits = counts[is_filled], np.bincount(bins, weights=right)[is_filled].astype(int)
        means = np.bincount(bins, weights=confidence)[is_filled] / counts
        ends = np.array([wilson_interval(int(hit), int(n)) for hit, n in zip(hits, counts, strict=True)])
        shares = hits / counts
        bars = np.maximum(0, [shares - ends[:, 0], ends[:, 1] - shares])
        axes.errorbar(means, shares, bars, color=colour, marker="o", markersize=4, linewidth=1, label=label)
        lowest = min(lowest, means.min())
    axes.set(xlim=(math.floor(10 * lowest - 0.5) / 10, 1.02), ylim=(0, 1.02))
    axes.legend(loc="lower right")
    return figure


def coverage(
    confidence: npt.NDArray[np.float32],
    right: npt.NDArray[np.bool_],
    acceptance: Acceptance,
    target: float | None,
) -> "Figure":
    """Draw an accuracy-coverage curve: accuracy of the most confident answers over their share of all.

    Args:
        confidence: float32[photos].
        right: bool[photos], whether each answer is correct.
        acceptance: What the threshold accepts; marked on the curve.
        target: Accuracy that the threshold was chosen for, 0 to 1, if known.
    """
    figure, axes = make_axes("share of answers accepted", "accuracy of accepted answers")
    order = np.argsort(-confidence, kind="stable")
    numbers = np.arange(1, len(order) + 1)
    axes.plot(numbers / len(order), np.cumsum(right[order]) / numbers, color=FIRST)
    if target is not None:
        axes.axhline(target, color=SECOND, linestyle="--", linewidth=1, label=f"target: {100 * target:g} %")
    if acceptance.precision is not None:
        label = f"threshold {acceptance.threshold:.2f}"
        axes.plot(acceptance.coverage, acceptance.precision, "o", color=FIRST, label=label)
    axes.set_xlim(0, 1.02)
    axes.legend()
    return figure


def robustness(conditions: Mapping[str, ConditionMetrics]) -> "Figure":
    """Draw the accuracy under each condition with its 95 % interval; a line marks the first condition's."""
    figure, axes = make_axes("accuracy", "")
    rows = np.arange(len(conditions))
    accuracies = np.array([condition.accuracy for condition in conditions.values()])
    ends = np.array([condition.accuracy_interval for condition in conditions.values()]).T
    bars = np.maximum(0, [accuracies - ends[0], ends[1] - accuracies])
    axes.errorbar(accuracies, rows, xerr=bars, color=FIRST, fmt="o", markersize=5, linewidth=1)
    axes.axvline(accuracies[0], color=FAINT, linestyle="--")
    axes.set_yticks(rows, list(conditions))
    axes.set(xlim=(0, 1.02), ylim=(len(rows) - 0.5, -0.5))
    return figure


def confusion(metrics: Metrics) -> "Figure":
    """Draw the confusion matrix; with more than `MAX_NAMED` labels as an overview without names."""
    return _confusion_table(metrics) if len(metrics.labels) <= MAX_NAMED else _confusion_overview(metrics)


def _confusion_table(metrics: Metrics) -> "Figure":
    """Draw the number in each cell, shaded by its share of the row."""
    from matplotlib.figure import Figure

    counts = np.array(metrics.confusion)
    side = 2.5 + 0.45 * len(counts)
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.add_subplot(xlabel="predicted label", ylabel="true label")
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    names = [shorten(label, MAX_NAME) for label in metrics.labels]
    axes.set_xticks(range(len(names)), names, rotation=90)
    axes.set_yticks(range(len(names)), names)
    for (row, column), count in np.ndenumerate(counts):
        if count:
            ink = "white" if shares[row, column] > 0.5 else INK
            axes.text(column, row, str(count), ha="center", va="center", color=ink)
    return figure


def _confusion_overview(metrics: Metrics) -> "Figure":
    """Draw a large confusion matrix without names or numbers, in bounded memory.

    Each pixel shows the highest share among its cells, so that no confusion disappears.
    """
    from matplotlib.figure import Figure

    counts = np.array(metrics.confusion)
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    step = -(-len(shares) // MAX_SIDE)
    starts = np.arange(0, len(shares), step)
    largest = np.maximum.reduceat(np.maximum.reduceat(shares, starts, axis=0), starts, axis=1)
    figure = Figure(figsize=(8, 8), layout="constrained")
    axes = figure.add_subplot(xlabel="predicted label, by number", ylabel="true label, by number")
    extent = (0.5, len(shares) + 0.5, len(shares) + 0.5, 0.5)
    axes.imshow(largest, cmap="Blues", vmin=0, vmax=1, interpolation="nearest", extent=extent)
    return figure


def grid(pictures: Sequence[npt.NDArray[np.uint8]], titles: Sequence[str], columns: int = 5) -> "Figure":
    """Draw pictures in rows, each below its title.

    Args:
        pictures: uint8[height, width, 3] each, of any size.
        titles: One title per picture; long ones are shortened.
        columns: Pictures per row.
    """
    from matplotlib.figure import Figure

    rows = -(-len(pictures) // columns)
    figure = Figure(figsize=(2 * columns, 2.4 * rows), layout="constrained")
    panes = figure.subplots(rows, columns, squeeze=False).ravel()
    for pane in panes:
        pane.set_axis_off()
    for pane, picture, title in zip(panes, pictures, titles, strict=False):
        pane.imshow(picture)
        pane.set_title("\n".join(shorten(line) for line in title.split("\n")), fontsize=9)
    return figure


def shorten(text: str, limit: int = MAX_TITLE) -> str:
    """Return a text cut to a number of characters."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
