import math

import pytest

from shutterless.deploy.cost.prices import TABLE, load_prices
from shutterless.errors import DeployError, InputError


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1", "eu-central-1"])
def test_a_region_in_the_table_has_what_a_plain_deployment_costs(region):
    prices = load_prices(region)
    assert prices.price("lambda_million_requests") == 0.20
    assert prices.price("lambda_gb_second", "arm64") < prices.price("lambda_gb_second", "x86_64") < 1e-4
    limits, tiers = zip(*prices.tiers("api_million"), strict=True)
    assert list(limits) == sorted(limits)
    assert list(tiers) == sorted(tiers, reverse=True)
    assert limits[-1] == math.inf


def test_the_table_has_its_date_and_its_sources():
    prices = load_prices("us-east-1")
    assert len(prices.date) == len("2025-09")
    assert all(source.startswith("https://aws.amazon.com/") for source in prices.sources.values())


def test_a_region_that_is_not_in_the_table_is_refused_with_those_that_are():
    with pytest.raises(DeployError) as error:
        load_prices("mars-1")
    assert error.value.code == "unknown-region"
    assert "mars-1" in error.value.message
    assert "us-east-1 or eu-west-1 or eu-central-1" in error.value.hint


@pytest.mark.parametrize(
    ("name", "architecture"), [("snapstart_restore_gb", ""), ("provisioned_gb_second", "arm64")]
)
def test_an_unknown_price_is_an_error(name, architecture):
    with pytest.raises(DeployError) as error:
        load_prices("eu-central-1").price(name, architecture)
    assert error.value.code == "unknown-price"
    assert name in error.value.message


def test_a_table_of_the_user_s_own_takes_the_place_of_ours(tmp_path):
    own = tmp_path / "prices.toml"
    own.write_text(TABLE.read_text("utf-8").replace("[region.us-east-1]", "[region.mars-1]"), "utf-8")
    assert load_prices("mars-1", own).price("alarm_month") == 0.10


@pytest.mark.parametrize(
    ("content", "problem"),
    [("date = ", "TOML"), ("[free]\n", "date"), (None, "No such file")],
)
def test_a_file_that_is_no_price_table_is_refused(tmp_path, content, problem):
    own = tmp_path / "prices.toml"
    if content is not None:
        own.write_text(content)
    with pytest.raises(InputError) as error:
        load_prices("us-east-1", own)
    assert error.value.code == "unreadable-prices"
    assert str(own) in error.value.message
    assert problem in error.value.message
