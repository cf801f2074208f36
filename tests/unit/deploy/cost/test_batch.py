"""What a million photos cost in each place, against figures by hand."""

import pytest

from shutterless.deploy.cost.batch import estimate_batch, spot_vcpu_hour
from shutterless.deploy.cost.prices import load_prices
from shutterless.deploy.cost.workload import Workload
from shutterless.errors import InputError

PRICES = load_prices("us-east-1")


def test_a_million_photos_of_36_milliseconds_are_ten_hours_of_a_core():
    on_lambda, spot, here = estimate_batch(1_000_000, Workload(36, front="url"), PRICES, 0.02)
    assert (on_lambda.place, spot.place, here.place) == ("lambda", "spot", "this machine")
    assert on_lambda.hours == pytest.approx(10 / on_lambda.workers)
    assert spot.hours == pytest.approx(10 / 4)
    assert spot.usd == pytest.approx(10 * 0.02)
    assert here.hours == pytest.approx(10 / here.workers)
    assert here.usd is None
    # Requests $0.20, 36,000 s in 1,769 MB, 1.2 GB of answers and of log lines, and what keeping these costs.
    by_hand = 0.20 + 36_000 * 1769 / 1024 * 0.0000166667 + 1.2 * 0.09 + 1.2 * 0.50
    assert on_lambda.usd == pytest.approx(by_hand, abs=0.01)


def test_the_api_gateway_is_added_and_warm_instances_are_not():
    with_api = estimate_batch(1_000_000, Workload(36), PRICES)[0].usd
    without = estimate_batch(1_000_000, Workload(36, front="url", provisioned=2), PRICES)[0].usd
    assert with_api - without == pytest.approx(3.50)


def test_the_spot_price_is_that_of_the_table_unless_it_is_given():
    assert estimate_batch(1000, Workload(3600), PRICES)[1].usd == pytest.approx(spot_vcpu_hour())
    for price in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(InputError) as error:
            estimate_batch(1000, Workload(3600), PRICES, price)
        assert error.value.code == "invalid-number"
