"""Bills calculated by hand, with the prices of us-east-1 as of the table's date."""

from dataclasses import replace

import pytest

from shutterless.deploy.cost.estimate import estimate_cost, find_cheapest, sweep_memory
from shutterless.deploy.cost.prices import load_prices
from shutterless.deploy.cost.workload import CPU_MB, Workload
from shutterless.deploy.options import Options
from shutterless.deploy.template.code import ImageCode
from shutterless.deploy.template.template import build_template
from shutterless.errors import InputError

US = load_prices("us-east-1")


def usd(workload, prices=US):
    return {item.name: item.usd for item in estimate_cost(workload, prices).items}


def near(value):
    return pytest.approx(value, rel=1e-6)


def test_the_default_of_100_000_requests_of_100_ms():
    """100,000 × 0.1 s × 1,769 / 1,024 GB = 17,275.390625 GB-s, × $0.0000166667 = $0.28792375."""
    assert usd(Workload(100)) == {
        "Lambda requests": near(0.1 * 0.20),
        "Lambda duration": near(0.28792375),
        "Cold starts": pytest.approx(364.228 * 0.2 * 1769 / 1024 * 0.0000166667, rel=1e-5),
        "API Gateway requests": near(0.1 * 3.50),
        "Data out": near(0.12 * 0.09),  # 1,200 bytes each
        "Logs written": near(0.12 * 0.50),
        "Logs kept": near(0.12 * 0.15 * 30 / (730 / 24) * 0.03),
        "Alarms": near(0.40),
        "Metrics": near(1.20),
        "Zips kept": near(0.001725),
    }


def test_sums_of_a_bill_are_those_of_its_items():
    bill = estimate_cost(Workload(100), US)
    assert bill.monthly_usd == near(2.3330788)
    assert bill.fixed_usd == near(0.40 + 0.001725)
    assert bill.per_request_usd == near((bill.monthly_usd - bill.fixed_usd - 1.20) / 100_000)


def test_the_free_tier_is_listed_apart_and_covers_no_more_than_there_is():
    """1 million requests and 400,000 GB-s are free; 5 million requests of 100 ms use 863,769.53125."""
    items = {item.name: item.free_usd for item in estimate_cost(Workload(100, requests=5_000_000), US).items}
    assert items["Lambda requests"] == near(0.20)
    assert items["Lambda duration"] == near(400_000 * 0.0000166667)
    assert items["Alarms"] == near(0.40)
    assert items["API Gateway requests"] == items["Zips kept"] == 0


def test_durations_are_rounded_up_to_a_millisecond():
    assert Workload(9.01, memory=1024, requests=1000).gb_seconds == near(10)


def test_arm_is_cheaper_per_second():
    assert usd(Workload(100, architecture="arm64"))["Lambda duration"] == near(17_275.390625 * 0.0000133334)


def test_api_requests_get_cheaper_in_tiers():
    """2,000 million: 333 × $3.50 + 667 × $2.80 + 1,000 × $2.38."""
    assert usd(Workload(1, requests=2_000_000_000))["API Gateway requests"] == near(1165.5 + 1867.6 + 2380)


def test_instances_kept_warm_cost_by_the_hour_and_run_cheaper_without_free_tier():
    """2 × 1 GB × 2,628,000 s of a month × $0.0000041667; 100,000 × 0.1 s × 1 GB × $0.0000097222."""
    bill = estimate_cost(Workload(100, memory=1024, provisioned=2), US)
    items = {item.name: item for item in bill.items}
    assert items["Provisioned concurrency"].usd == near(21.9001752)
    assert items["Lambda duration"].usd == near(0.097222)
    assert items["Lambda duration"].free_usd == 0


def test_snapshots_cost_by_the_second_kept_and_by_the_gb_restored():
    """2 versions × 1 GB × 2,628,000 s × $0.0000015046; 1 % of 100,000 × 1 GB × $0.0001397998."""
    items = usd(Workload(100, memory=1024, snapstart=True, cold_share=0.01))
    assert items["SnapStart cache"] == near(7.9081776)
    assert items["SnapStart restores"] == near(0.1397998)
    assert "Cold starts" not in items


def test_snapshots_without_snapstart_are_billed_until_they_are_deleted():
    """1 version × 1 GB × 2,628,000 s × $0.0000015046; new versions start without a snapshot."""
    items = usd(Workload(100, memory=1024, snapshots=1))
    assert items["SnapStart cache"] == near(3.9540888)
    assert "SnapStart restores" not in items
    assert items["Cold starts"] > 0


def test_a_month_without_requests_has_only_the_fixed_costs():
    bill = estimate_cost(Workload(100, requests=0), US)
    assert bill.monthly_usd == bill.fixed_usd == near(0.401725)
    assert bill.per_request_usd == 0


def test_regions_differ():
    assert usd(Workload(100), load_prices("eu-central-1"))["API Gateway requests"] == near(0.37)


def test_metrics_are_billed_in_hours_with_requests():
    """730 requests, one an hour on average, fall into 1 - 1/e of the hours."""
    assert usd(Workload(100, requests=730))["Metrics"] == near(1.20 * 0.6321206)


def test_alarms_are_those_of_the_template():
    template = build_template(
        "clothes", Options(), code=ImageCode("image", "sha256:0"), model="m", fingerprint="f"
    )
    alarms = [each for each in template["Resources"].values() if each["Type"] == "AWS::CloudWatch::Alarm"]
    assert usd(Workload(100))["Alarms"] == near(0.10 * len(alarms))
    # An alarm on several metrics would be billed once for each.
    assert all("MetricName" in alarm["Properties"] for alarm in alarms)


def test_a_function_url_has_no_api_to_pay_for():
    rest, url = usd(Workload(100)), usd(Workload(100, front="url"))
    assert rest.keys() - url.keys() == {"API Gateway requests"}


def test_the_free_tier_of_the_duration_covers_cold_starts_with_what_is_left():
    """400,000 GB-s: 5 million requests of 40 ms use 345,507.8; cold starts of 1 s in a tenth use more."""
    workload = Workload(40, requests=5_000_000, start_ms=1000, cold_share=0.1)
    items = {item.name: item.free_usd for item in estimate_cost(workload, US).items}
    assert items["Cold starts"] == near((400_000 - 345_507.8125) * 0.0000166667)


@pytest.mark.parametrize(
    ("memory", "duration_ms"), [(CPU_MB, 100), (CPU_MB / 2, 200), (512, 345.5078), (3008, 100)]
)
def test_below_one_processor_the_duration_grows_as_memory_falls(memory, duration_ms):
    assert Workload(100).with_memory(memory).duration_ms == near(duration_ms)


def test_what_was_measured_with_little_memory_gets_faster_with_more():
    assert Workload(200, memory=512).with_memory(1024).duration_ms == near(100)


def test_the_cheapest_size_that_meets_a_latency_is_found():
    """Below one processor time and memory cancel out, so the fastest of those equal to a cent is taken."""
    sizes = sweep_memory(Workload(100), US)
    assert find_cheapest(sizes, 100).workload.memory == CPU_MB
    assert find_cheapest(sizes, 99) is None


def test_with_warm_instances_less_memory_is_cheaper_and_the_least_that_is_fast_enough_is_found():
    sizes = sweep_memory(Workload(100, provisioned=1), US)
    assert find_cheapest(sizes, 180).workload.memory == 1024


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"architecture": "riscv"}, "unknown-architecture"),
        ({"front": "carrier-pigeon"}, "unknown-front"),
        ({"package": "floppy"}, "unknown-package"),
        ({"snapstart": True, "provisioned": 1}, "conflicting-options"),
    ],
)
def test_what_lambda_does_not_offer_is_refused(wrong, code):
    with pytest.raises(InputError) as error:
        replace(Workload(100), **wrong)
    assert error.value.code == code


def test_a_bill_as_json_has_its_sums_and_where_its_prices_are_from():
    document = estimate_cost(Workload(100), US).to_json()
    assert document["monthly_usd"] == near(2.3330788)
    assert document["prices"]["region"] == "us-east-1"
    assert document["items"][0] == {
        "name": "Lambda requests",
        "quantity": near(0.1),
        "unit": "million",
        "usd": near(0.02),
        "per_request": True,
        "free_usd": near(0.02),
    }
