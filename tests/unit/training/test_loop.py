import keras
import numpy as np
import pytest

from shutterless.training.backbones.registry import find_backbone
from shutterless.training.callbacks.run_callbacks import RunCallbacks
from shutterless.training.data import Batches, pixels_of, weighted
from shutterless.training.loop import compile_for, fit_head, fit_model
from shutterless.training.model import build_model
from shutterless.training.recipe import HeadConfig, HeadPhase, ModelPhase
from shutterless.utils.progress import silent

pytestmark = pytest.mark.slow

PHASE = {"epochs": 5, "batch_size": 5, "learning_rate": 0.1}


@pytest.fixture
def model():
    keras.utils.set_random_seed(3)
    return build_model(find_backbone("tiny"), HeadConfig(), labels=2, image_size=32, weights="none", cut=None)


@pytest.fixture
def epochs():
    return []


@pytest.fixture
def callbacks(model, epochs, tmp_path):
    return RunCallbacks(model.full, tmp_path, progress=silent, on_epoch=epochs.append)


@pytest.fixture
def batches():
    """Return ten pictures, dark ones of the first label and bright ones of the second."""
    bright = np.arange(10) % 2
    pixels = np.broadcast_to(50 + 150 * bright[:, None, None, None], (10, 32, 32, 3)).astype(np.uint8)
    return Batches(pixels_of(pixels), np.eye(2, dtype=np.float32)[bright], batch_size=5, seed=1)


@pytest.fixture
def features(model, batches):
    """Return the features of the ten pictures, and their targets."""
    pixels, targets = map(np.concatenate, zip(*(batches[number] for number in range(2)), strict=True))
    return model.features.predict_on_batch(pixels), targets


def test_the_learning_rate_warms_up_and_decays_to_nothing(model):
    compile_for(model.head, ModelPhase(**PHASE, warmup_epochs=1), photos=10)
    rate = model.head.optimizer._learning_rate
    assert [float(rate(step)) for step in (0, 1, 2, 10)] == pytest.approx([0, 0.05, 0.1, 0], abs=1e-6)
    assert 0 < float(rate(8)) < float(rate(4)) < 0.1


def test_without_a_warm_up_it_starts_at_its_highest(model):
    compile_for(model.head, HeadPhase(**PHASE), photos=10)
    assert float(model.head.optimizer._learning_rate(0)) == pytest.approx(0.1)


def test_the_phase_sets_the_momentum_of_batch_norm(model, batches, callbacks):
    fit_model(model, batches, batches, ModelPhase(**PHASE, batch_norm_momentum=0.5), callbacks)
    layers = [
        layer
        for layer in model.features._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    assert {layer.momentum for layer in layers} == {0.5}


def test_frozen_layers_keep_their_weights_and_the_others_learn(model, batches, callbacks):
    backbone = next(layer for layer in model.features.layers if isinstance(layer, keras.Model))
    before = [np.array(weight) for weight in backbone.weights]
    fit_model(model, batches, batches, ModelPhase(**PHASE, frozen_share=0.5), callbacks)
    moved = [not np.array_equal(old, new) for old, new in zip(before, backbone.weights, strict=True)]
    assert moved == sorted(moved)
    assert any(moved)
    assert not all(moved)


def test_training_ends_early_without_progress(model, batches, callbacks, epochs):
    phase = ModelPhase(**{**PHASE, "epochs": 40}, patience=2)
    fit_model(model, batches, batches, phase, callbacks)
    best = max(epoch.epoch for epoch in epochs if epoch.best)
    first = min(epoch.epoch for epoch in epochs if epoch.val_accuracy == 1)
    assert len(epochs) == first + 2 < 40
    assert first <= best


def test_a_head_learns_from_features(model, features, callbacks, epochs):
    before = [np.array(variable) for variable in model.features.variables]
    fit_head(model.head, features, features, HeadPhase(**PHASE), callbacks)
    assert len(epochs) == PHASE["epochs"]
    assert epochs[-1].loss < epochs[0].loss
    for variable, value in zip(model.features.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_a_constant_schedule_keeps_the_learning_rate_of_plain_adam(model):
    compile_for(model.head, ModelPhase(**PHASE, optimizer="adam", schedule="constant"), photos=10)
    assert type(model.head.optimizer) is keras.optimizers.Adam
    assert float(model.head.optimizer.learning_rate) == pytest.approx(0.1)


def test_a_frozen_phase_trains_the_head_and_leaves_the_backbone_as_it_is(model, batches, callbacks):
    before = [np.array(variable) for variable in model.features.variables]
    head = [np.array(variable) for variable in model.head.trainable_variables]
    fit_model(model, batches, batches, ModelPhase(**PHASE), callbacks, name="frozen_training", frozen=True)
    for variable, value in zip(model.features.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)
    assert not np.array_equal(model.head.trainable_variables[0], head[0])
    assert {epoch.phase for epoch in callbacks.epochs} == {"frozen_training"}


def test_a_phase_behind_a_frozen_one_trains_the_backbone_again(model, batches, callbacks):
    phase = ModelPhase(**{**PHASE, "epochs": 1})
    fit_model(model, batches, batches, phase, callbacks, name="frozen_training", frozen=True)
    kernel = model.features.get_layer("tiny").get_layer(index=1).kernel
    before = np.array(kernel)
    fit_model(model, batches, batches, phase, callbacks)
    assert not np.array_equal(kernel, before)


def test_averaged_weights_are_what_is_validated_and_saved(model, batches, callbacks, tmp_path):
    phase = ModelPhase(**{**PHASE, "epochs": 1}, weight_average=0.5)
    fit_model(model, batches, batches, phase, callbacks)
    average = [np.array(value) for value in model.full.optimizer._model_variables_moving_average]
    saved = keras.models.load_model(tmp_path / "model.keras", compile=False)
    for variable, value in zip(saved.trainable_variables, average, strict=True):
        np.testing.assert_allclose(variable, value, rtol=1e-6)
    saved.compile(loss="categorical_crossentropy", metrics=["accuracy"])
    measured = saved.evaluate(batches, verbose=0, return_dict=True)
    assert measured["loss"] == pytest.approx(callbacks.epochs[0].val_loss, rel=1e-4)


def test_what_learns_by_sharpness_is_saved_as_any_network(model, batches, callbacks, epochs, tmp_path):
    fit_model(model, batches, batches, ModelPhase(**PHASE, sharpness_radius=0.05), callbacks)
    saved = keras.models.load_model(tmp_path / "model.keras", compile=False)
    saved.compile(loss="categorical_crossentropy", metrics=["accuracy"])
    measured = saved.evaluate(batches, verbose=0, return_dict=True)
    best = max((epoch for epoch in epochs if epoch.best), key=lambda epoch: epoch.epoch)
    assert measured["loss"] == pytest.approx(best.val_loss, rel=1e-4)
    assert epochs[-1].loss < epochs[0].loss / 2


def test_weights_of_labels_reach_the_head(model, features, callbacks):
    """A label that counts for nothing is not learnt: every photo is taken for the other one."""
    data = weighted(*features, np.array([0, 1], np.float32))
    fit_head(model.head, data, features, HeadPhase(**PHASE), callbacks)
    assert callbacks.epochs[-1].val_accuracy == 0.5
