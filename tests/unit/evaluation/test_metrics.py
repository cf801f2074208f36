import numpy as np
import pytest

from shutterless.evaluation import measure
from shutterless.evaluation.metrics import calibration_error

LABELS = ("cat", "dog")


def figures(truth, probabilities):
    return measure(np.array(truth), np.array(probabilities, np.float32), LABELS)


def test_a_perfect_classifier_has_no_fault():
    metrics = figures([0, 1, 1], [[1, 0], [0, 1], [0, 1]])
    assert metrics.accuracy == 1
    assert metrics.loss == 0
    assert metrics.calibration_error == 0
    assert metrics.confusion == ((1, 0), (0, 2))


def test_figures_follow_from_the_confusion():
    # 3 cats, one taken for a dog; 1 dog, taken for a cat.
    metrics = figures([0, 0, 0, 1], [[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]])
    assert metrics.photos == 4
    assert metrics.accuracy == 0.5
    assert metrics.confusion == ((2, 1), (1, 0))
    cat = metrics.per_label["cat"]
    assert (cat.precision, cat.recall, cat.photos) == (pytest.approx(2 / 3), pytest.approx(2 / 3), 3)
    assert metrics.loss == pytest.approx(-np.mean(np.log([0.9, 0.8, 0.3, 0.4])), rel=1e-6)


def test_a_label_that_is_never_guessed_has_precision_0():
    assert figures([0, 1], [[1, 0], [1, 0]]).per_label["dog"].precision == 0


def test_a_label_without_photos_is_still_in_the_table():
    assert figures([0, 0], [[1, 0], [1, 0]]).per_label["dog"].photos == 0


def test_a_true_label_held_for_impossible_costs_much_but_not_infinitely_much():
    loss = figures([0], [[0, 1]]).loss
    assert 10 < loss < 20


def test_calibration_error_is_the_gap_between_confidence_and_accuracy():
    confidence = np.array([0.9] * 10, np.float32)
    right = np.array([True] * 6 + [False] * 4)
    assert calibration_error(confidence, right) == pytest.approx(0.3, abs=1e-6)


def test_calibration_error_does_not_let_one_range_pay_for_another():
    # Too sure by 0.5 at 1.0 and not sure enough by 0.5 at 0.5.
    confidence = np.array([1, 1, 0.5, 0.5], np.float32)
    right = np.array([True, False, True, True])
    assert calibration_error(confidence, right) == pytest.approx(0.5)


def test_metrics_become_plain_json_values():
    document = figures([0, 1], [[1, 0], [0, 1]]).to_json()
    assert document["per_label"]["cat"] == {"precision": 1.0, "recall": 1.0, "f1": 1.0, "photos": 1}
    assert document["accuracy"] == 1.0
