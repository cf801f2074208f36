import pytest

from shutterless.deploy.cost.estimate import estimate_cost
from shutterless.deploy.cost.plan import count_snapshots, describe_costs
from shutterless.deploy.cost.prices import load_prices
from shutterless.deploy.cost.workload import Workload
from shutterless.deploy.cost.worst_case import describe_worst_case
from shutterless.deploy.options import Options
from shutterless.deploy.template.code import ImageCode
from shutterless.deploy.template.template import build_template

PRICES = load_prices("us-east-1")


def test_the_first_line_has_the_fixed_cost_the_cost_of_requests_and_the_source_of_the_prices():
    first, *_ = describe_costs(Options(), Workload(20.0), PRICES)
    bill = estimate_cost(Workload(20.0), PRICES)
    assert f"${bill.fixed_usd:.2f}" in first
    assert f"${bill.per_request_usd * 1000:.4f}" in first
    assert "20 ms" in first
    assert f"{PRICES.date}, us-east-1" in first


def test_a_function_url_leaves_api_gateway_out():
    first, *_ = describe_costs(Options(front="url", auth="none"), Workload(20.0), PRICES)
    bill = estimate_cost(Workload(20.0, front="url"), PRICES)
    assert f"${bill.per_request_usd * 1000:.4f}" in first


def test_with_less_memory_a_request_takes_longer():
    assert "40 ms" in describe_costs(Options(memory=885), Workload(20.0), PRICES)[0]


def test_each_option_that_costs_has_its_line():
    plain = describe_costs(Options(), Workload(20.0), PRICES)
    month = 2 * 1769 / 1024 * 730 * 3600
    provisioned = f"${month * PRICES.price('provisioned_gb_second', 'x86_64'):.2f} a month"
    snapstart = f"${month * PRICES.price('snapstart_cache_gb_second'):.2f} a month"
    for options, usd in (
        (Options(provisioned_concurrency=2), provisioned),
        (Options(snapstart=True), snapstart),
        (Options(reserved_concurrency=5), "free"),
    ):
        lines = describe_costs(options, Workload(20.0), PRICES)
        assert len(lines) == len(plain) + 1
        assert usd in lines[1]


KEYS = ("arn:aws:kms:us-east-1:123456789012:key/1", "arn:aws:kms:us-east-1:123456789012:key/2")


@pytest.mark.parametrize(
    ("changes", "usd"),
    [
        ({"log_kms_key": KEYS[0]}, "$1.00 a month"),
        ({"log_kms_key": KEYS[0], "package": "image", "image_kms_key": KEYS[0]}, "$1.00 a month"),
        ({"log_kms_key": KEYS[0], "package": "image", "image_kms_key": KEYS[1]}, "$2.00 a month"),
        ({"alarm_email": "ops@example.org"}, "free"),
        ({"subnets": "subnet-12345678", "security_groups": "sg-12345678"}, "NAT"),
    ],
)
def test_what_companies_use_has_a_line_where_it_is_used(changes, usd):
    bare = {"package": changes.get("package", "zip")}
    plain, lines = (describe_costs(Options(**each), Workload(20.0), PRICES) for each in (bare, changes))
    (line,) = (line for line in lines if line not in plain)
    assert usd in line


def test_a_budget_is_free():
    with_mail = describe_costs(Options(alarm_email="ops@example.org"), Workload(20.0), PRICES)
    with_budget = describe_costs(Options(alarm_email="ops@example.org", budget=50), Workload(20.0), PRICES)
    (line,) = (line for line in with_budget if line not in with_mail)
    assert "free" in line


def test_alarms_and_metrics_have_a_line():
    (line,) = [
        line for line in describe_costs(Options(), Workload(20.0), PRICES) if line.startswith("Alarms")
    ]
    assert "$0.40 a month" in line
    assert "$1.20 a month" in line


def test_snapshots_that_remain_without_snapstart_are_billed_and_named():
    plain, kept = (describe_costs(Options(), Workload(20.0), PRICES, snapshots) for snapshots in (0, 1))
    usd = 1769 / 1024 * 730 * 3600 * PRICES.price("snapstart_cache_gb_second")
    assert len(kept) == len(plain) + 1
    assert f"${usd:.2f} a month" in kept[1]
    assert f"${0.401725 + usd:.2f} a month" in kept[0]


def test_the_worst_case_is_part_of_the_plan():
    worst_case = describe_worst_case(Options(), Workload(20.0), PRICES)
    assert describe_costs(Options(), Workload(20.0), PRICES)[-2:] == worst_case


def test_snapshots_are_counted_in_the_template():
    options, details = (
        Options(snapstart=True),
        {"code": ImageCode("image", "sha256:0"), "model": "m", "fingerprint": "f"},
    )
    first = build_template("clothes", options, **details)
    second = build_template("clothes", Options(snapstart=True, memory=3008), deployed=first, **details)
    assert (count_snapshots(first), count_snapshots(second)) == (1, 2)
    assert count_snapshots(build_template("clothes", Options(), **details)) == 0


@pytest.mark.parametrize(
    ("keep_photos", "size"),
    [("off", 400), ("sample:0.01", 800), ("refused", 4_400), ("refused,sample:0.01", 4_760)],
)
def test_records_have_a_line_with_their_price_and_photos_one_with_their_days(keep_photos, size):
    options = Options(records="on", keep_photos=keep_photos, log_days=60)
    lines = describe_costs(options, Workload(20.0), PRICES)
    gb = 150_000 * size / 1e9
    usd = gb * PRICES.price("logs_gb") + gb * 0.15 * 60 / (730 / 24) * PRICES.price("logs_gb_month")
    (records,) = [line for line in lines if line.startswith("Records")]
    assert f"{size:,} bytes" in records
    assert f"${usd:,.2f} for 150,000" in records
    photos = [line for line in lines if line.startswith("Photos")]
    assert ["60 days" in line for line in photos] == [True] * (keep_photos != "off")
    assert not [line for line in describe_costs(Options(), Workload(20.0), PRICES) if "ecords" in line]
