"""Draw the figures of a comparison: recall by label."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from shutterless.evaluation.comparison.comparison import LabelChange
from shutterless.evaluation.report.plots import FAINT, FIRST, MAX_NAME, SECOND, SIZE, make_axes, shorten

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def recalls(labels: Mapping[str, LabelChange]) -> "Figure":
    """Draw the recall of each label by both models, joined by a line.

    Args:
        labels: Label → its changes, from the top.
    """
    figure, axes = make_axes("recall", "")
    figure.set_size_inches(SIZE[0], 1.2 + 0.3 * len(labels))
    rows = np.arange(len(labels))
    a = np.array([change.a / change.photos for change in labels.values()])
    b = np.array([change.b / change.photos for change in labels.values()])
    axes.hlines(rows, a, b, color=FAINT, linewidth=2)
    axes.plot(a, rows, "o", color=SECOND, markersize=7, label="A", fillstyle="none", markeredgewidth=1.5)
    axes.plot(b, rows, "o", color=FIRST, markersize=6, label="B")
    axes.set_yticks(rows, [shorten(label, MAX_NAME) for label in labels])
    axes.set(ylim=(len(rows) - 0.5, -0.5), xlim=(max(0.0, min(a.min(), b.min()) - 0.05), 1.02))
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1 + 0.6 / figure.get_size_inches()[1]), ncols=2)
    return figure
