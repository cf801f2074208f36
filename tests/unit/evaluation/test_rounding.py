import pytest
from scipy.stats import binomtest

from shutterless.evaluation.rounding import (
    decimals,
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


def test_a_figure_is_rounded_by_its_own_standard_error():
    assert rounded(0.3957, 0.08) == "0.40"
    assert rounded(0.3957, 0.004) == "0.396"
    assert rounded(1.3, 2.0) == "1"
