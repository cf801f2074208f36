import keras
import numpy as np
import pytest

from shutterless.training.optimization.sam import SharpnessAware

pytestmark = pytest.mark.slow


@pytest.fixture
def batch():
    rng = np.random.default_rng(5)
    return rng.normal(size=(8, 3)).astype(np.float32), np.eye(2, dtype=np.float32)[rng.integers(2, size=8)]


def _model(*layers):
    keras.utils.set_random_seed(7)
    return keras.Sequential([keras.Input((3,)), *layers, keras.layers.Dense(2, activation="softmax")])


def _compiled(model):
    model.compile(keras.optimizers.SGD(0.5), keras.losses.CategoricalCrossentropy(), metrics=["accuracy"])
    return model


def _loss_and_gradients(kernel, bias, pixels, targets):
    logits = pixels @ kernel + bias
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    error = (shares - targets) / len(pixels)
    return -np.log((shares * targets).sum(axis=1)).mean(), pixels.T @ error, error.sum(axis=0)


def test_a_step_takes_its_gradient_uphill_of_the_weights(batch):
    model = _model()
    kernel, bias = (np.array(variable) for variable in model.trainable_variables)
    right = (batch[0] @ kernel + bias).argmax(axis=1) == batch[1].argmax(axis=1)
    loss, *gradients = _loss_and_gradients(kernel, bias, *batch)
    length = 0.3 / np.sqrt(sum((gradient**2).sum() for gradient in gradients))
    _, of_kernel, of_bias = _loss_and_gradients(
        kernel + length * gradients[0], bias + length * gradients[1], *batch
    )

    logs = _compiled(SharpnessAware(model, radius=0.3)).train_on_batch(*batch, return_dict=True)

    np.testing.assert_allclose(model.trainable_variables[0], kernel - 0.5 * of_kernel, atol=1e-5)
    np.testing.assert_allclose(model.trainable_variables[1], bias - 0.5 * of_bias, atol=1e-5)
    assert logs["loss"] == pytest.approx(loss, abs=1e-5)
    assert logs["accuracy"] == pytest.approx(right.mean())


def test_the_first_pass_can_do_with_a_part_of_the_batch(batch):
    model = _model()
    kernel, bias = (np.array(variable) for variable in model.trainable_variables)
    loss, *gradients = _loss_and_gradients(kernel, bias, batch[0][:3], batch[1][:3])
    length = 0.3 / np.sqrt(sum((gradient**2).sum() for gradient in gradients))
    _, of_kernel, _ = _loss_and_gradients(
        kernel + length * gradients[0], bias + length * gradients[1], *batch
    )

    aware = _compiled(SharpnessAware(model, radius=0.3, share=0.3))  # 2.4 of 8 photos, rounded up
    logs = aware.train_on_batch(*batch, return_dict=True)

    np.testing.assert_allclose(model.trainable_variables[0], kernel - 0.5 * of_kernel, atol=1e-5)
    assert logs["loss"] == pytest.approx(loss, abs=1e-5)


def test_photos_are_weighted(batch):
    one = np.eye(8, dtype=np.float32)[0]
    weighted, alone = _model(), _model()
    _compiled(SharpnessAware(weighted, 0.1)).train_on_batch(*batch, sample_weight=8 * one)
    _compiled(SharpnessAware(alone, 0.1)).train_on_batch(batch[0][:1], batch[1][:1])
    for left, right in zip(weighted.weights, alone.weights, strict=True):
        np.testing.assert_allclose(left, right, atol=1e-5)


def test_batch_norm_counts_a_batch_once(batch):
    plain = _compiled(_model(keras.layers.BatchNormalization()))
    aware = _model(keras.layers.BatchNormalization())
    plain.train_on_batch(*batch)
    _compiled(SharpnessAware(aware, 0.3)).train_on_batch(*batch)
    for left, right in zip(plain.non_trainable_variables, aware.non_trainable_variables, strict=True):
        np.testing.assert_allclose(left, right, atol=1e-6)


def test_a_step_that_overflows_changes_no_weights(batch):
    model = _model()
    before = [np.array(weight) for weight in model.weights]
    aware = SharpnessAware(model, 0.3)
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.5), initial_scale=3e38)
    aware.compile(optimizer, keras.losses.CategoricalCrossentropy())
    aware.train_on_batch(100 * batch[0], batch[1])
    for weight, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)
