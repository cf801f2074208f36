"""history.csv: metrics and duration of every epoch of a run."""

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

    Attributes:
        phase: Name of the phase in the recipe.
        epoch: Number of the epoch in its phase, from 1.
        seconds: Its duration.
        learning_rate: At its end.
        loss: What is minimized, with the recipe's label smoothing, mixing and class weights.
        accuracy: On the augmented training photos.
        val_loss: As `loss`, on the validation photos.
        val_accuracy: On the validation photos.
        best: Whether it was the best epoch so far.
        log_loss: Mean cross-entropy in nats without label smoothing, mixing and class weights, which is
            comparable with metrics.json and between recipes; None in old runs.
        val_log_loss: As `log_loss`, on the validation photos.
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
    """Return the epoch with the highest validation accuracy, then the lowest validation loss."""
    return max(epochs, key=lambda epoch: (epoch.val_accuracy, -epoch.val_loss), default=None)


def epochs_of(epochs: Sequence[Epoch], phase: str) -> list[Epoch]:
    """Return the epochs of one phase."""
    return [epoch for epoch in epochs if epoch.phase == phase]


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
