import keras
import numpy as np
import pytest

from shutterless.training.distillation.loss import DistillationLoss, label_metrics, with_projection
from shutterless.training.recipe import TeacherConfig

LABELS, COMPONENTS = 3, 2
ONE_HOT = np.eye(3, dtype=np.float32)[[0, 2]]
SCORES = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]], np.float32)
FEATURES = np.array([[0.6, 0.8], [1.0, 0.0]], np.float32)
PROBABILITIES = np.array([[0.5, 0.4, 0.1], [0.3, 0.3, 0.4]], np.float32)
PROJECTED = np.array([[3.0, 4.0], [2.0, 2.0]], np.float32)


def teacher(**changes):
    return TeacherConfig(sources=("run",), **changes)


def at_temperature(rows, temperature):
    powers = rows ** (1 / temperature)
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_the_loss_is_that_of_the_formula(temperature):
    config = teacher(temperature=temperature, scores_weight=0.6, features_weight=0.5)
    smoothed = 0.9 * ONE_HOT + 0.1 / LABELS
    cross_entropy = -(smoothed * np.log(PROBABILITIES)).sum(axis=1)
    q, p = at_temperature(SCORES, temperature), at_temperature(PROBABILITIES, temperature)
    divergence = temperature**2 * (q * np.log(q / p)).sum(axis=1)
    distance = 1 - np.array([1.0, 1 / np.sqrt(2)])
    loss = DistillationLoss(LABELS, config, 0.1).call(
        np.concatenate([ONE_HOT, SCORES, FEATURES], axis=1),
        np.concatenate([PROBABILITIES, PROJECTED], axis=1),
    )
    expected = 0.4 * cross_entropy + 0.6 * divergence + 0.5 * distance
    assert np.asarray(loss) == pytest.approx(expected, rel=1e-5)


def test_without_a_teachers_answers_it_is_the_cross_entropy():
    outputs = np.concatenate([PROBABILITIES, PROJECTED], axis=1)
    loss = DistillationLoss(LABELS, teacher(), 0.0).call(ONE_HOT, outputs)
    assert np.asarray(loss) == pytest.approx(-np.log([0.5, 0.4]), rel=1e-5)


def test_a_student_that_answers_as_its_teacher_has_no_divergence():
    config = teacher(scores_weight=1.0)
    loss = DistillationLoss(LABELS, config, 0.0).call(np.concatenate([ONE_HOT, SCORES], axis=1), SCORES)
    assert np.asarray(loss) == pytest.approx([0, 0], abs=1e-6)


@pytest.mark.parametrize("targets", [ONE_HOT, np.concatenate([ONE_HOT, SCORES, FEATURES], axis=1)])
def test_the_metrics_are_those_of_the_labels(targets):
    accuracy, log_loss = label_metrics(LABELS)
    for metric in (accuracy, log_loss):
        metric.update_state(targets, np.concatenate([PROBABILITIES, PROJECTED], axis=1))
    assert (accuracy.name, log_loss.name) == ("accuracy", "log_loss")
    assert float(accuracy.result()) == 1
    assert float(log_loss.result()) == pytest.approx(-np.log([0.5, 0.4]).mean(), rel=1e-5)


def test_the_projection_is_linear_and_the_model_keeps_its_layers():
    inputs = keras.Input((4,))
    features = keras.layers.Dense(5, activation="relu")(inputs)
    head = keras.Sequential([keras.Input((5,)), keras.layers.Dense(LABELS, activation="softmax")])
    model = keras.Model(inputs, head(features))
    trained = with_projection(model, COMPONENTS)
    x = np.random.default_rng(1).normal(size=(6, 4)).astype(np.float32)
    outputs = trained.predict_on_batch(x)
    assert np.array_equal(outputs[:, :LABELS], model.predict_on_batch(x))
    dense = trained.get_layer("teacher_projection")
    pooled = keras.Model(inputs, features).predict_on_batch(x)
    expected = pooled @ np.asarray(dense.kernel) + np.asarray(dense.bias)
    assert outputs[:, LABELS:] == pytest.approx(expected, abs=1e-5)
