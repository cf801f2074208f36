"""The three bills that docs/cost.md works out by hand. The numbers are copied from there, not computed."""

import pytest

from shutterless.deploy.cost.estimate import estimate_cost
from shutterless.deploy.cost.prices import load_prices
from shutterless.deploy.cost.workload import Workload

SPARSE = {
    "Lambda requests": 0.00002,
    "Lambda duration": 0.0000345508,
    "Cold starts": 0.000569309,
    "API Gateway requests": 0.00035,
    "Data out": 0.0000108,
    "Logs written": 0.00006,
    "Logs kept": 0.000000532603,
    "Alarms": 0.40,
    "Metrics": 0.153601,
    "Zips kept": 0.001725,
}
BUSY = {
    "Lambda requests": 0.40,
    "Lambda duration": 0.691017,
    "Cold starts": 0.0137384,
    "API Gateway requests": 7.00,
    "Data out": 0.216,
    "Logs written": 1.20,
    "Logs kept": 0.0106521,
    "Alarms": 0.40,
    "Metrics": 1.20,
    "Zips kept": 0.001725,
}
IDLE = {"Alarms": 0.40, "Zips kept": 0.001725}


@pytest.mark.parametrize(
    ("requests", "items", "total"), [(100, SPARSE, 0.556371), (2_000_000, BUSY, 11.1331), (0, IDLE, 0.401725)]
)
def test_a_bill_worked_out_by_hand_is_met_within_two_percent(requests, items, total):
    bill = estimate_cost(Workload(12, requests=requests, start_ms=200), load_prices("us-east-1"))
    assert bill.monthly_usd == pytest.approx(total, rel=0.02)
    assert {item.name: item.usd for item in bill.items if item.usd} == pytest.approx(items, rel=0.02)


def test_images_are_kept_in_another_registry_at_another_price():
    bills = [estimate_cost(Workload(12, package=each), load_prices("us-east-1")) for each in ("zip", "image")]
    zips, images = ({item.name: item.usd for item in bill.items} for bill in bills)
    assert (zips.pop("Zips kept"), images.pop("Images kept")) == pytest.approx((0.075 * 0.023, 0.15 * 0.10))
    assert zips == images  # the initialization of both is billed
