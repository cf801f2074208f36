"""Save the model of the best epoch so far."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import keras

from shutterless.artifacts.history import Epoch
from shutterless.files import atomic_file
from shutterless.training.callbacks.weight_average import averaged
from shutterless.training.optimization.precision import full_precision


class BestModel(keras.callbacks.Callback):
    """Saves the model whenever the last epoch is the best: highest validation accuracy, then lowest loss.

    Args:
        model: What is saved. It shares its weights with the model that is being trained, which may be a
            part of it.
        file: Where it is saved.
        epochs: All epochs of the run so far, as `EpochRecorder` appends them.
    """

    def __init__(self, model: keras.Model, file: Path, epochs: Sequence[Epoch]) -> None:
        super().__init__()
        self._full_model, self._file, self._epochs = model, file, epochs

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Save the model if this epoch is the best."""
        self.save(self.model)

    def save(self, trained: keras.Model) -> None:
        """Save the model if the last epoch is the best, with the averaged weights of `trained` if any."""
        if self._epochs[-1].best:
            with averaged(trained):
                save_model(self._full_model, self._file)


def save_model(model: keras.Model, file: Path) -> None:
    """Save a model without its optimizer, atomically.

    Raises:
        OutputError: The file cannot be written, as on a full disk.
    """
    with atomic_file(file) as draft, full_precision(model):
        model.save(draft, include_optimizer=False)
