from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kstest

from shutterless.monitoring.sample import Sample, resample
from shutterless.monitoring.signs import ALPHA, compare_ranks, find_signs, holm, permutation_test
from tests.unit.monitoring.conftest import draw


def alarms(reference, now):
    return {sign.name for sign in find_signs(reference, now) if sign.alarms}


@pytest.fixture(scope="module")
def reference():
    return draw(np.random.default_rng(1), 300)[0]


def test_the_same_pictures_raise_no_alarm(reference):
    assert alarms(reference, draw(np.random.default_rng(2), 300)[0]) == set()


def test_another_mix_of_labels_is_found_by_labels_and_scores_alone(reference):
    now, _ = draw(np.random.default_rng(2), 300, shares=(1, 1, 3, 1))
    assert alarms(reference, now) == {"labels", "scores"}


def test_other_pictures_of_the_same_labels_are_found_by_novelty_and_pictures(reference):
    now, _ = draw(np.random.default_rng(2), 300, offset=0.3)
    assert {"novelty", "pictures"} <= alarms(reference, now)
    signs = {sign.name: sign for sign in find_signs(reference, now)}
    assert signs["novelty"].effect > 0.3
    assert signs["pictures"].effect > 0.1


def test_lower_confidence_is_found(reference):
    now, _ = draw(np.random.default_rng(2), 300)
    unsure = Sample(0.7 * now.scores + 0.3 / 4, now.embeddings, now.novelty, now.units)
    signs = {sign.name: sign for sign in find_signs(reference, unsure)}
    assert signs["confidence"].alarms
    assert signs["confidence"].effect < -0.3


def test_pictures_of_one_request_count_once(reference):
    now, _ = draw(np.random.default_rng(2), 40, shares=(1, 1, 3, 1))
    again = np.repeat(np.arange(40), 10)
    assert find_signs(reference, now.take(again)) == find_signs(reference, now)


def test_a_small_difference_raises_no_alarm_however_many_records_show_it(monkeypatch):
    monkeypatch.setattr("shutterless.monitoring.signs.PERMUTATIONS", 9)
    reference, _ = draw(np.random.default_rng(3), 4000)
    now = replace(reference, novelty=reference.novelty + 0.022)
    novelty = find_signs(reference, now)[3]
    assert novelty.adjusted < ALPHA
    assert not novelty.alarms


def test_labels_that_nothing_got_are_no_obstacle(reference):
    now, _ = draw(np.random.default_rng(2), 40, shares=(0, 0, 1, 0))
    assert "labels" in alarms(reference, now)


def test_p_values_without_any_change_are_uniform():
    rng = np.random.default_rng(4)
    groups, ranks, pictures = rng.integers(3, size=120), [], []
    for _ in range(100):
        values, points = rng.integers(20, size=120) + groups, rng.normal(size=(120, 4))
        ranks.append(compare_ranks("novelty", *np.split(values, 2), *np.split(groups, 2)).p_value)
        means = np.stack([points[groups == group].mean(axis=0) for group in range(3)])[groups]
        pictures.append(permutation_test(points - means, np.arange(120) < 60, groups, seed=1))
    assert kstest(ranks, "uniform").pvalue > 0.01
    assert kstest(pictures, "uniform").pvalue > 0.01


def test_holm_corrects_each_p_value_for_those_that_are_no_smaller():
    np.testing.assert_allclose(holm(np.array([0.04, 0.01, 0.5, 0.02])), [0.08, 0.04, 0.5, 0.06])


def test_a_bootstrap_draws_whole_units():
    units = np.array([5, 2, 5, 2, 9])
    rows = resample(units, np.random.default_rng(0))
    counts = np.bincount(rows, minlength=5)
    assert counts[0] == counts[2]
    assert counts[1] == counts[3]
    assert counts[0] + counts[1] + counts[4] == 3
