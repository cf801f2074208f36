"""How often canaries are turned back, on simulated traffic. docs/aws.md has the figures of larger runs."""

import pytest

from simulate_canaries import errors, everything_pants, healthy, retrained, turned_back_after, unsure

SHARE = 0.1


@pytest.mark.parametrize(("requests", "canaries"), [(60, 200), (300, 200), (1_200, 10)])
def test_healthy_canaries_are_hardly_ever_turned_back(requests, canaries):
    """At most 2 % of them, where the test promises 1 %."""
    counts = [turned_back_after(healthy, requests, SHARE, seed) for seed in range(canaries)]
    assert sum(count is not None for count in counts) <= canaries * 0.02


def test_a_model_that_was_trained_again_is_healthy():
    counts = [turned_back_after(retrained, 600, SHARE, seed) for seed in range(20)]
    assert sum(count is not None for count in counts) <= 1


@pytest.mark.parametrize(
    ("model", "requests"),
    [(errors, 180), (everything_pants, 300), (unsure, 2_000)],
    ids=["errors", "everything pants", "unsure"],
)
def test_bad_canaries_are_turned_back(model, requests):
    counts = [turned_back_after(model, requests, SHARE, seed) for seed in range(10)]
    assert sum(count is not None for count in counts) >= 9


@pytest.mark.parametrize("share", [0.02, 0.5])
def test_whatever_the_share(share):
    assert turned_back_after(healthy, 1_200, share, 1) is None
    assert turned_back_after(everything_pants, 1_200, share, 1)
