import numpy as np

from shutterless.monitoring.estimates import estimate
from shutterless.monitoring.label_shift import (
    adapt,
    estimate_shares,
    fit_correction,
    log_scores,
    resample_correction,
)
from tests.unit.monitoring.conftest import draw


def test_shares_of_shifted_labels_are_recovered():
    sample, _ = draw(np.random.default_rng(2), 20_000, shares=(1, 1, 4, 2))
    shares = estimate_shares(sample.scores, np.full(4, 0.25))
    np.testing.assert_allclose(shares, [0.125, 0.125, 0.5, 0.25], atol=0.015)


def test_shares_of_one_label_alone_go_to_one():
    sample, _ = draw(np.random.default_rng(3), 500, shares=(0, 1, 0, 0))
    assert estimate_shares(sample.scores, np.full(4, 0.25))[1] > 0.97


def test_adapted_scores_are_those_of_the_new_prior():
    scores = np.array([[0.5, 0.5], [0.9, 0.1]])
    np.testing.assert_allclose(
        adapt(scores, np.array([0.5, 0.5]), np.array([0.8, 0.2])), [[0.8, 0.2], [36 / 37, 1 / 37]]
    )


def test_scores_of_a_temperature_and_of_biases_are_calibrated():
    sample, truth = draw(np.random.default_rng(4), 20_000)
    biases = np.array([1.0, 0.0, -1.0, 0.0])
    skewed = np.exp(0.5 * log_scores(sample.scores) + biases)
    correction = fit_correction(skewed / skewed.sum(axis=1, keepdims=True), truth)
    assert 1.9 < correction.slope < 2.1
    np.testing.assert_allclose(correction.biases - correction.biases.mean(), -2 * biases, atol=0.15)


def test_a_newton_step_gives_nearly_the_calibration_of_a_bootstrap_sample():
    rng = np.random.default_rng(5)
    sample, truth = draw(rng, 2000)
    correction = fit_correction(sample.scores, truth)
    photos = rng.integers(2000, size=2000)
    weights = np.bincount(photos, minlength=2000)[np.newaxis].astype(float)
    (step,) = resample_correction(correction, sample.scores, truth, weights)
    exact = fit_correction(sample.scores[photos], truth[photos])
    assert abs(step.slope - exact.slope) < 0.02
    assert np.abs(step.biases - exact.biases).max() < 0.03 < np.abs(correction.biases - exact.biases).max()


def test_accuracy_and_shares_are_within_their_intervals():
    rng = np.random.default_rng(6)
    reference, truth = draw(rng, 400)
    now, labels = draw(rng, 400, shares=(1, 1, 3, 1))
    result = estimate(reference, truth, now, draws=100)
    assert result.accuracy.low <= np.mean(now.answers == labels) <= result.accuracy.high
    assert 0.02 < result.accuracy.high - result.accuracy.low < 0.15
    for share, true in zip(result.shares, np.bincount(labels) / len(labels), strict=True):
        assert share.low <= true <= share.high
        assert abs(share.value - true) < 0.05


def test_intervals_are_wider_for_several_pictures_of_one_request():
    rng = np.random.default_rng(7)
    reference, truth = draw(rng, 400)
    now, _ = draw(rng, 400)
    grouped = type(now)(now.scores, now.embeddings, now.novelty, np.arange(400) // 8)
    single, several = (estimate(reference, truth, each, draws=100).accuracy for each in (now, grouped))
    assert several.high - several.low > 1.3 * (single.high - single.low)
