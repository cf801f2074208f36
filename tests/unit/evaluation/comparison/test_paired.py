import numpy as np
import pytest

from shutterless.evaluation.comparison.paired import (
    accuracy_difference,
    design_effect,
    mcnemar,
    mean_difference,
)


def gains(better, worse, photos):
    return np.array([1] * better + [-1] * worse + [0] * (photos - better - worse))


@pytest.mark.parametrize(
    ("better", "worse", "p_value"),
    [(0, 0, 1.0), (1, 1, 1.0), (5, 0, 2 * 0.5**5), (9, 1, 22 / 1024), (1, 9, 22 / 1024)],
)
def test_mcnemar_is_the_exact_binomial_test_of_the_changes(better, worse, p_value):
    result = mcnemar(gains(better, worse, 30), range(30))
    assert (result.better, result.worse) == (better, worse)
    assert result.p_value == pytest.approx(p_value)


def test_photos_of_the_same_thing_count_once():
    changes = np.array([1, 1, 1, 1, 1, 1, -1, 0])
    assert mcnemar(changes, range(8)).p_value == pytest.approx(2 * (1 + 7) / 2**7)
    grouped = mcnemar(changes, ["hat"] * 3 + ["coat"] * 4 + ["shoe"])
    assert (grouped.better, grouped.worse, grouped.p_value) == (2, 0, 0.5)


def test_half_a_photo_is_added_to_each_cell_of_the_interval():
    result = accuracy_difference(gains(37, 16, 144), range(144))
    assert result.value == pytest.approx(21 / 144)
    middle, half = 21 / 146, 1.959964 * np.sqrt(54 - 21**2 / 146) / 146
    assert (result.low, result.high) == pytest.approx((middle - half, middle + half))


@pytest.mark.parametrize("photos", [1, 5, 100])
def test_without_a_change_the_interval_still_has_a_width(photos):
    result = accuracy_difference(gains(0, 0, photos), range(photos))
    assert -1 <= result.low < result.value == 0 < result.high <= 1


def test_copies_of_each_photo_widen_no_interval_and_narrow_none():
    rng = np.random.default_rng(3)
    losses, changes = rng.normal(0.1, 1, 200), rng.choice([-1, 0, 0, 1], 200)
    groups = np.arange(200)
    for function, values in ((mean_difference, losses), (accuracy_difference, changes)):
        alone = function(values, groups)
        copied = function(np.repeat(values, 4), np.repeat(groups, 4))
        assert copied.value == pytest.approx(alone.value)
        assert copied.high - copied.low == pytest.approx(alone.high - alone.low, rel=0.02)


def test_the_interval_of_a_mean_holds_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(5)
    results = [mean_difference(rng.normal(0.3, 1, 50), range(50)) for _ in range(1000)]
    assert np.mean([result.low < 0.3 < result.high for result in results]) == pytest.approx(0.94, abs=0.02)


def test_a_single_photo_and_equal_values_have_a_design_effect():
    assert design_effect(np.array([2.0]), ["a"]) == 1
    assert design_effect(np.array([1.0, 1.0, 1.0, 1.0]), ["a", "a", "b", "b"]) == 2
    assert design_effect(np.array([1.0, -1.0, 1.0, -1.0]), ["a", "a", "b", "b"]) == 1
