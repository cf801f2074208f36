"""The callbacks of a training run, in the order in which Keras calls them."""

from collections.abc import Callable, Sequence
from pathlib import Path

import keras

from shutterless.artifacts.history import Epoch, epochs_of
from shutterless.artifacts.run_files import HISTORY, LOGS, MODEL
from shutterless.training.callbacks.best_model import BestModel
from shutterless.training.callbacks.checkpoint import CHECKPOINT, CheckpointWriter
from shutterless.training.callbacks.early_stopping import EarlyStopping
from shutterless.training.callbacks.epoch_recorder import EpochRecorder
from shutterless.training.callbacks.history import HistoryWriter
from shutterless.training.callbacks.progress import ProgressReporter
from shutterless.training.callbacks.tensorboard import TensorBoard
from shutterless.training.callbacks.weight_average import ValidateWeightAverage
from shutterless.utils.progress import Progress

OnEpoch = Callable[[Epoch], None]


class RunCallbacks:
    """Makes the callbacks for each phase of a run. All of them share one list of epochs.

    The checkpoint is written before everything else. Whatever ends the training after that, the best model
    and the history can be restored from the checkpoint.

    Args:
        model: What is saved as the best model, see `BestModel`.
        run: The run folder.
        progress: Called after each training step.
        on_epoch: Called with each epoch when all its files are written.
        epochs: The epochs of a checkpoint, if the run is resumed. The history is written again from them.
        tensorboard: Also write TensorBoard event files.
        further: Callbacks that are called after all others.

    Attributes:
        epochs: All epochs of the run so far.
        best_model: The callback that saves the best model.
    """

    def __init__(
        self,
        model: keras.Model,
        run: Path,
        *,
        progress: Progress,
        on_epoch: OnEpoch,
        epochs: Sequence[Epoch] = (),
        tensorboard: bool = False,
        further: Sequence[keras.callbacks.Callback] = (),
    ) -> None:
        self.epochs = list(epochs)
        self.best_model = BestModel(model, run / MODEL, self.epochs)
        self._run, self._progress, self._on_epoch = run, progress, on_epoch
        self._history = HistoryWriter(run / HISTORY, self.epochs)
        self._history.write()
        self._further = further
        self._tensorboard = [TensorBoard(run / LOGS, self.epochs)] if tensorboard else []

    def for_phase(
        self,
        phase: str,
        *,
        epochs: int,
        steps: int,
        patience: int | None = None,
        checkpoint_every_epoch: bool = True,
    ) -> list[keras.callbacks.Callback]:
        """Return the callbacks for a call of `fit`.

        Args:
            phase: Name of the phase.
            epochs: Epochs of the whole phase.
            steps: Training steps of one epoch.
            patience: Epochs without a better validation accuracy before an early stop; None for none.
            checkpoint_every_epoch: Write a checkpoint after each epoch rather than at the end of the phase.
        """
        first_step = steps * len(epochs_of(self.epochs, phase))
        return [
            EpochRecorder(self.epochs, phase, self._run),
            ValidateWeightAverage(),
            ProgressReporter(self._progress, phase, first_step, steps * epochs),
            CheckpointWriter(self._run / CHECKPOINT, self.epochs, every_epoch=checkpoint_every_epoch),
            self.best_model,
            self._history,
            *self._tensorboard,
            keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: self._on_epoch(self.epochs[-1])),
            EarlyStopping(self.epochs, phase, patience),
            *self._further,
        ]
