"""What training writes down after every epoch: the checkpoint, the best network, the history."""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from shutterless.artifacts.history import Epoch, best_of, write_history
from shutterless.artifacts.run_files import HISTORY, LOGS, MODEL
from shutterless.errors import RunError, ShutterlessError
from shutterless.files import atomic_file
from shutterless.training.callbacks.checkpoint import CHECKPOINT, write_checkpoint
from shutterless.training.callbacks.tensorboard import EventLog
from shutterless.training.model import Network
from shutterless.training.optimization.precision import full_precision
from shutterless.utils.progress import Progress

# What Keras measures in every epoch, on the training and the validation photos.
MEASURED = ("loss", "accuracy", "log_loss", "val_loss", "val_accuracy", "val_log_loss")

OnEpoch = Callable[[Epoch], None]


class Journal(keras.callbacks.Callback):
    """Keeps the state, the best network, the history and the progress bar over all phases of a run.

    epochs: those that came before, if the run is taken up again.
    events: whether TensorBoard's event files are written too.

    The best epoch is the one with the highest validation accuracy, then the lowest validation loss.
    The checkpoint is written first. Whatever ends the training behind it, the best network and the
    history follow from the checkpoint and are mended from it.
    """

    def __init__(
        self,
        network: Network,
        run: Path,
        progress: Progress,
        on_epoch: OnEpoch,
        epochs: tuple[Epoch, ...] = (),
        events: bool = False,
    ) -> None:
        super().__init__()
        self._network, self._run = network, run
        self._progress, self._on_epoch = progress, on_epoch
        self.epochs = list(epochs)
        self._events = EventLog(run / LOGS, epochs) if events else None
        self._phase = ""
        self._patience: int | None = None
        self._checkpoints = True
        self._started = 0.0
        self._batches = self._batch = 0
        self._averaged = contextlib.ExitStack()
        self._write_history()

    @property
    def best(self) -> Epoch | None:
        """The best epoch so far."""
        return best_of(self.epochs)

    @property
    def model_file(self) -> Path:
        """Where the best network so far is."""
        return self._run / MODEL

    def done(self, phase: str) -> list[Epoch]:
        """Return the epochs of a phase that are behind us."""
        return [epoch for epoch in self.epochs if epoch.phase == phase]

    def begin(
        self, phase: str, batches: int, epochs: int, *, patience: int | None = None, checkpoints: bool = True
    ) -> None:
        """Start a phase of `epochs` epochs of `batches` training steps, or take it up where it stopped.

        checkpoints: whether each epoch leaves one.
        """
        self._phase, self._patience, self._checkpoints = phase, patience, checkpoints
        self._batches, self._batch = batches * epochs, batches * len(self.done(phase))

    @property
    def stopped_early(self) -> bool:
        """Whether the phase has gone on for its patience without a better validation accuracy."""
        accuracies = [epoch.val_accuracy for epoch in self.done(self._phase)]
        if self._patience is None or not accuracies:
            return False
        return len(accuracies) - 1 - int(np.argmax(accuracies)) >= self._patience

    def keep(self, model: keras.Model) -> None:
        """Write the checkpoint of `model`, which the phase trains."""
        write_checkpoint(self._run / CHECKPOINT, self.epochs, model)

    def mend(self, model: keras.Model) -> None:
        """Save the network of the last epoch if it is the best: its training may have ended before that."""
        if self.epochs[-1].best:
            self._save_best(model)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Start the clock."""
        self._started = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Move the bar."""
        self._batch += 1
        self._progress(self._phase, self._batch, self._batches)

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Validate what would be saved: the moving average of the weights, if there is one."""
        self._averaged.enter_context(averaged(self.model))

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """Train on with the weights themselves."""
        self._averaged.close()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write the epoch down and keep its network if it is the best so far."""
        measured = {name: float((logs or {})[name]) for name in MEASURED}
        if not np.isfinite(list(measured.values())).all():
            raise self._diverged(epoch + 1)
        line = Epoch(
            self._phase,
            epoch + 1,
            round(time.monotonic() - self._started, 2),
            float(self.model.optimizer.learning_rate),
            **measured,
            best=False,
        )
        line = replace(line, best=best_of([*self.epochs, line]) is line)
        self.epochs.append(line)
        if self._checkpoints:
            self.keep(self.model)
        if line.best:
            self._save_best(self.model)
        self._write_history()
        if self._events:
            self._events.add(line)
        self._on_epoch(line)
        self.model.stop_training = self.stopped_early

    def _diverged(self, epoch: int) -> ShutterlessError:
        kept = f" The best network before it is in {self._run}." if self.model_file.exists() else ""
        return RunError(
            "diverged",
            f"The loss is no longer a finite number in epoch {epoch} of the phase {self._phase}",
            f"Lower the recipe's learning_rate and train into another folder.{kept}",
        )

    def _save_best(self, model: keras.Model) -> None:
        with averaged(model):
            save_model(self._network.whole, self.model_file)

    def _write_history(self) -> None:
        """Write all the epochs anew, so that no line is ever torn, doubled or missing."""
        if self.epochs:
            write_history(self._run / HISTORY, self.epochs)
        else:
            (self._run / HISTORY).unlink(missing_ok=True)


@contextlib.contextmanager
def averaged(model: keras.Model) -> Iterator[None]:
    """Give a model the moving average of its weights, if its optimizer keeps one, for the time being."""
    # In half precision Keras wraps the optimizer in one that scales the loss.
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    if not optimizer.use_ema:
        yield
        return
    weights = [np.array(variable) for variable in model.trainable_variables]
    optimizer.finalize_variable_values(model.trainable_variables)
    try:
        yield
    finally:
        for variable, value in zip(model.trainable_variables, weights, strict=True):
            variable.assign(value)


def save_model(model: keras.Model, file: Path) -> None:
    """Save `model` without its optimizer, whole or not at all.

    Raises ShutterlessError if it cannot be written, as on a full disk.
    """
    with atomic_file(file) as draft, full_precision(model):
        model.save(draft, include_optimizer=False)
