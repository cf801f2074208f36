import heapq
import math
from random import Random

import pytest

from shutterless.deploy.cost.cold_starts import estimate_cold_share
from shutterless.deploy.cost.workload import Workload

MONTH_S = 2_628_000


def simulate_cold_share(rate, duration_s, lifetime_s, requests):
    """Return the cold share of random requests, each of which goes to the first instance that is idle."""
    random, now, cold = Random(7), 0.0, 0
    idle: dict[int, float] = {}  # instance: since when
    busy: list[tuple[float, int]] = []  # until when, instance
    for _ in range(requests):
        now += random.expovariate(rate)
        while busy and busy[0][0] <= now:
            end, instance = heapq.heappop(busy)
            idle[instance] = end
        idle = {instance: since for instance, since in idle.items() if now - since <= lifetime_s}
        if idle:
            instance = min(idle)
            del idle[instance]
        else:
            cold += 1
            instance = min(set(range(len(busy) + 1)) - {each for _, each in busy})
        heapq.heappush(busy, (now + duration_s, instance))
    return cold / requests


@pytest.mark.parametrize(
    ("requests", "duration_s"),
    [
        (100, 0.1),
        (3_000, 0.1),
        (10_000, 1.0),
        (30_000, 0.1),
        (100_000, 1.0),
        (300_000, 0.1),
        (2_000_000, 1.0),
    ],
)
def test_the_estimate_is_that_of_a_simulation(requests, duration_s):
    rate = requests / MONTH_S
    simulated = simulate_cold_share(rate, duration_s, 300, 30_000)
    assert estimate_cold_share(rate, duration_s) == pytest.approx(simulated, rel=0.15, abs=0.003)


def test_a_single_instance_is_cold_after_a_gap_longer_than_its_lifetime():
    assert estimate_cold_share(0.001, 0.0, lifetime_s=600) == pytest.approx(math.exp(-0.6))


def test_without_traffic_every_request_is_cold():
    assert estimate_cold_share(0.0, 0.1) == 1.0


def test_a_workload_estimates_its_cold_starts_unless_their_share_is_given():
    assert Workload(100, requests=100).cold_starts == pytest.approx(98.87, abs=0.01)
    assert Workload(100, requests=100, cold_share=0.5).cold_starts == 50
    assert Workload(100, requests=100, provisioned=1).cold_starts == 0
