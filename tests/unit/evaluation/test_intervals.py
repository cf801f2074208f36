import numpy as np
import pytest
from scipy.stats import binomtest

from shutterless.evaluation.intervals import (
    decimals,
    effective_photos,
    percentage,
    percentage_of,
    percentage_with_interval,
    rounded,
    wilson_interval,
)


@pytest.mark.parametrize(("right", "photos"), [(317, 341), (50, 100), (0, 10), (10, 10), (1, 1)])
def test_the_interval_of_an_accuracy_is_wilsons(right, photos):
    expected = binomtest(right, photos).proportion_ci(0.95, "wilson")
    assert wilson_interval(right, photos) == pytest.approx((expected.low, expected.high), abs=1e-6)


@pytest.mark.parametrize(
    ("error", "places"), [(31, 0), (1, 0), (0.99, 1), (0.1, 1), (0.04, 2), (0, 4), (1e-9, 4)]
)
def test_the_last_decimal_is_the_first_significant_digit_of_the_standard_error(error, places):
    assert decimals(error) == places


@pytest.mark.parametrize(
    ("right", "photos", "text"),
    [
        (49, 52, "94 %"),
        (5, 5, "100 %"),
        (317, 341, "93 %"),
        (3159, 3409, "92.7 %"),
        (99_874, 100_000, "99.87 %"),
        (0, 0, "–"),
    ],
)
def test_a_share_has_the_digits_that_its_photos_support(right, photos, text):
    assert percentage(right, photos) == text


def test_a_share_is_given_with_its_count_and_its_interval():
    assert percentage_of(3159, 3409) == "92.7 % (3,159 of 3,409)"
    assert percentage_with_interval(49, 52) == "94 % (49 of 52; 95 % interval 84 to 98 %)"
    assert percentage_with_interval(0, 0) == "–"
    assert percentage_with_interval(392, 416, 52) == "94 % (392 of 416; 95 % interval 84 to 98 %)"


def test_a_figure_is_rounded_by_its_own_standard_error():
    assert rounded(0.3957, 0.08) == "0.40"
    assert rounded(0.3957, 0.004) == "0.396"
    assert rounded(1.3, 2.0) == "1"


def test_photos_on_their_own_all_count():
    assert effective_photos([True, False, True, True], "abcd") == 4


def test_copies_of_a_photo_count_once():
    right = [True, True, True, False, False, False, True, True, True, True, True, True]
    # By hand: a share of 3/4, groups off by ±3/4 and 9/4, so 4/3 · (3 · 9/16 + 81/16) = 9 over 9/4.
    assert effective_photos(right, "aaabbbcccddd") == pytest.approx(12 / 4)


def test_groups_whose_answers_differ_inside_cost_nothing():
    assert effective_photos([True, False] * 6, "aabbccddeeff") == 12


def test_where_all_answers_are_right_there_are_as_many_photos_as_groups():
    assert effective_photos([True] * 6, "aaabbc") == 3


def test_the_interval_covers_the_truth_as_often_as_it_says_with_bursts():
    rng = np.random.default_rng(5)
    covered = 0
    for _ in range(300):
        things = rng.random(60) < 0.8
        right = np.repeat(things, 8) ^ (rng.random(480) < 0.02)
        truth = 0.8 * 0.98 + 0.2 * 0.02
        size = effective_photos(right.tolist(), np.repeat(np.arange(60), 8).tolist())
        low, high = wilson_interval(right.mean() * size, size)
        covered += low <= truth <= high
    assert covered / 300 > 0.9
