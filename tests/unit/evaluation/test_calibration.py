import json

import numpy as np
import pytest

from shutterless.evaluation import calibrate
from shutterless.evaluation.calibration import apply_temperature, cross_fit, find_threshold, fit_temperature
from shutterless.runtime.image.decoder import InputSpec
from shutterless.runtime.model.bundle import Bundle
from shutterless.runtime.model.classifier import Classifier

PHOTOS = 2000


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


def drawn(temperature, photos=PHOTOS, seed=3):
    """Return truth and scores of a model whose scores are right when divided by `temperature`."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (photos, 5))
    truth = np.array([rng.choice(5, p=row / row.sum()) for row in softmax(logits).astype(np.float64)])
    return truth, softmax(logits * temperature)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0, 4.0])
def test_the_temperature_that_spoilt_the_scores_is_found(temperature):
    assert fit_temperature(*drawn(temperature)) == pytest.approx(temperature, rel=0.1)


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_calibration_takes_away_the_error_of_an_over_or_underconfident_model(temperature):
    calibration = calibrate(*drawn(temperature))
    assert calibration.error_before > 0.1
    assert calibration.error_after < 0.03
    assert calibration.photos == PHOTOS


def test_a_calibrated_model_shows_the_error_of_chance_and_less_of_it_with_more_photos():
    few, many = (calibrate(*drawn(1.0, photos)) for photos in (200, PHOTOS))
    assert 0.005 < many.error_of_chance < few.error_of_chance < 0.1
    assert many.error_after < 2 * many.error_of_chance


def test_a_model_without_a_mistake_does_not_become_certain_beyond_the_lowest_temperature():
    truth = np.array([0, 1] * 30)
    assert fit_temperature(truth, np.eye(2, dtype=np.float32)[truth] * 0.8 + 0.1) == pytest.approx(0.2, 0.01)


def test_a_score_of_0_does_not_break_the_fit():
    truth = np.array([0, 1, 1, 0])
    scores = np.array([[1, 0], [1, 0], [0, 1], [1, 0]], np.float32)
    assert 0.2 <= fit_temperature(truth, scores) <= 5


def test_scores_are_scaled_as_the_bundle_will_serve_them(monkeypatch, tmp_path):
    scores = drawn(1.0, photos=200)[1]

    class Model:
        inputs, outputs = "uint8[1, 1, 1, 3]", {"probabilities": "float32[1, 5]"}

        def run(self, pixels, outputs):
            return [scores[pixels[0]].tolist()]

    monkeypatch.setattr("shutterless.runtime.model.classifier.load_model", lambda *arguments: Model())
    bundle = Bundle(
        "x", tuple("abcde"), InputSpec(1, 1), "", "", "", "", "", temperature=0.7, folder=str(tmp_path)
    )
    pixels = np.repeat(np.arange(200, dtype=np.uint8), 3).reshape(200, 1, 1, 3)
    np.testing.assert_array_equal(Classifier(bundle).probabilities(pixels), apply_temperature(scores, 0.7))


def test_temperature_changes_no_order_and_1_changes_nothing():
    scores = drawn(1.0, photos=100)[1]
    np.testing.assert_array_equal(apply_temperature(scores, 3.0).argsort(), scores.argsort())
    np.testing.assert_array_equal(apply_temperature(scores, 1.0), scores)


def test_no_photo_is_scaled_by_a_temperature_that_was_fitted_on_it(monkeypatch):
    truth, scores = drawn(1.0, photos=101)
    fitted_on = []

    def fit(truth, probabilities, minimum):
        fitted_on.append(probabilities)
        return 0.5 * len(fitted_on)  # 0.5, then 1.0

    monkeypatch.setattr("shutterless.evaluation.calibration.fit_temperature", fit)
    scaled = cross_fit(truth, scores, np.random.default_rng(0))
    unscaled = np.array([tuple(row) in set(map(tuple, fitted_on[0])) for row in scores])
    assert 50 <= unscaled.sum() <= 51 and len(fitted_on[0]) + len(fitted_on[1]) == 101
    np.testing.assert_array_equal(scaled[unscaled], scores[unscaled])
    np.testing.assert_array_equal(scaled[~unscaled], apply_temperature(scores[~unscaled], 0.5))


def test_every_label_is_shared_out_evenly_over_the_halves(monkeypatch):
    truth = np.repeat([0, 1, 2], [40, 7, 2])
    halves = []
    monkeypatch.setattr(
        "shutterless.evaluation.calibration.fit_temperature",
        lambda truth, probabilities, minimum: halves.append(np.bincount(truth).tolist()) or 1.0,
    )
    cross_fit(truth, np.full((49, 3), 1 / 3, np.float32), np.random.default_rng(0))
    assert np.abs(np.subtract(*halves)).max() <= 1


def threshold(confidence, right, precision=0.75):
    return find_threshold(np.array(confidence, np.float32), np.array(right, bool), precision)


def test_the_threshold_is_the_lowest_that_keeps_the_precision():
    assert threshold([0.5, 0.6, 0.7, 0.8, 0.9], [0, 0, 1, 1, 1]) == pytest.approx(0.6)


def test_a_dip_in_precision_above_the_threshold_does_not_raise_it():
    # From above: 1/1, 1/2, 2/3, 3/4, 3/5: the fourth reaches 0.75 again.
    assert threshold([0.5, 0.6, 0.7, 0.8, 0.9], [0, 1, 1, 0, 1]) == pytest.approx(0.6)


def test_everything_is_accepted_if_that_is_precise_enough():
    assert threshold([0.5, 0.6, 0.7, 0.8], [0, 1, 1, 1]) == 0


def test_the_highest_threshold_is_taken_if_no_other_is_precise_enough():
    assert threshold([0.5, 0.6, 0.7], [1, 1, 0]) == 1


def test_equally_sure_answers_are_accepted_or_refused_together():
    # The first of the three at 0.8 alone would be right.
    assert threshold([0.9, 0.8, 0.8, 0.8], [1, 1, 0, 0]) == pytest.approx(0.9)


def test_the_accepted_answers_are_as_precise_as_was_wanted():
    calibration = calibrate(*drawn(2.0), precision=0.9)
    assert calibration.acceptance.precision >= 0.9
    assert 0.1 < calibration.acceptance.coverage < 0.9
    assert calibrate(*drawn(2.0), precision=0.8).acceptance.coverage > calibration.acceptance.coverage


def test_a_single_photo_can_be_calibrated_on_without_a_crash():
    calibration = calibrate(np.array([0]), np.array([[0.6, 0.4]], np.float32))
    assert (calibration.photos, calibration.acceptance.threshold) == (1, 0.0)


def test_the_same_seed_gives_the_same_figures_as_plain_json_values():
    one, same, other = (calibrate(*drawn(2.0, photos=300), seed=seed) for seed in (1, 1, 2))
    assert one == same != other
    assert json.loads(json.dumps(one.to_json()))["acceptance"]["threshold"] == one.acceptance.threshold


def test_a_few_right_answers_do_not_make_a_model_certain():
    truth = np.arange(9) % 3
    probabilities = np.full((9, 3), 0.05, np.float32)
    probabilities[np.arange(9), truth] = 0.9
    assert calibrate(truth, probabilities).temperature == pytest.approx(1, abs=1e-3)
    assert calibrate(np.tile(truth, 200), np.tile(probabilities, (200, 1))).temperature < 0.5
