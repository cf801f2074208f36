"""history.csv: loss, accuracy and time of every epoch of a run."""

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from shutterless.files import atomic_file, read_text

MEASURED = ("loss", "accuracy", "val_loss", "val_accuracy")


@dataclass(frozen=True)
class Epoch:
    """One line of history.csv.

    seconds: the wall-clock time of this epoch.
    loss, val_loss: what is minimized, with the recipe's label smoothing, mixing and class weights.
    log_loss, val_log_loss: cross-entropy without these, which compares with metrics.json and between
    recipes; None in runs of before it was measured.
    """

    phase: str
    epoch: int
    seconds: float
    learning_rate: float
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    best: bool
    log_loss: float | None = None
    val_log_loss: float | None = None


def best_of(epochs: Sequence[Epoch]) -> Epoch | None:
    """Return the best epoch: that of the highest validation accuracy, then the lowest validation loss."""
    return max(epochs, key=lambda epoch: (epoch.val_accuracy, -epoch.val_loss), default=None)


def write_history(file: Path, epochs: Sequence[Epoch]) -> None:
    """Write history.csv whole or not at all; raises ShutterlessError if it cannot be written."""
    with atomic_file(file) as draft, draft.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, [field.name for field in fields(Epoch)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(epoch) for epoch in epochs)


def read_history(file: Path) -> tuple[Epoch, ...]:
    """Read what `write_history` wrote; empty if there is no such file.

    Raises:
        ValueError, KeyError, OSError: The file is broken.
    """
    if not file.is_file():
        return ()
    with io.StringIO(read_text(file), newline="") as stream:
        return tuple(_epoch(row) for row in csv.DictReader(stream))


def _epoch(row: dict[str, str]) -> Epoch:
    figures = {name: float(row[name]) for name in ("seconds", "learning_rate", *MEASURED)}
    smoothed = {name: float(row[name]) for name in ("log_loss", "val_log_loss") if row.get(name)}
    return Epoch(row["phase"], int(row["epoch"]), **figures, **smoothed, best=row["best"] == "True")
