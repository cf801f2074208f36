"""Answers of AWS's Price List API in the shapes that others have recorded: lists of JSON texts."""

import json
import math
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from shutterless.deploy.cost import price_list
from shutterless.deploy.cost.price_list import PriceTable, fetch_prices
from shutterless.deploy.cost.prices import TABLE, load_prices
from shutterless.errors import DeployError, OutputError

REGION = "eu-central-1"
SERVICES = ("AWSLambda", "AmazonApiGateway", "AWSDataTransfer", "AmazonECR", "AmazonS3", "AmazonCloudWatch")
# usage type: its tiers, as (begin, end, dollars)
PRODUCTS = {
    "AWSLambda": {
        "EUC1-Request": [("0", "Inf", "0.0000002000")],
        "EUC1-Lambda-GB-Second": [
            ("15000000000", "Inf", "0.0000133334"),
            ("0", "6000000000", "0.0000166667"),
            ("6000000000", "15000000000", "0.0000150000"),
        ],
        "EUC1-Lambda-GB-Second-ARM": [("0", "7500000000", "0.0000133334")],
        "EUC1-Lambda-Provisioned-Concurrency": [("0", "Inf", "0.0000050147")],
        "EUC1-Lambda-Provisioned-Concurrency-ARM": [("0", "Inf", "0.0000040118")],
        "EUC1-Lambda-Provisioned-GB-Second": [("0", "Inf", "0.0000117011")],
        "EUC1-Lambda-Provisioned-GB-Second-ARM": [("0", "Inf", "0.0000093609")],
        "EUC1-Lambda-SnapStart-Cached-GB-S": [("0", "Inf", "0.0000015046")],
        "EUC1-Lambda-SnapStart-Restored-GB": [("0", "Inf", "0.0001397998")],
        # Others, whose usage types contain ours.
        "EUC1-Lambda-Edge-GB-Second": [("0", "Inf", "0.0000500100")],
        "EUC1-Lambda-Edge-Request": [("0", "Inf", "0.0000006000")],
        "EUC1-Request-ARM": [("0", "Inf", "0.0000009000")],
        "Global-Request": [("0", "1000000", "0.0000000000")],
    },
    "AmazonApiGateway": {
        "EUC1-ApiGatewayRequest": [
            ("0", "333000000", "0.0000037000"),
            ("333000000", "1000000000", "0.0000030600"),
            ("1000000000", "Inf", "0.0000026000"),
        ],
        "EUC1-ApiGatewayHttpRequest": [("0", "Inf", "0.0000012000")],
    },
    "AWSDataTransfer": {
        "EUC1-DataTransfer-Out-Bytes": [
            ("0", "1", "0.0000000000"),
            ("1", "10240", "0.0900000000"),
            ("10240", "Inf", "0.0850000000"),
        ],
        "EUC1-USE1-AWS-Out-Bytes": [("0", "Inf", "0.0200000000")],
    },
    "AmazonECR": {"EUC1-TimedStorage-ByteHrs": [("0", "Inf", "0.1000000000")]},
    "AmazonS3": {
        "EUC1-TimedStorage-ByteHrs": [
            ("0", "51200", "0.0245000000"),
            ("51200", "512000", "0.0235000000"),
            ("512000", "Inf", "0.0225000000"),
        ],
        "EUC1-TimedStorage-SIA-ByteHrs": [("0", "Inf", "0.0135000000")],
    },
    "AmazonCloudWatch": {
        "EUC1-DataProcessing-Bytes": [("0", "Inf", "0.6300000000")],
        "EUC1-TimedStorage-ByteHrs": [("0", "Inf", "0.0324000000")],
        "EUC1-CW:AlarmMonitorUsage": [("0", "Inf", "0.1000000000")],
        "EUC1-CW:HighResAlarmMonitorUsage": [("0", "Inf", "0.3000000000")],
        "EUC1-CW:MetricMonitorUsage": [("0", "10000", "0.3000000000"), ("10000", "Inf", "0.1000000000")],
    },
}
SINCE = "2025-10-01T00:00:00Z"


def product(usage, tiers, since=SINCE, sku="TG3M4CAGBA3NYQBH"):
    """Return a product as a JSON text, with one term."""
    code = f"{sku}.JRTCKXETXF"
    dimensions = {
        f"{code}.{number}": {
            "unit": "Quantity",
            "beginRange": begin,
            "endRange": end,
            "description": f"${usd} per unit",
            "appliesTo": [],
            "rateCode": f"{code}.{number}",
            "pricePerUnit": {"USD": usd},
        }
        for number, (begin, end, usd) in enumerate(tiers)
    }
    term = {"priceDimensions": dimensions, "sku": sku, "effectiveDate": since, "offerTermCode": "JRTCKXETXF"}
    document = {
        "product": {
            "productFamily": "Serverless",
            "attributes": {"usagetype": usage, "operation": ""},
            "sku": sku,
        },
        "serviceCode": "AWSLambda",
        "terms": {"OnDemand": {code: {**term, "termAttributes": {}}}},
        "version": "20251028201405",
        "publicationDate": "2025-10-28T20:14:05Z",
    }
    return json.dumps(document)


def texts(service, **changed):
    """Return the price list of a service; `changed` replaces products by usage type without its prefix."""
    products = {usage: [product(usage, tiers)] for usage, tiers in PRODUCTS[service].items()}
    return [text for usage, texts in products.items() for text in changed.get(usage, texts)]


@pytest.fixture
def pricing(aws, monkeypatch):
    """Answer with the price list, in which a test replaces products by their usage types."""
    monkeypatch.setattr(price_list, "connect", lambda profile, region: aws)

    def answer(**changed):
        for service in SERVICES:
            aws.answer(
                "pricing", "get_products", {"FormatVersion": "aws_v1", "PriceList": texts(service, **changed)}
            )

    return SimpleNamespace(answer=answer, aws=aws)


def fetch(tmp_path):
    fetch_prices([REGION]).write(tmp_path / "prices.toml")
    return load_prices(REGION, tmp_path / "prices.toml")


def test_every_price_of_the_table_is_fetched_in_our_units(pricing, tmp_path):
    pricing.answer()
    prices = fetch(tmp_path)
    assert prices.date == f"{datetime.now(UTC):%Y-%m}"
    assert prices.price("lambda_million_requests") == 0.2
    assert prices.price("lambda_gb_second", "x86_64") == 0.0000166667
    assert prices.price("lambda_gb_second", "arm64") == 0.0000133334
    assert prices.price("provisioned_gb_second", "arm64") == 0.0000040118
    assert prices.price("provisioned_run_gb_second", "x86_64") == 0.0000117011
    assert prices.price("snapstart_cache_gb_second") == 0.0000015046
    assert prices.price("snapstart_restore_gb") == 0.0001397998
    assert prices.tiers("api_million") == [(333, 3.7), (1000, 3.06), (math.inf, 2.6)]
    assert prices.price("data_out_gb") == 0.09  # not the first gigabyte, which is free
    assert prices.price("s3_gb_month") == 0.0245
    assert (prices.price("ecr_gb_month"), prices.price("logs_gb")) == (0.1, 0.63)
    assert prices.price("logs_gb_month") == 0.0324
    assert (prices.price("alarm_month"), prices.price("metric_month")) == (0.1, 0.3)


def test_the_table_has_the_free_tier_and_sources_of_ours(pricing, tmp_path):
    pricing.answer()
    prices, ours = fetch(tmp_path), load_prices(REGION)
    assert (prices.free, prices.sources) == (ours.free, ours.sources)


def test_a_fetched_table_has_every_price_of_ours(pricing, tmp_path):
    pricing.answer()
    assert fetch(tmp_path).entries.keys() >= load_prices("us-east-1").entries.keys()


def test_pages_are_read_to_the_end(pricing):
    lambda_products = texts("AWSLambda")
    for page, token in ((lambda_products[:2], "2"), ([], "3"), (lambda_products[2:], "")):
        answer = {"FormatVersion": "aws_v1", "PriceList": page, **({"NextToken": token} if token else {})}
        pricing.aws.answer("pricing", "get_products", answer)
    for service in SERVICES[1:]:
        pricing.aws.answer("pricing", "get_products", {"PriceList": texts(service)})
    assert fetch_prices([REGION]).missing == {REGION: ()}


@pytest.mark.parametrize(
    ("region", "endpoint"),
    [("eu-central-1", "eu-central-1"), ("ap-northeast-1", "ap-south-1"), ("us-west-2", "us-east-1")],
)
def test_the_nearest_endpoint_is_asked_for_one_region_s_products(pricing, monkeypatch, region, endpoint):
    for service in SERVICES:
        fields = {"regionCode": region}
        if service == "AWSDataTransfer":
            fields = {"fromRegionCode": region, "transferType": "AWS Outbound"}
        filters = [{"Type": "TERM_MATCH", "Field": key, "Value": value} for key, value in fields.items()]
        answer = {"PriceList": texts(service)}
        pricing.aws.answer("pricing", "get_products", answer, ServiceCode=service, Filters=filters)
    endpoints, make_client = set(), pricing.aws.client

    def client(service, region_name):
        endpoints.add(region_name)
        return make_client(service)

    monkeypatch.setattr(pricing.aws, "client", client)
    assert fetch_prices([region]).missing == {region: ()}
    assert endpoints == {endpoint}


def test_several_regions_make_one_table(pricing, tmp_path):
    pricing.answer()
    pricing.answer(
        **{"EUC1-DataProcessing-Bytes": [product("USW2-DataProcessing-Bytes", [("0", "Inf", "0.5")])]}
    )
    fetch_prices([REGION, "us-west-2"]).write(tmp_path / "prices.toml")
    assert load_prices(REGION, tmp_path / "prices.toml").price("logs_gb") == 0.63
    assert load_prices("us-west-2", tmp_path / "prices.toml").price("logs_gb") == 0.5


def test_without_a_region_that_of_the_session_is_taken(pricing):
    pricing.answer()
    assert list(fetch_prices().missing) == ["us-east-1"]


def test_a_price_that_aws_does_not_list_is_left_out(pricing, tmp_path):
    pricing.answer(**{"EUC1-Lambda-SnapStart-Restored-GB": [], "EUC1-Lambda-Provisioned-Concurrency-ARM": []})
    table = fetch_prices([REGION])
    assert table.missing == {REGION: ("provisioned_gb_second arm64", "snapstart_restore_gb")}
    table.write(tmp_path / "prices.toml")
    prices = load_prices(REGION, tmp_path / "prices.toml")
    assert prices.price("provisioned_gb_second", "x86_64") == 0.0000050147
    with pytest.raises(DeployError) as error:
        prices.price("snapstart_restore_gb")
    assert error.value.code == "unknown-price"


def logs(*prices):
    return {"EUC1-DataProcessing-Bytes": [product("EUC1-DataProcessing-Bytes", tiers) for tiers in prices]}


def test_a_price_that_several_products_agree_on_is_taken(pricing, tmp_path):
    pricing.answer(
        **logs([("0", "Inf", "0.63")], [("0", "Inf", "0.6300000000")], [("0", "5", "0.0000000000")])
    )
    assert fetch(tmp_path).price("logs_gb") == 0.63


def test_a_price_that_several_products_disagree_on_is_left_out(pricing):
    pricing.answer(**logs([("0", "Inf", "0.63")], [("0", "Inf", "0.71")]))
    assert fetch_prices([REGION]).missing == {REGION: ("logs_gb",)}


def test_of_several_terms_the_latest_in_effect_is_taken(pricing, tmp_path):
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    terms = {"2024-01-01T00:00:00Z": "0.70", SINCE: "0.63", tomorrow: "0.50"}
    document = json.loads(product("EUC1-DataProcessing-Bytes", []))
    document["terms"]["OnDemand"] = {
        since: next(iter(json.loads(product("", [("0", "Inf", usd)], since))["terms"]["OnDemand"].values()))
        for since, usd in terms.items()
    }
    pricing.answer(**{"EUC1-DataProcessing-Bytes": [json.dumps(document)]})
    assert fetch(tmp_path).price("logs_gb") == 0.63


def test_a_product_that_is_not_sold_on_demand_has_no_price(pricing):
    document = json.loads(product("EUC1-DataProcessing-Bytes", []))
    document["terms"] = {"Reserved": {}}
    pricing.answer(**{"EUC1-DataProcessing-Bytes": [json.dumps(document)]})
    assert fetch_prices([REGION]).missing == {REGION: ("logs_gb",)}


def test_a_product_without_a_usage_type_is_passed_over(pricing):
    document = {"product": {"attributes": {"servicecode": "AmazonCloudWatch"}}, "terms": {}}
    extra = [product("EUC1-DataProcessing-Bytes", [("0", "Inf", "0.63")]), json.dumps(document)]
    pricing.answer(**{"EUC1-DataProcessing-Bytes": extra})
    assert fetch_prices([REGION]).missing == {REGION: ()}


@pytest.mark.parametrize("region", ["mars-1", "eu-central-1, us-east-1", "eu-central-1\n[free]"])
def test_a_region_that_aws_does_not_know_is_refused(pricing, region):
    for _ in SERVICES:
        pricing.aws.answer("pricing", "get_products", {"PriceList": []})
    with pytest.raises(DeployError) as error:
        fetch_prices([region])
    assert error.value.code == "unknown-region"


def replaced(old, new):
    return product("EUC1-DataProcessing-Bytes", [("0", "Inf", "0.63")]).replace(old, new)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "{" * 100_000,
        "[" * 100_000,
        '{"product": {"attributes": []}, "terms": {}}',
        '{"product": {"attributes": {}}}',
        replaced('"terms": {', '"terms": 5, "x": {'),
        replaced('"USD": "0.63"', '"CNY": "4.5"'),
        replaced('"USD": "0.63"', '"USD": "free"'),
        replaced('"USD": "0.63"', '"USD": "NaN"'),
        replaced('"USD": "0.63"', '"USD": "Infinity"'),
        replaced('"USD": "0.63"', '"USD": "-0.63"'),
        replaced('"USD": "0.63"', '"USD": null'),
        replaced('"USD": "0.63"', '"USD": "1e999999"'),
        replaced('"USD": "0.63"', '"USD": "1e-999999"'),
        replaced('"beginRange": "0"', '"beginRange": "all"'),
        replaced('"effectiveDate"', '"since"'),
    ],
    ids=range(18),
)
def test_an_answer_in_another_format_is_refused(pricing, text):
    pricing.answer(**{"EUC1-DataProcessing-Bytes": [text]})
    with pytest.raises(DeployError) as error:
        fetch_prices([REGION])
    assert error.value.code == "unexpected-answer"
    assert "AmazonCloudWatch" in error.value.message


def test_a_missing_permission_is_named(pricing):
    text = "User: arn:aws:iam::1:user/x is not authorized to perform: pricing:GetProducts"
    pricing.aws.fail("pricing", "get_products", "AccessDeniedException", text)
    with pytest.raises(DeployError) as error:
        fetch_prices([REGION])
    assert error.value.code == "access-denied"
    assert "pricing:GetProducts" in error.value.message


def test_only_a_price_table_is_replaced(tmp_path):
    table, file = PriceTable("new", {}), tmp_path / "prices.toml"
    file.write_text(TABLE.read_text("utf-8"), "utf-8")
    table.write(file)
    assert file.read_text("utf-8") == "new"
    with pytest.raises(OutputError) as error:
        table.write(file)
    assert error.value.code == "not-ours"
    assert file.read_text("utf-8") == "new"
    assert {path.name for path in tmp_path.iterdir()} == {".aws", "prices.toml"}
