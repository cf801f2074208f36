"""Early stopping: end a phase whose validation accuracy no longer improves."""

from collections.abc import Mapping, Sequence

import keras
import numpy as np

from shutterless.artifacts.history import Epoch, epochs_of


class EarlyStopping(keras.callbacks.Callback):
    """Ends the phase after `patience` epochs without a better validation accuracy.

    Unlike `keras.callbacks.EarlyStopping` it also counts the epochs from before a resume.

    Args:
        epochs: All epochs of the run so far, as `EpochRecorder` appends them.
        phase: Name of the phase that is being trained.
        patience: Epochs; None never stops early.
    """

    def __init__(self, epochs: Sequence[Epoch], phase: str, patience: int | None) -> None:
        super().__init__()
        self._epochs, self._phase, self._patience = epochs, phase, patience

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Tell Keras whether to stop."""
        self.model.stop_training = is_out_of_patience(epochs_of(self._epochs, self._phase), self._patience)


def is_out_of_patience(epochs: Sequence[Epoch], patience: int | None) -> bool:
    """Tell whether the last `patience` of one phase's epochs brought no better validation accuracy."""
    if patience is None or not epochs:
        return False
    return len(epochs) - 1 - int(np.argmax([epoch.val_accuracy for epoch in epochs])) >= patience
