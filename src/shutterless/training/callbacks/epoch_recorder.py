"""Record every epoch: the metrics that Keras computed, its duration, and whether it is the best so far."""

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from shutterless.artifacts.history import Epoch, best_of
from shutterless.errors import RunError

# What Keras computes in every epoch, on the training and the validation photos.
METRICS = ("loss", "accuracy", "log_loss", "val_loss", "val_accuracy", "val_log_loss")


class EpochRecorder(keras.callbacks.Callback):
    """Appends an `Epoch` to the run's epochs whenever one ends.

    It must be the first callback: the others read the epoch that it has appended.

    Args:
        epochs: All epochs of the run so far; the list is shared and extended in place.
        phase: Name of the phase that is being trained.
        run: The run folder, named in the error.

    Raises:
        RunError: At the end of an epoch whose loss, accuracy or log loss is not finite (`diverged`).
    """

    def __init__(self, epochs: list[Epoch], phase: str, run: Path) -> None:
        super().__init__()
        self._epochs, self._phase, self._run = epochs, phase, run
        self._start_time = 0.0

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Start the clock."""
        self._start_time = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Append the epoch, unless the training has diverged."""
        metrics = {name: float((logs or {})[name]) for name in METRICS}
        if not np.isfinite(list(metrics.values())).all():
            best = f" The best model before it is in {self._run}." if self._epochs else ""
            raise RunError(
                "diverged",
                f"The loss is no longer a finite number in epoch {epoch + 1} of the phase {self._phase}",
                f"Lower the recipe's learning_rate and train into another folder.{best}",
            )
        record = Epoch(
            self._phase,
            epoch + 1,
            round(time.monotonic() - self._start_time, 2),
            float(self.model.optimizer.learning_rate),
            **metrics,
            best=False,
        )
        self._epochs.append(replace(record, best=best_of([*self._epochs, record]) is record))
