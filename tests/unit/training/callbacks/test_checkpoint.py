import errno

import keras
import numpy as np
import pytest

from shutterless.artifacts.history import Epoch
from shutterless.errors import ShutterlessError
from shutterless.training.callbacks.checkpoint import CHECKPOINT, read_checkpoint, write_checkpoint

EPOCHS = [Epoch("fine_tuning", 1, 0.5, 0.1, 1.5, 0.25, 1.25, 0.5, True)]
INPUTS = np.linspace(0, 1, 24, dtype=np.float32).reshape(8, 3)
TARGETS = np.eye(2, dtype=np.float32)[[0, 1] * 4]


def network(units=4):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(units),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(2, "softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.1, use_ema=True), "categorical_crossentropy", metrics=["accuracy"])
    return model


@pytest.fixture
def file(tmp_path):
    return tmp_path / CHECKPOINT


def learn(model):
    return model.fit(INPUTS, TARGETS, epochs=2, shuffle=False, verbose=0).history["loss"]


@pytest.mark.slow
def test_a_restored_network_learns_on_as_if_nothing_had_been(file):
    model = network()
    learn(model)
    write_checkpoint(file, EPOCHS, model)
    further = learn(model)
    checkpoint = read_checkpoint(file)
    (again := network()).fit(INPUTS[::-1], TARGETS, epochs=1, verbose=0)
    checkpoint.restore(again)
    assert learn(again) == pytest.approx(further, rel=1e-6)  # the same dropout, too


def test_it_remembers_the_epochs_and_the_phase(file):
    write_checkpoint(file, EPOCHS, network())
    checkpoint = read_checkpoint(file)
    assert checkpoint.epochs == tuple(EPOCHS)
    assert checkpoint.phase == "fine_tuning"


def test_where_there_is_none_there_is_none(file):
    assert read_checkpoint(file) is None


def test_that_of_another_network_is_refused(file):
    write_checkpoint(file, EPOCHS, network())
    with pytest.raises(ShutterlessError) as caught:
        read_checkpoint(file).restore(network(units=5))
    assert caught.value.code == "unfitting-checkpoint"


@pytest.mark.parametrize("cut", [0, 10, 500])
def test_a_damaged_one_is_refused(file, cut):
    write_checkpoint(file, EPOCHS, network())
    file.write_bytes(file.read_bytes()[:cut])
    with pytest.raises(ShutterlessError) as caught:
        read_checkpoint(file)
    assert caught.value.code == "damaged-checkpoint"


def test_a_full_disk_is_told_in_words_and_leaves_the_one_before(file, monkeypatch):
    write_checkpoint(file, EPOCHS, network())
    before = file.read_bytes()

    def full(stream, **arrays):
        stream.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(ShutterlessError) as caught:
        write_checkpoint(file, EPOCHS * 2, network())
    assert caught.value.code == "cannot-write"
    assert [path.name for path in file.parent.iterdir()] == [CHECKPOINT]
    assert file.read_bytes() == before


def test_a_compressed_one_which_could_unpack_to_anything_is_refused(file):
    write_checkpoint(file, EPOCHS, network())
    with np.load(file) as state:
        arrays = dict(state)
    np.savez_compressed(file, **arrays)
    with pytest.raises(ShutterlessError) as caught:
        read_checkpoint(file)
    assert caught.value.code == "damaged-checkpoint"
