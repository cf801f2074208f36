import pytest
import tensorflow as tf

from shutterless.artifacts.history import Epoch
from shutterless.training.callbacks.tensorboard import EventLog

EPOCHS = [Epoch("head", n, 0.5, 0.1 / n, 1.5 / n, 0.25 * n, 1.25 / n, 0.2 * n, True) for n in (1, 2)]


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
    log = EventLog(tmp_path / "logs")
    for epoch in EPOCHS:
        log.add(epoch)
    assert events(tmp_path / "logs" / "validation") == [
        ("epoch_loss", 0, 1.25),
        ("epoch_accuracy", 0, 0.2),
        ("epoch_loss", 1, 0.625),
        ("epoch_accuracy", 1, 0.4),
    ]
    assert ("epoch_learning_rate", 1, 0.05) in events(tmp_path / "logs" / "train")


def test_a_log_begun_anew_has_no_step_twice(tmp_path):
    EventLog(tmp_path).add(EPOCHS[0])
    EventLog(tmp_path, EPOCHS[:1]).add(EPOCHS[1])
    assert [step for tag, step, _ in events(tmp_path / "train") if tag == "epoch_loss"] == [0, 1]
