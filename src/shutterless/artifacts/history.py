"""history.csv: metrics and duration of every epoch of a run."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from shutterless.files import atomic_file
from shutterless.text_files import read_text

REQUIRED_NUMBERS = ("seconds", "learning_rate", "loss", "accuracy", "val_loss", "val_accuracy")


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

    @classmethod
    def from_row(cls, row: Mapping[str, str]) -> "Epoch":
        """Return the epoch of a row of history.csv; log losses may be missing."""
        numbers = {name: float(row[name]) for name in REQUIRED_NUMBERS}
        log_losses = {name: float(row[name]) for name in ("log_loss", "val_log_loss") if row.get(name)}
        return cls(row["phase"], int(row["epoch"]), **numbers, **log_losses, best=row["best"] == "True")


def best_of(epochs: Sequence[Epoch]) -> Epoch | None:
    """Return the epoch with the highest validation accuracy, then the lowest validation loss."""
    return max(epochs, key=lambda epoch: (epoch.val_accuracy, -epoch.val_loss), default=None)


def epochs_of(epochs: Sequence[Epoch], phase: str) -> list[Epoch]:
    """Return the epochs of one phase."""
    return [epoch for epoch in epochs if epoch.phase == phase]


def write_history(file: Path, epochs: Sequence[Epoch]) -> None:
    """Write history.csv.

    Raises:
        OutputError: The file cannot be written (`cannot-write`).
    """
    with atomic_file(file) as draft, draft.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, [field.name for field in fields(Epoch)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(epoch) for epoch in epochs)


def read_history(file: Path) -> tuple[Epoch, ...]:
    """Return the epochs in history.csv; empty if there is no such file.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is no CSV, a column is missing, or a value is not a number.
    """
    if not file.is_file():
        return ()
    try:
        with io.StringIO(read_text(file), newline="") as stream:
            return tuple(map(Epoch.from_row, csv.DictReader(stream)))
    except (csv.Error, KeyError, TypeError) as error:
        raise ValueError(f"it is not a history: {error}") from error
