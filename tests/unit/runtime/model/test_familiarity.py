import bisect
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shutterless.runtime.model.familiarity import (
    MAX_DISTANCES,
    MAX_SCORES,
    MAX_WEIGHT,
    Familiarity,
    combine,
    parse_familiar,
)

DOCUMENT = {
    "weights": [1.0, 0.25],
    "scores": [0.5, 1, 1.0, 2.5],
    "photos": 4,
    "false_alarm_rate": 0.02,
    "measured": {},
}
SCORES = st.lists(st.floats(-1e30, 1e30), min_size=1, max_size=30).map(sorted).map(tuple)


def p_value(scores: tuple[float, ...], score: float) -> float:
    return Familiarity((1.0,), scores, 0.02).p_value([score])


@settings(deadline=None)
@given(SCORES, st.floats(-1e30, 1e30))
def test_the_p_value_counts_the_scores_that_are_no_lower(scores, score):
    at_least = sum(other >= score for other in scores)
    assert at_least == len(scores) - bisect.bisect_left(scores, score)
    assert p_value(scores, score) == (1 + at_least) / (1 + len(scores))


@settings(deadline=None)
@given(SCORES, st.floats(-1e30, 1e30), st.floats(-1e30, 1e30))
def test_a_stranger_picture_has_no_higher_p_value(scores, one, other):
    low, high = sorted((one, other))
    assert 1 >= p_value(scores, low) >= p_value(scores, high) > 0


@settings(deadline=None)
@given(SCORES, st.floats(0.001, 0.999))
def test_no_more_familiar_pictures_are_refused_than_the_rate_says(scores, rate):
    """Each score in turn as the picture, the others as validation photos: exchangeable, so conformal."""
    refused = sum(
        p_value(scores[:index] + scores[index + 1 :], score) <= rate
        for index, score in enumerate(scores)
        if len(scores) > 1
    )
    assert refused <= rate * len(scores)


def test_distances_are_weighted_and_rounded_once():
    assert combine([1.0, 0.25, -2.0], [3.0, 4.0, 0.5]) == 3.0
    assert combine([1.0] * 10, [0.1] * 10) == math.fsum([0.1] * 10) == 1.0
    row = np.array([0.1, 0.7], np.float32)
    assert combine([1e-9, 3.0], row) == combine([1e-9, 3.0], row.tolist())
    with pytest.raises(ValueError):
        combine([1.0], [1.0, 2.0])


def test_the_largest_distances_do_not_overflow():
    largest = float(np.finfo(np.float32).max)
    weights = (MAX_WEIGHT,) * MAX_DISTANCES
    assert Familiarity(weights, (0.0,), 0.5).p_value([largest] * MAX_DISTANCES) == 0.5


def test_a_description_is_parsed_to_floats():
    assert parse_familiar({**DOCUMENT, "later": 1}) == Familiarity((1.0, 0.25), (0.5, 1.0, 1.0, 2.5), 0.02)
    assert {*map(type, parse_familiar(DOCUMENT).scores)} == {float}


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("weights", []),
        ("weights", 1.0),
        ("weights", "12"),
        ("weights", [True]),
        ("weights", [None]),
        ("weights", [10**400]),
        ("weights", [math.nan]),
        ("weights", [MAX_WEIGHT * 1.01]),
        ("weights", [-MAX_WEIGHT * 1.01]),
        ("weights", [1.0] * (MAX_DISTANCES + 1)),
        ("scores", []),
        ("scores", [1.0, 0.5]),
        ("scores", [math.inf]),
        ("scores", ["1"]),
        ("scores", [1.0] * (MAX_SCORES + 1)),
        ("false_alarm_rate", 0),
        ("false_alarm_rate", 1),
        ("false_alarm_rate", -0.1),
        ("false_alarm_rate", math.nan),
        ("false_alarm_rate", "0.02"),
        ("photos", -1),
        ("photos", 4.0),
        ("photos", True),
        ("measured", None),
        ("measured", []),
    ],
)
def test_an_invalid_description_is_refused(member, value):
    with pytest.raises(ValueError):
        parse_familiar({**DOCUMENT, member: value})


@pytest.mark.parametrize("member", DOCUMENT)
def test_a_missing_member_is_refused(member):
    with pytest.raises(ValueError):
        parse_familiar({name: value for name, value in DOCUMENT.items() if name != member})


def test_a_description_may_be_as_large_as_the_limits():
    limits = {"weights": [MAX_WEIGHT] * MAX_DISTANCES, "scores": [1.0] * MAX_SCORES}
    assert len(parse_familiar({**DOCUMENT, **limits}).scores) == MAX_SCORES
