"""Write history.csv after every epoch."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import keras

from shutterless.artifacts.history import Epoch, write_history


class HistoryWriter(keras.callbacks.Callback):
    """Writes history.csv, all of it every time, so that no line is ever torn, repeated or missing.

    Args:
        file: Where it is written.
        epochs: All epochs of the run so far, as `EpochRecorder` appends them.
    """

    def __init__(self, file: Path, epochs: Sequence[Epoch]) -> None:
        super().__init__()
        self._file, self._epochs = file, epochs

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Write the file."""
        self.write()

    def write(self) -> None:
        """Write the epochs so far; without any, remove the file."""
        if self._epochs:
            write_history(self._file, self._epochs)
        else:
            self._file.unlink(missing_ok=True)
