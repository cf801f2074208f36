"""Thresholds between familiar and novel pictures: what they promise, whatever the distances are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shutterless.novelty.conformal import (
    Familiarity,
    cross_fitted_false_alarms,
    fit_familiarity,
    thin,
)


def column(values):
    return np.asarray(values, np.float32)[:, np.newaxis]


def test_the_p_value_counts_the_scores_that_are_as_high():
    familiarity = Familiarity((2.0,), (1.0, 2.0, 4.0, 4.0), 4, 0.25)
    distances = column([0, 1, 2, 3])
    assert familiarity.score(distances).tolist() == [0, 2, 4, 6]
    assert familiarity.p_values(distances).tolist() == [1, 0.8, 0.6, 0.2]
    assert familiarity.novelty(distances) == pytest.approx([0, 0.2, 0.4, 0.8])
    assert familiarity.is_familiar(distances).tolist() == [True, True, True, False]


@settings(deadline=None, max_examples=50)
@given(st.integers(50, 3000), st.sampled_from([0.02, 0.05, 0.1]))
def test_of_exchangeable_photos_at_most_the_promised_share_is_refused(photos, rate):
    """Among n + 1 photos in random order, each rank of the last is equally likely: try all of them."""
    ranks = np.arange(photos + 1.0)
    scores = np.delete(ranks, photos // 2)
    familiarity = Familiarity((1.0,), tuple(thin(scores)), photos, rate)
    lowest_refused = ranks[~familiarity.is_familiar(column(ranks + 0.5))]
    # A new photo above the r-th of n scores has a probability of (n - r) / (n + 1) to be that high.
    assert len(lowest_refused) / (photos + 1) <= rate


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 5000), st.integers(1, 1000))
def test_thinned_scores_are_quantiles_rounded_up(photos, limit):
    scores = np.arange(photos)
    thinned = thin(scores, limit)
    assert len(thinned) == min(photos, limit)
    assert thinned[-1] == photos - 1
    assert (np.diff(thinned) >= 1).all()
    if photos > limit:
        assert (thinned + 1 >= photos * np.arange(1, limit + 1) / limit).all()


def test_with_fewer_than_49_photos_nothing_is_refused():
    familiarity = fit_familiarity(column(range(48)))
    assert familiarity.is_familiar(column([1e9])).all()
    assert not fit_familiarity(column(range(49))).is_familiar(column([1e9])).any()


def test_each_distance_weighs_as_much_as_it_varies():
    rng = np.random.default_rng(0)
    distances = rng.normal(size=(500, 2)) * [1, 100] + 1000
    familiarity = fit_familiarity(distances)
    assert familiarity.weights == pytest.approx([1, 0.01], rel=0.1)
    assert familiarity.to_json() == {
        "weights": list(familiarity.weights),
        "scores": list(familiarity.scores),
        "photos": 500,
        "false_alarm_rate": 0.02,
    }


def test_a_distance_that_never_varies_gives_finite_scores():
    distances = np.column_stack([np.ones(100), np.arange(100)])
    assert np.isfinite(fit_familiarity(distances).scores).all()


def test_cross_fitted_false_alarms_are_near_the_rate():
    rng = np.random.default_rng(0)
    rate = cross_fitted_false_alarms(rng.chisquare(5, size=(400, 2)), np.arange(400) % 4)
    assert 0.01 < rate < 0.025
