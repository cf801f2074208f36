"""Worst cases calculated by hand, with the prices of us-east-1 as of the table's date."""

import re

import pytest

from shutterless.deploy.cost.prices import load_prices
from shutterless.deploy.cost.workload import Workload
from shutterless.deploy.cost.worst_case import describe_worst_case
from shutterless.deploy.options import Options

PRICES = load_prices("us-east-1")
MONTH_S = 2_628_000
# Of one instance of 1,769 MB that is always busy, and of the requests of a month at one per second: Lambda,
# API Gateway, 1,200 bytes of answer and of log, and the log that is kept.
INSTANCE = MONTH_S * 1769 / 1024 * 0.0000166667
REQUESTS = MONTH_S * (0.20e-6 + 3.50e-6 + 1_200e-9 * (0.09 + 0.50 + 0.15 * 30 / (730 / 24) * 0.03))
PREFLIGHTS = MONTH_S * (3.50e-6 + 1_200e-9 * 0.09)


def dollars(options, **workload):
    """Return the dollars of the lines, without cents."""
    lines = describe_worst_case(options, Workload(20, **workload), PRICES)
    return [float(text.replace(",", "")) for line in lines for text in re.findall(r"\$([\d,.]*\d)", line)]


def near(value):
    return pytest.approx(value, abs=0.5 + value * 1e-4)


def test_with_a_key_the_quota_limits_calls_and_the_rate_the_open_paths():
    """Open paths: 14 preflights a second, and 4 GETs and 4 HEADs of 5 ms; a GET's answer is a page."""
    strangers, callers, instance = dollars(Options())
    open_paths = 8 * REQUESTS + 8 * 0.005 * INSTANCE + 4 * MONTH_S * 26_800e-9 * 0.09
    assert strangers == near(14 * PREFLIGHTS + open_paths)
    assert callers == near(100_000 * (28 * INSTANCE + REQUESTS) / MONTH_S)
    assert instance == pytest.approx(75.67, abs=0.01)


def test_without_a_key_anyone_can_call_at_the_rate_until_the_timeout():
    everyone, instance = dollars(Options(auth="none"))
    assert everyone == near(dollars(Options())[0] + 10 * REQUESTS + 280 * INSTANCE)
    assert instance == pytest.approx(75.67, abs=0.01)


def test_with_signatures_strangers_only_reach_the_preflights():
    assert dollars(Options(auth="iam"))[0] == near(14 * PREFLIGHTS)


def test_reserved_concurrency_limits_the_time():
    everyone, limit = dollars(Options(auth="none", reserved_concurrency=5))
    assert everyone == near(dollars(Options())[0] + 10 * REQUESTS + 5 * INSTANCE)
    assert limit == near(5 * INSTANCE)


def test_a_function_url_takes_all_that_the_account_can_run_at_once():
    """1,000 instances are busy all the time, each with ten requests a second."""
    everyone, _ = dollars(Options(auth="none"), front="url")
    without_api = REQUESTS - MONTH_S * 3.50e-6
    assert everyone == near(10_000 * without_api + 1_000 * INSTANCE)


def test_a_function_url_with_reserved_concurrency_has_a_hard_limit():
    everyone, limit = dollars(Options(auth="none", reserved_concurrency=2), front="url")
    assert limit == near(2 * INSTANCE)
    assert everyone == near(20 * (REQUESTS - MONTH_S * 3.50e-6) + limit)


def test_a_new_account_runs_ten_calls_at_once():
    lines = describe_worst_case(Options(auth="none"), Workload(20, front="url"), PRICES, 10)
    usd = 100 * (REQUESTS - MONTH_S * 3.50e-6) + 10 * INSTANCE
    assert f"${usd:,.0f}" in lines[0]


def test_without_the_page_strangers_get_three_requests_a_second_less():
    """A GET, a HEAD and a preflight."""
    with_page, without = dollars(Options())[0], dollars(Options(page="off"))[0]
    page = 2 * REQUESTS + 2 * 0.005 * INSTANCE + MONTH_S * 26_800e-9 * 0.09 + PREFLIGHTS
    assert without == near(with_page - page)
