from shutterless.deploy.cost.plan import charges
from shutterless.deploy.cost.prices import load_prices
from shutterless.deploy.options import Options

PRICES = load_prices("us-east-1")


def test_the_first_line_says_what_it_costs_with_and_without_requests():
    first, *_ = charges(Options(), 20.0, PRICES)
    assert first.startswith("Without a request $")
    assert "of 20 ms each" in first
    assert f"prices of {PRICES.date}, us-east-1" in first


def test_with_less_memory_a_request_takes_longer():
    assert "of 40 ms each" in charges(Options(memory=885), 20.0, PRICES)[0]


def test_each_option_that_costs_has_its_line():
    plain = charges(Options(), 20.0, PRICES)
    warm = charges(Options(provisioned_concurrency=2), 20.0, PRICES)
    snapshot = charges(Options(snapstart=True), 20.0, PRICES)
    reserved = charges(Options(reserved_concurrency=5), 20.0, PRICES)
    month = 2 * 1769 / 1024 * 730 * 3600 * PRICES.of("provisioned_gb_second", "x86_64")
    assert f"Provisioned concurrency, 2 kept warm: ${month:.2f} a month, used or not" in warm
    assert any(line.startswith("SnapStart, 2 versions kept: $") for line in snapshot)
    assert any(line.startswith("Reserved concurrency of 5: nothing") for line in reserved)
    assert len(plain) + 1 == len(warm) == len(snapshot) == len(reserved)
    assert plain[-1].startswith("Alarms: $")
