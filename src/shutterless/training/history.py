"""history.csv: what every epoch of a run gave."""

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from shutterless.files import atomic_file


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
