"""Chart of the ratios: a dot for each median, a line from minimum to maximum, on a logarithmic axis."""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from benchmarks.rounds import Row

LESS, MORE, GREY = "#1f6f5c", "#b4532a", "#999999"
TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50)
MARGIN = 1.25


def draw(rows: list[tuple[str, Row]], file: Path) -> None:
    """Draw the rows from top to bottom, below the names of their benchmark and of their rival.

    Args:
        rows: Name of the benchmark, and the row.
        file: The PNG file to write.
    """
    places = list(_places(rows))
    with matplotlib.rc_context({"font.size": 8}):
        figure = Figure(figsize=(7.5, 0.9 + 0.175 * len(places)), layout="constrained")
        axes = figure.subplots()
        for place, (_, row) in enumerate(places):
            if row is not None:
                _mark(axes, row, place)
        figure.supxlabel(
            "ratio, lower is better. Dot: median of the rounds; line: minimum to maximum; bar: goal",
            fontsize=8,
        )
        _frame(axes, [row for _, row in rows], places)
        figure.savefig(file, dpi=110)


def _places(rows: list[tuple[str, Row]]) -> Iterator[tuple[str, Row | None]]:
    """Yield the content of each line: a group's title, or a row and its name."""
    for (name, rival), group in groupby(rows, lambda row: (row[0], row[1].rival)):
        yield f"{name}: ours ÷ {rival}", None
        yield from ((row.figure, row) for _, row in group)


def _mark(axes: Axes, row: Row, place: int) -> None:
    colour = LESS if row.ratio <= 1 else MORE
    axes.plot([row.ratios[0], row.ratios[-1]], [place, place], color=colour, linewidth=2, alpha=0.45)
    axes.plot(row.ratio, place, "o", color=colour, markersize=4.5)
    # In a column of their own, where no line and no goal runs through them.
    axes.text(
        1.01, place, f"{row.ratio:.2f}", transform=axes.get_yaxis_transform(), va="center", color=colour
    )
    if row.goal:
        axes.plot([row.goal, row.goal], [place - 0.4, place + 0.4], color="black", linewidth=1)


def _frame(axes: Axes, rows: list[Row], places: list[tuple[str, Row | None]]) -> None:
    axes.axvline(1, color=GREY, linewidth=1, zorder=0)
    axes.set_xscale("log")
    axes.set_xlim(min(row.ratios[0] for row in rows) / MARGIN, max(row.ratios[-1] for row in rows) * MARGIN)
    axes.set_ylim(len(places) - 0.4, -0.8)
    axes.set_yticks(range(len(places)), [name for name, _ in places])
    for label, (_, row) in zip(axes.get_yticklabels(), places, strict=True):
        label.set_fontweight("bold" if row is None else "normal")
    axes.xaxis.set_major_locator(FixedLocator(TICKS))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda ratio, _: f"{ratio:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#eeeeee", zorder=-1)
    axes.spines[["top", "right", "left"]].set_visible(False)
