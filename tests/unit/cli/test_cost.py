import json
from datetime import timedelta

import pytest


def test_a_bill_is_shown_with_its_prices_date_and_the_free_tier_apart(shutterless):
    result = shutterless("cost", "--duration", 100, "--region", "us-east-1")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "Lambda duration\t17,275 GB-s\t0.29\n" in result.stdout
    assert "total\t100,000 requests\t2.33\n" in result.stdout
    assert "$0.00000731" in result.stdout
    assert "$0.40 a month" in result.stdout
    assert "Prices of 2025-09 for us-east-1" in result.stdout
    assert "https://aws.amazon.com/lambda/pricing/" in result.stdout


def test_a_tiny_quantity_is_not_shown_in_powers_of_ten(shutterless):
    result = shutterless("cost", "--duration", 100, "--requests", 11)
    (row,) = [line for line in result.stdout.splitlines() if "API Gateway" in line]
    assert "\t< 0.001 million\t" in row


def test_json_has_items_sums_and_where_the_duration_is_from(shutterless):
    result = shutterless("cost", "--duration", 100, "--requests", 0, "--architecture", "arm64", "--json")
    document = json.loads(result.stdout)
    assert document["monthly_usd"] == pytest.approx(0.401725)
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
    monkeypatch.setattr("shutterless.deploy.cost.local_latency.measure_start", lambda bundle: 100.0)
    result = shutterless("cost", "--bundle", tmp_path, "--memory", 512, "--json")
    document = json.loads(result.stdout)
    assert document["workload"]["duration_ms"] == pytest.approx(10 * 1769 / 512)
    assert document["workload"]["start_ms"] == pytest.approx(100 * 1769 / 512)
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
    from shutterless.deploy.cost.workload import Workload

    class Session:
        region_name = "eu-west-1"

    monkeypatch.setattr(session, "connect", lambda profile, region: Session())
    measurement = status.Measurement(Workload(80, memory=884.5, requests=7), timedelta(hours=30))
    monkeypatch.setattr(status, "read_workload", lambda session, name: measurement)
    document = json.loads(shutterless("cost", "clothes", "--memory", 1769, "--json").stdout)
    assert document["prices"]["region"] == "eu-west-1"
    assert (document["workload"]["duration_ms"], document["workload"]["requests"]) == (40, 7)
    assert "30 hours" in document["duration_source"]


@pytest.fixture
def fetched(monkeypatch):
    """Let AWS have two prices of a region."""
    from shutterless.deploy.cost import price_list

    text = price_list.TITLE + "\n[region.eu-central-1]\n"
    table = price_list.PriceTable(text, {"eu-central-1": ("logs_gb",), "us-east-1": ()})
    regions = []
    monkeypatch.setattr(price_list, "fetch_prices", lambda names, profile: regions.extend(names) or table)
    return regions


def test_fetched_prices_are_printed_with_a_warning_of_those_that_are_missing(shutterless, fetched):
    result = shutterless("cost", "--fetch-prices", "--region", "eu-central-1,us-east-1")
    assert fetched == ["eu-central-1", "us-east-1"]
    assert result.stdout.endswith("[region.eu-central-1]\n")
    assert "logs_gb" in result.stderr
    assert "us-east-1" not in result.stderr


def test_fetched_prices_are_written_to_a_file(shutterless, fetched, tmp_path):
    file = tmp_path / "prices.toml"
    result = shutterless("cost", "--fetch-prices", "-o", file, "--json")
    assert fetched == []
    assert json.loads(result.stdout)["missing"] == {"eu-central-1": ["logs_gb"], "us-east-1": []}
    assert file.read_text("utf-8").endswith("[region.eu-central-1]\n")


def test_a_file_that_is_something_else_is_refused_before_aws_is_asked(shutterless, fetched, tmp_path):
    file = tmp_path / "photo.jpg"
    file.write_bytes(b"photo")
    assert shutterless("cost", "--fetch-prices", "-o", file, "--region", "eu-west-1").exit_code == 1
    assert (fetched, file.read_bytes()) == ([], b"photo")


def test_only_fetched_prices_are_written(shutterless, tmp_path):
    assert shutterless("cost", "--duration", 5, "-o", tmp_path / "prices.toml").exit_code == 2


def test_cold_starts_can_be_given(shutterless):
    options = ("--duration", 100, "--requests", 1000, "--start", 900, "--cold-share", "25%", "--json")
    workload = json.loads(shutterless("cost", *options).stdout)["workload"]
    assert (workload["start_ms"], workload["cold_starts"]) == (900, 250)


def test_a_function_url_has_no_api_gateway(shutterless):
    assert "API Gateway" not in shutterless("cost", "--duration", 100, "--front", "url").stdout


def test_a_batch_is_compared_on_lambda_a_spot_instance_and_this_machine(shutterless):
    options = ("cost", "--duration", 36, "--batch", 1_000_000, "--spot-price", 0.03)
    rows = [line.split("\t") for line in shutterless(*options).stdout.splitlines() if "\t" in line]
    assert [row[0] for row in rows] == ["", "lambda", "spot", "this machine"]
    assert rows[2] == ["spot", "4", "2.5", "0.30"]
    document = json.loads(shutterless(*options, "--json").stdout)
    assert [place["usd"] is None for place in document["places"]] == [False, False, True]


def test_records_cost_what_they_add_to_the_log(shutterless):
    def log_gb(*options):
        result = shutterless("cost", "--duration", "20", "--requests", "150000", "--json", *options)
        items = {item["name"]: item["quantity"] for item in json.loads(result.stdout)["items"]}
        return items["Logs written"]

    assert log_gb("--records", "on") - log_gb() == pytest.approx(0.06)
    assert log_gb("--keep-photos", "sample:0.01") - log_gb() == pytest.approx(0.12)
