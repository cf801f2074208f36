"""TensorBoard's event files, written without the package `tensorboard`, which only shows them."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf

from shutterless.artifacts.history import Epoch
from shutterless.errors import cannot_write

# The names that Keras's own TensorBoard callback gives, so that its runs and ours share their plots.
_SERIES = {
    "train": {"epoch_loss": "loss", "epoch_accuracy": "accuracy", "epoch_learning_rate": "learning_rate"},
    "validation": {"epoch_loss": "val_loss", "epoch_accuracy": "val_accuracy"},
}


class EventLog:
    """The event files of one run below `folder`, begun anew with the `epochs` that it has behind it.

    keras.callbacks.TensorBoard and tf.summary.scalar need the package `tensorboard`; tf.summary.write,
    which they end in, does not.
    """

    def __init__(self, folder: Path, epochs: Sequence[Epoch] = ()) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        self._folder = folder
        self._writers = {split: tf.summary.create_file_writer(str(folder / split)) for split in _SERIES}
        self._step = 0
        for epoch in epochs:
            self.add(epoch)

    def add(self, epoch: Epoch) -> None:
        """Write one epoch, as the next step; raises ShutterlessError if that fails, as on a full disk."""
        plugin = tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars")
        metadata = tf.compat.v1.SummaryMetadata(plugin_data=plugin)
        try:
            for split, series in _SERIES.items():
                with self._writers[split].as_default(step=self._step):
                    for tag, field in series.items():
                        tf.summary.write(tag, getattr(epoch, field), metadata=metadata)
                self._writers[split].flush()
        except tf.errors.OpError as error:
            raise cannot_write(self._folder, OSError(error.message)) from error
        self._step += 1
