"""Draw the learning curves of several runs into one picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from shutterless.artifacts.history import Epoch, read_history
from shutterless.artifacts.run_files import HISTORY
from shutterless.errors import InputError, RunError
from shutterless.evaluation.report.plots import FAINT, MAX_NAME, shorten, style, write_png
from shutterless.evaluation.runs import find_runs
from shutterless.files import atomic_file, ensure_writable

MAX_CURVES = 10  # as many colours are told apart
SIZE = (10.4, 4.2)  # inches


def draw_curves(file: str | Path, *folders: str | Path) -> tuple[str, ...]:
    """Draw accuracy and log loss on the validation photos, over the epochs of several runs.

    Args:
        file: The picture to write, .svg or .png; an earlier picture is replaced.
        folders: Run folders, or folders that are searched for them; the working folder by default.

    Returns:
        The run folders, in the order of the legend. Runs without a finished epoch are left out.

    Raises:
        InputError: The file is no .svg or .png (`unknown-picture-format`), no run has an epoch
            (`no-runs`), or there are more than `MAX_CURVES` (`too-many-runs`).
        RunError: The history of a run is damaged (`unreadable-history`).
        OutputError: The file cannot be written.

    Example:
        >>> import shutterless
        >>> runs = shutterless.draw_curves("curves.svg", "run")
    """
    file = Path(file)
    if file.suffix.lower() not in (".svg", ".png"):
        raise InputError(
            "unknown-picture-format", f"{file} does not end in .svg or .png", "Choose one of the two."
        )
    ensure_writable(file)
    histories = {str(path): history for path in find_runs(*folders) if (history := _read(path))}
    if not histories:
        raise InputError("no-runs", "No run has a finished epoch", "Give folders that `train -o` wrote.")
    if len(histories) > MAX_CURVES:
        raise InputError(
            "too-many-runs",
            f"{len(histories):,} runs are too many for one picture",
            f"Name up to {MAX_CURVES} of them.",
        )
    _draw(file, histories)
    return tuple(histories)


def _read(run: Path) -> tuple[Epoch, ...]:
    try:
        return read_history(run / HISTORY)
    except (OSError, ValueError) as error:
        raise RunError(
            "unreadable-history", f"{run / HISTORY} cannot be read: {error}", "Leave this run out."
        ) from error


def _draw(file: Path, histories: Mapping[str, Sequence[Epoch]]) -> None:
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    with style(), atomic_file(file) as draft:
        figure = Figure(figsize=SIZE, layout="constrained")
        panes = figure.subplots(1, 2)
        for pane, title in zip(panes, ("validation accuracy", "validation log loss"), strict=True):
            pane.set(xlabel="epoch", ylabel=title)
            pane.grid(color=FAINT, alpha=0.25)
            pane.xaxis.set_major_locator(MaxNLocator(integer=True))
        for number, (name, history) in enumerate(histories.items()):
            colour = f"C{number}"  # of matplotlib's cycle of ten
            epochs = np.arange(1, len(history) + 1)
            best = max((index for index, epoch in enumerate(history) if epoch.best), default=0)
            values = (
                [epoch.val_accuracy for epoch in history],
                [np.nan if epoch.val_log_loss is None else epoch.val_log_loss for epoch in history],
            )
            for pane, series in zip(panes, values, strict=True):
                pane.plot(epochs, series, color=colour, label=shorten(name, MAX_NAME))
                pane.plot(epochs[best], series[best], "o", color=colour)
        figure.legend(*panes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
        if file.suffix.lower() == ".png":
            write_png(figure, draft)
        else:
            figure.savefig(draft, format="svg", facecolor="white")
