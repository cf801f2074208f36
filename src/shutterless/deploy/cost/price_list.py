"""Fetch the current prices from AWS's Price List API, as a table in the format of prices.toml."""

import contextlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple, TypedDict

import boto3

from shutterless.deploy.aws.errors import aws_errors
from shutterless.deploy.aws.session import connect
from shutterless.deploy.cost.prices import read_table
from shutterless.errors import DeployError, OutputError
from shutterless.files import atomic_file, ensure_writable
from shutterless.text_files import has_mark

# The API knows every region, but is only offered in three.
ENDPOINTS = {"eu": "eu-central-1", "ap": "ap-south-1"}
DEFAULT_ENDPOINT = "us-east-1"
# The first line of every table, by which a file is recognised before it is replaced.
TITLE = "# AWS's prices in US dollars, without tax"
# The limits of what can be a price or the beginning of a tier; a table of others could be endless.
MIN_NUMBER, MAX_NUMBER = Decimal("1e-15"), Decimal("1e15")


class Tier(NamedTuple):
    """A price in US dollars for each unit above `begin` in a month."""

    begin: Decimal
    usd: Decimal


Tiers = tuple[Tier, ...]


class Listing(NamedTuple):
    """Where the price list has one of our prices.

    Attributes:
        name: Its name in prices.toml.
        service: AWS's code of the service.
        usage: AWS's usage type, without the prefix that it has in most regions, such as `EUC1-`.
        architecture: `x86_64` or `arm64`, for a price that depends on it.
        units: How many of AWS's units our price is for.
        has_tiers: Whether our table has every tier, and not only the first one that costs anything.
    """

    name: str
    service: str
    usage: str
    architecture: str = ""
    units: int = 1
    has_tiers: bool = False

    @property
    def label(self) -> str:
        """What messages call the price."""
        return f"{self.name} {self.architecture}".strip()

    def matches(self, usage: str) -> bool:
        """Tell whether a product with this usage type has the price."""
        return bool(re.fullmatch(rf"([A-Z0-9]+-)?{re.escape(self.usage)}", usage))

    def to_toml(self, tiers: Tiers) -> str:
        """Return the price as TOML: a number, or pairs of a tier's upper limit and price."""
        if not self.has_tiers:
            return _number(next(tier.usd for tier in tiers if tier.usd) * self.units)
        limits = [*(_number(tier.begin / self.units) for tier in tiers[1:]), "inf"]
        usd = [_number(tier.usd * self.units) for tier in tiers]
        return f"[{', '.join(f'[{limit}, {price}]' for limit, price in zip(limits, usd, strict=True))}]"


LISTINGS = (
    Listing("lambda_million_requests", "AWSLambda", "Request", units=1_000_000),
    Listing("lambda_gb_second", "AWSLambda", "Lambda-GB-Second", "x86_64"),
    Listing("lambda_gb_second", "AWSLambda", "Lambda-GB-Second-ARM", "arm64"),
    Listing("provisioned_gb_second", "AWSLambda", "Lambda-Provisioned-Concurrency", "x86_64"),
    Listing("provisioned_gb_second", "AWSLambda", "Lambda-Provisioned-Concurrency-ARM", "arm64"),
    Listing("provisioned_run_gb_second", "AWSLambda", "Lambda-Provisioned-GB-Second", "x86_64"),
    Listing("provisioned_run_gb_second", "AWSLambda", "Lambda-Provisioned-GB-Second-ARM", "arm64"),
    Listing("snapstart_cache_gb_second", "AWSLambda", "Lambda-SnapStart-Cached-GB-S"),
    Listing("snapstart_restore_gb", "AWSLambda", "Lambda-SnapStart-Restored-GB"),
    Listing("api_million", "AmazonApiGateway", "ApiGatewayRequest", units=1_000_000, has_tiers=True),
    Listing("data_out_gb", "AWSDataTransfer", "DataTransfer-Out-Bytes"),
    Listing("ecr_gb_month", "AmazonECR", "TimedStorage-ByteHrs"),
    Listing("s3_gb_month", "AmazonS3", "TimedStorage-ByteHrs"),
    Listing("logs_gb", "AmazonCloudWatch", "DataProcessing-Bytes"),
    Listing("logs_gb_month", "AmazonCloudWatch", "TimedStorage-ByteHrs"),
    Listing("alarm_month", "AmazonCloudWatch", "CW:AlarmMonitorUsage"),
    Listing("metric_month", "AmazonCloudWatch", "CW:MetricMonitorUsage"),
)
# Without it, the price list does not know the region.
REQUIRED = LISTINGS[1]
RegionPrices = dict[Listing, Tiers]


class Dimension(TypedDict):
    """A tier of a price, in the price list's own words."""

    beginRange: str
    pricePerUnit: dict[str, str]


class Term(TypedDict):
    """The terms on which a product is sold from a date on."""

    effectiveDate: str
    priceDimensions: dict[str, Dimension]


@dataclass(frozen=True)
class Product:
    """A product of the price list.

    Attributes:
        service: AWS's code of the service.
        usage: AWS's usage type.
        terms: The terms on which it is sold on demand.
    """

    service: str
    usage: str
    terms: Sequence[Term]

    @classmethod
    def parse(cls, service: str, text: str) -> "Product":
        """Return the product that a JSON text of the price list describes."""
        with _known_format(service):
            document = json.loads(text)
            usage = document["product"]["attributes"].get("usagetype", "")
            return cls(service, str(usage), tuple(document["terms"].get("OnDemand", {}).values()))

    def read_tiers(self) -> Tiers:
        """Return the tiers of the price that is in effect, none if there is none."""
        with _known_format(self.service):
            now = datetime.now(UTC).isoformat()
            terms = [term for term in self.terms if term["effectiveDate"] <= now]
            if not terms:
                return ()
            current = max(terms, key=lambda term: term["effectiveDate"])
            tiers = [
                Tier(Decimal(each["beginRange"]), Decimal(each["pricePerUnit"]["USD"]))
                for each in current["priceDimensions"].values()
            ]
            if not all(
                number == 0 or MIN_NUMBER <= number <= MAX_NUMBER for tier in tiers for number in tier
            ):
                raise ValueError(tiers)
            return tuple(sorted(tiers))


@dataclass(frozen=True)
class PriceTable:
    """A price table that was fetched.

    Attributes:
        text: The table, in the format of prices.toml.
        missing: By region, the prices that AWS does not list, or for which it lists several.
    """

    text: str
    missing: dict[str, tuple[str, ...]]

    def write(self, file: str | Path) -> None:
        """Write the table to a file, which may only replace another price table.

        Raises:
            ShutterlessError: The file is something else, or cannot be written.
        """
        file = Path(file)
        ensure_replaceable_table(file)
        with atomic_file(file) as draft:
            draft.write_text(self.text, "utf-8")


def ensure_replaceable_table(file: Path) -> None:
    """Check that a file can be written, and is new or a price table.

    Raises:
        ShutterlessError: It is something else (`not-ours`), or cannot be written (`cannot-write`).
    """
    ensure_writable(file)
    if file.exists() and not has_mark(file, TITLE.encode()):
        raise OutputError("not-ours", f"{file} already exists and is not a price table", "Choose a new file.")


def fetch_prices(regions: Sequence[str] = (), *, profile: str | None = None) -> PriceTable:
    """Fetch the current prices of AWS regions. You need the permission `pricing:GetProducts`.

    Args:
        regions: The AWS regions; by default that of AWS_REGION or the profile.
        profile: A profile of the AWS configuration; AWS_PROFILE by default.

    Returns:
        A price table. Once it is written to a file, `load_prices` reads it.

    Raises:
        ShutterlessError: AWS refuses, has no such region, or answers in an unknown format.

    Example:
        >>> from shutterless import deploy
        >>> deploy.fetch_prices(["eu-central-1"]).write("prices.toml")  # doctest: +SKIP
    """
    session = connect(profile, regions[0] if regions else None)
    with aws_errors(profile):
        prices = {region: _fetch_region(session, region) for region in regions or [session.region_name]}
    missing = {
        region: tuple(listing.label for listing in LISTINGS if listing not in entries)
        for region, entries in prices.items()
    }
    return PriceTable(_format_table(prices), missing)


def _fetch_region(session: boto3.Session, region: str) -> RegionPrices:
    services = dict.fromkeys(listing.service for listing in LISTINGS)
    products = [product for service in services for product in _read_products(session, service, region)]
    prices = {}
    for listing in LISTINGS:
        # The same price is listed once for each operation that has it, and free units may be listed apart.
        candidates = {
            product.read_tiers()
            for product in products
            if product.service == listing.service and listing.matches(product.usage)
        }
        charges = [tiers for tiers in candidates if any(tier.usd for tier in tiers)]
        if len(charges) == 1:
            prices[listing] = charges[0]
    if REQUIRED not in prices:
        raise DeployError(
            "unknown-region",
            f"AWS's price list has no price of Lambda for {region}",
            "Check the spelling of the region.",
        )
    return prices


def _read_products(session: boto3.Session, service: str, region: str) -> Iterator[Product]:
    fields = {"regionCode": region}
    if service == "AWSDataTransfer":
        fields = {"fromRegionCode": region, "transferType": "AWS Outbound"}
    filters = [{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in fields.items()]
    endpoint = ENDPOINTS.get(region.partition("-")[0], DEFAULT_ENDPOINT)
    client = session.client("pricing", region_name=endpoint)
    for page in client.get_paginator("get_products").paginate(ServiceCode=service, Filters=filters):
        for text in page["PriceList"]:
            yield Product.parse(service, text)


def _format_table(prices: dict[str, RegionPrices]) -> str:
    """Return a table of prices. What the price list does not have is copied from our own table."""
    table = read_table()
    lines = [f"{TITLE}, fetched from its price list.", f'date = "{datetime.now(UTC):%Y-%m}"']
    for section in ("sources", "free"):
        lines += [
            "",
            f"[{section}]",
            *(f"{key} = {json.dumps(text)}" for key, text in table[section].items()),
        ]
    for region, entries in prices.items():
        lines += ["", f"[region.{region}]", *_format_region(entries)]
    return "\n".join(lines) + "\n"


def _format_region(prices: RegionPrices) -> Iterator[str]:
    for name in dict.fromkeys(listing.name for listing in prices):
        values = {each.architecture: each.to_toml(prices[each]) for each in prices if each.name == name}
        architectures = ", ".join(f"{architecture} = {value}" for architecture, value in values.items())
        yield f"{name} = {values.get('', f'{{ {architectures} }}')}"


def _number(value: Decimal) -> str:
    return f"{value.normalize():f}"


@contextlib.contextmanager
def _known_format(service: str) -> Iterator[None]:
    """Turn the errors of reading an answer that is not as expected into a `DeployError`."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise DeployError(
            "unexpected-answer",
            f"AWS's price list of {service} is not in the known format ({type(error).__name__})",
            "Use the price table that comes with shutterless, or update shutterless.",
        ) from error
