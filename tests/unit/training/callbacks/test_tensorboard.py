import pytest
import tensorflow as tf

from shutterless.artifacts.history import Epoch
from shutterless.training.callbacks.tensorboard import TensorBoard

EPOCHS = [Epoch("head_training", n, 0.5, 0.1 / n, 1.5 / n, 0.25 * n, 1.25 / n, 0.2 * n, True) for n in (1, 2)]


def events(folder):
    """Return (tag, step, value) of everything that TensorBoard would show."""
    return [
        (value.tag, event.step, pytest.approx(tf.make_ndarray(value.tensor).item()))
        for file in folder.glob("*tfevents*")
        for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator()
        for event in [tf.compat.v1.Event.FromString(record)]
        for value in event.summary.value
    ]


def test_every_epoch_becomes_a_step_of_the_curves(tmp_path):
    epochs = []
    callback = TensorBoard(tmp_path / "logs", epochs)
    for number, epoch in enumerate(EPOCHS):
        epochs.append(epoch)
        callback.on_epoch_end(number)
    assert events(tmp_path / "logs" / "validation") == [
        ("epoch_loss", 0, 1.25),
        ("epoch_accuracy", 0, 0.2),
        ("epoch_loss", 1, 0.625),
        ("epoch_accuracy", 1, 0.4),
    ]
    assert ("epoch_learning_rate", 1, 0.05) in events(tmp_path / "logs" / "train")


def test_a_resumed_run_has_no_step_twice(tmp_path):
    TensorBoard(tmp_path, EPOCHS)
    epochs = EPOCHS[:1]
    resumed = TensorBoard(tmp_path, epochs)
    epochs.append(EPOCHS[1])
    resumed.on_epoch_end(1)
    assert [step for tag, step, _ in events(tmp_path / "train") if tag == "epoch_loss"] == [0, 1]
