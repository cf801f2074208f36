"""The callbacks of a run together, as `fit` calls them."""

import math

import keras
import pytest

from shutterless.artifacts.history import best_of, read_history
from shutterless.errors import RunError
from shutterless.training.callbacks.checkpoint import CHECKPOINT, read_checkpoint
from shutterless.training.callbacks.run_callbacks import RunCallbacks
from shutterless.training.loop import compile_for
from shutterless.training.recipe import ModelPhase
from shutterless.utils.progress import silent


@pytest.fixture
def model():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, "softmax")])
    compile_for(model, ModelPhase(epochs=5, learning_rate=0.1), photos=10)
    return model


@pytest.fixture
def callbacks(model, tmp_path):
    return RunCallbacks(model, tmp_path, progress=silent, on_epoch=lambda epoch: None)


def start(callbacks, model, phase="fine_tuning", **options):
    phase_callbacks = callbacks.for_phase(phase, epochs=5, steps=2, **options)
    for callback in phase_callbacks:
        callback.set_model(model)
    return phase_callbacks


def end(phase_callbacks, epoch, val_accuracy, val_loss=1.0, loss=1.0):
    logs = {"loss": loss, "accuracy": 1, "val_loss": val_loss, "val_accuracy": val_accuracy}
    logs |= {"log_loss": 0.5, "val_log_loss": 0.4}
    for callback in phase_callbacks:
        callback.on_epoch_begin(epoch)
    for callback in phase_callbacks:
        callback.on_epoch_end(epoch, logs)


def test_the_best_epoch_is_that_of_the_highest_accuracy_and_then_of_the_lowest_loss(callbacks, model):
    fit = start(callbacks, model)
    for number, (accuracy, loss) in enumerate(((0.5, 1.0), (0.8, 1.0), (0.8, 1.1), (0.7, 0.1), (0.8, 0.9))):
        end(fit, number, accuracy, loss)
    assert [epoch.best for epoch in callbacks.epochs] == [True, True, False, False, True]
    assert best_of(callbacks.epochs) == callbacks.epochs[-1]


def test_every_epoch_is_in_the_checkpoint_and_in_the_history(callbacks, model, tmp_path):
    fit = start(callbacks, model)
    end(fit, 0, 0.5)
    end(fit, 1, 0.4)
    assert read_checkpoint(tmp_path / CHECKPOINT).epochs == tuple(callbacks.epochs)
    assert read_history(tmp_path / "history.csv") == tuple(callbacks.epochs)


def test_the_checkpoint_is_written_before_anything_else(callbacks, model, tmp_path, monkeypatch):
    def fail(*arguments):
        assert [path.name for path in tmp_path.iterdir()] == []
        raise OSError

    monkeypatch.setattr("shutterless.training.callbacks.checkpoint.write_checkpoint", fail)
    with pytest.raises(OSError):
        end(start(callbacks, model), 0, 0.5)


def test_a_phase_with_one_checkpoint_writes_it_at_its_end(callbacks, model, tmp_path):
    fit = start(callbacks, model, "head_training", checkpoint_every_epoch=False)
    end(fit, 0, 0.5)
    assert not (tmp_path / CHECKPOINT).exists()
    for callback in fit:
        callback.on_train_end()
    assert read_checkpoint(tmp_path / CHECKPOINT).phase == "head_training"


@pytest.mark.parametrize("lost", [{"loss": math.nan}, {"val_loss": math.nan}, {"val_loss": math.inf}])
def test_a_loss_that_is_not_finite_stops_the_training_and_is_not_recorded(lost, callbacks, model, tmp_path):
    with pytest.raises(RunError) as caught:
        end(start(callbacks, model), 0, 0.5, **lost)
    assert caught.value.code == "diverged"
    assert list(tmp_path.iterdir()) == []


def test_a_resumed_run_writes_its_history_and_its_best_model_again(callbacks, model, tmp_path):
    end(start(callbacks, model), 0, 0.5)
    (tmp_path / "history.csv").write_text("torn")
    (tmp_path / "model.keras").unlink()
    resumed = RunCallbacks(
        model, tmp_path, progress=silent, on_epoch=lambda epoch: None, epochs=callbacks.epochs
    )
    resumed.best_model.save(model)
    assert resumed.epochs == callbacks.epochs
    assert read_history(tmp_path / "history.csv") == tuple(callbacks.epochs)
    assert keras.models.load_model(tmp_path / "model.keras", compile=False).count_params() > 0


def test_a_run_that_starts_again_removes_the_history_of_epochs_that_no_checkpoint_has(model, tmp_path):
    (tmp_path / "history.csv").touch()
    RunCallbacks(model, tmp_path, progress=silent, on_epoch=lambda epoch: None)
    assert list(tmp_path.iterdir()) == []


def test_an_epoch_is_reported_when_all_its_files_are_written(model, tmp_path):
    files = []

    def on_epoch(epoch):
        files.extend(path.name for path in tmp_path.iterdir())

    callbacks = RunCallbacks(model, tmp_path, progress=silent, on_epoch=on_epoch, tensorboard=True)
    end(start(callbacks, model), 0, 0.5)
    assert set(files) == {CHECKPOINT, "history.csv", "model.keras", "logs"}


def test_progress_counts_the_steps_of_the_whole_phase_also_when_it_is_resumed(callbacks, model, tmp_path):
    end(start(callbacks, model), 0, 0.5)
    reports = []
    resumed = RunCallbacks(
        model,
        tmp_path,
        progress=lambda *report: reports.append(report),
        on_epoch=lambda epoch: None,
        epochs=callbacks.epochs,
    )
    for callback in start(resumed, model):
        callback.on_train_batch_end(0)
    assert reports == [("fine_tuning", 3, 10)]
