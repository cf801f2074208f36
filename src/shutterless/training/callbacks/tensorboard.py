"""Write TensorBoard event files without the package `tensorboard`, which is only needed to show them."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import tensorflow as tf

from shutterless.artifacts.history import Epoch
from shutterless.errors import cannot_write

# The tags of keras.callbacks.TensorBoard, so that its runs and ours share their plots.
_SERIES = {
    "train": {"epoch_loss": "loss", "epoch_accuracy": "accuracy", "epoch_learning_rate": "learning_rate"},
    "validation": {"epoch_loss": "val_loss", "epoch_accuracy": "val_accuracy"},
}


class TensorBoard(keras.callbacks.Callback):
    """Writes each epoch as the next step of a run's TensorBoard plots.

    keras.callbacks.TensorBoard and tf.summary.scalar need the package `tensorboard`. tf.summary.write,
    which both of them call in the end, does not.

    Args:
        folder: The folder of the event files. It is removed first, and the epochs so far are written again.
        epochs: All epochs of the run so far, as `EpochRecorder` appends them.

    Raises:
        OutputError: A file cannot be written, as on a full disk.
    """

    def __init__(self, folder: Path, epochs: Sequence[Epoch]) -> None:
        super().__init__()
        shutil.rmtree(folder, ignore_errors=True)
        self._folder, self._epochs = folder, epochs
        self._writers = {split: tf.summary.create_file_writer(str(folder / split)) for split in _SERIES}
        for step in range(len(epochs)):
            self._write(step)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Write the last epoch."""
        self._write(len(self._epochs) - 1)

    def _write(self, step: int) -> None:
        plugin = tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars")
        metadata = tf.compat.v1.SummaryMetadata(plugin_data=plugin)
        try:
            for split, series in _SERIES.items():
                with self._writers[split].as_default(step=step):
                    for tag, field in series.items():
                        tf.summary.write(tag, getattr(self._epochs[step], field), metadata=metadata)
                self._writers[split].flush()
        except tf.errors.OpError as error:
            raise cannot_write(self._folder, OSError(error.message)) from error
