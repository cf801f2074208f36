from shutterless.deploy.cost.estimate import estimate_cost
from shutterless.deploy.cost.plan import describe_costs
from shutterless.deploy.cost.prices import load_prices
from shutterless.deploy.cost.workload import Workload
from shutterless.deploy.options import Options

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


def test_the_last_line_has_the_cost_of_alarms_and_metrics():
    last = describe_costs(Options(), Workload(20.0), PRICES)[-1]
    assert "$0.40 a month" in last
    assert "$0.90 a month" in last
