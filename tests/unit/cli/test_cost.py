import json

import pytest


def test_a_bill_is_shown_with_its_prices_date_and_the_free_tier_apart(shutterless):
    result = shutterless("cost", "--duration", 100, "--region", "us-east-1")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "Lambda duration\t17,275 GB-s\t0.29\n" in result.stdout
    assert "total\t100,000 requests\t1.96\n" in result.stdout
    assert "$0.00000729" in result.stdout
    assert "$1.23 a month" in result.stdout
    assert "Prices of 2025-09 for us-east-1" in result.stdout
    assert "https://aws.amazon.com/lambda/pricing/" in result.stdout


def test_a_tiny_quantity_is_not_shown_in_powers_of_ten(shutterless):
    result = shutterless("cost", "--duration", 100, "--requests", 11)
    (row,) = [line for line in result.stdout.splitlines() if "API Gateway" in line]
    assert "\t< 0.001 million\t" in row


def test_json_has_items_sums_and_where_the_duration_is_from(shutterless):
    result = shutterless("cost", "--duration", 100, "--requests", 0, "--architecture", "arm64", "--json")
    document = json.loads(result.stdout)
    assert document["monthly_usd"] == pytest.approx(1.23)
    assert (document["workload"]["architecture"], document["duration_source"]) == ("arm64", "given")


def test_the_cheapest_memory_for_a_latency_is_named(shutterless):
    result = shutterless("cost", "--duration", 100, "--provisioned", 1, "--latency", 180)
    assert "180 ms: --memory 1024" in result.stdout
    document = json.loads(shutterless("cost", "--duration", 100, "--latency", 50, "--json").stdout)
    assert (document["cheapest_memory"], len(document["sizes"])) == (None, 8)


def test_a_latency_that_no_memory_size_meets_is_reported(shutterless):
    assert (
        "No memory size answers within 50 ms"
        in shutterless("cost", "--duration", 100, "--latency", 50).stdout
    )


def test_a_given_duration_is_that_at_the_given_memory(shutterless):
    result = shutterless("cost", "--duration", 100, "--memory", 512, "--json")
    workload = json.loads(result.stdout)["workload"]
    assert (workload["duration_ms"], workload["memory"]) == (100, 512)


def test_a_bundle_is_measured_and_slowed_down_by_its_share_of_a_processor(shutterless, monkeypatch, tmp_path):
    monkeypatch.setattr("shutterless.deploy.cost.local_latency.measure_latency", lambda bundle, photo: 10.0)
    result = shutterless("cost", "--bundle", tmp_path, "--memory", 512, "--json")
    document = json.loads(result.stdout)
    assert document["workload"]["duration_ms"] == pytest.approx(10 * 1769 / 512)
    assert "measured on a core of this machine" in document["duration_source"]


def test_without_a_duration_there_is_no_estimate(shutterless):
    result = shutterless("cost")
    assert (result.exit_code, result.stderr.splitlines()[0]) == (
        1,
        "error: The duration of a request is unknown",
    )


def test_a_region_without_prices_is_refused(shutterless):
    assert (
        "does not have the region mars-1" in shutterless("cost", "--duration", 5, "--region", "mars-1").stderr
    )


def test_the_workload_of_a_deployment_is_that_of_cloudwatch(shutterless, monkeypatch):
    from shutterless.deploy import status
    from shutterless.deploy.aws import session
    from shutterless.deploy.cost.estimate import Workload

    class Session:
        region_name = "eu-west-1"

    monkeypatch.setattr(session, "connect", lambda profile, region: Session())
    monkeypatch.setattr(status, "read_workload", lambda session, name: Workload(80, memory=884.5, requests=7))
    document = json.loads(shutterless("cost", "clothes", "--memory", 1769, "--json").stdout)
    assert document["prices"]["region"] == "eu-west-1"
    assert (document["workload"]["duration_ms"], document["workload"]["requests"]) == (40, 7)
    assert "CloudWatch" in document["duration_source"]
