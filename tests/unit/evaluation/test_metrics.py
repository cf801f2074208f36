import numpy as np
import pytest

from shutterless.evaluation import Acceptance, measure
from shutterless.evaluation.metrics import Confusion, calibration_bins, calibration_error, calibration_text

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
    confidence = np.array([1, 1, 0.5, 0.5] * 20, np.float32)
    right = np.array([True, False, True, True] * 20)
    assert calibration_error(confidence, right) == pytest.approx(0.5)


def test_calibration_error_does_not_depend_on_the_order_of_equally_sure_photos():
    confidence = np.full(400, 0.75, np.float32)
    right = np.arange(400) < 300
    assert calibration_error(confidence, right) == pytest.approx(0, abs=1e-9)


def test_bins_of_confidence_hold_equal_numbers_and_never_less_than_some():
    confidence = np.random.default_rng(1).random(1000).astype(np.float32) ** 8
    assert np.bincount(calibration_bins(confidence)).tolist() == [100] * 10
    assert np.bincount(calibration_bins(confidence[:50])).tolist() == [25, 25]
    assert np.bincount(calibration_bins(confidence[:5])).tolist() == [5]


def test_what_a_threshold_accepts_is_its_share_and_how_much_of_that_is_right():
    probabilities = [[0.9, 0.1], [0.8, 0.2], [0.25, 0.75], [0.6, 0.4]]
    measured = measure(np.array([0, 1, 1, 1]), np.array(probabilities, np.float32), LABELS, threshold=0.75)
    assert measured.acceptance == Acceptance(
        0.75, coverage=0.75, precision=pytest.approx(2 / 3), photos=3, right=2
    )


def test_a_threshold_that_accepts_nothing_has_no_precision():
    measured = measure(np.array([0]), np.array([[0.6, 0.4]], np.float32), LABELS, threshold=1.0)
    assert measured.acceptance == Acceptance(1.0, coverage=0.0, precision=None, photos=0, right=0)


def test_a_model_without_a_threshold_is_measured_without_one():
    assert figures([0, 1], [[1, 0], [0, 1]]).acceptance is None


def test_metrics_become_plain_json_values():
    document = figures([0, 1], [[1, 0], [0, 1]]).to_json()
    assert document["per_label"]["cat"] == {
        "precision": 1.0,
        "recall": 1.0,
        "f1": 1.0,
        "photos": 1,
        "predicted": 1,
        "right": 1,
    }
    assert (document["accuracy"], document["right"], document["confusions"]) == (1.0, 2, [])


def test_confusions_are_listed_the_most_frequent_first():
    guesses = {"a": "aabbb", "b": "bbc", "c": "a"}
    labels = ("a", "b", "c")
    truth = [labels.index(label) for label, answers in guesses.items() for _ in answers]
    scores = np.eye(3)[[labels.index(answer) for answers in guesses.values() for answer in answers]]
    metrics = measure(np.array(truth), scores.astype(np.float32), labels)
    assert metrics.confusions() == [
        Confusion("a", "b", 3, 0.6),
        Confusion("c", "a", 1, 1.0),
        Confusion("b", "c", 1, pytest.approx(1 / 3)),
    ]
    assert metrics.to_json()["confusions"][0] == {"label": "a", "predicted": "b", "photos": 3, "share": 0.6}


def test_the_log_loss_has_a_standard_error():
    metrics = figures([0, 0, 0, 1], [[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]])
    losses = -np.log([0.9, 0.8, 0.3, 0.4])
    assert metrics.loss_error == pytest.approx(np.std(losses) / 2, rel=1e-6)


def test_a_calibration_error_of_few_photos_is_not_stated():
    assert "52 photos are too few; 200 needed" in calibration_text(0.006, 49, 52)
    assert calibration_text(0.0314, 317, 341) == "0.03"
    assert calibration_text(0.0314, 9300, 10000) == "0.031"
