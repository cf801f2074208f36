"""AWS's prices by region, from our dated table or from a file of the user's."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict, cast

from shutterless.errors import DeployError, InputError
from shutterless.text_files import read_text

TABLE = Path(__file__).with_name("prices.toml")


class Table(TypedDict):
    """A price table: prices by region and name, and what its head says."""

    date: str
    sources: dict[str, str]
    free: dict[str, float]
    region: dict[str, dict[str, object]]


@dataclass(frozen=True)
class Prices:
    """The prices of one region in US dollars, without tax.

    Attributes:
        region: The AWS region.
        date: The month they were copied from AWS's pages, YYYY-MM.
        sources: The addresses of those pages.
        free: What the free tier of an account covers per month.
        entries: The prices under their names in prices.toml.
    """

    region: str
    date: str
    sources: dict[str, str]
    free: dict[str, float]
    entries: dict[str, object]

    def price(self, name: str, architecture: str = "") -> float:
        """Return one price.

        Args:
            name: Its name in prices.toml.
            architecture: `x86_64` or `arm64`, for a price that depends on it.

        Raises:
            ShutterlessError: The table does not have it for this region.
        """
        entry = self.entries.get(name)
        if isinstance(entry, dict):
            entry = entry.get(architecture)
        if not isinstance(entry, int | float):
            raise self._missing(f"{name} {architecture}".strip())
        return float(entry)

    def tiers(self, name: str) -> list[tuple[float, float]]:
        """Return a price that falls with the volume, as pairs of a tier's upper limit and its price.

        Raises:
            ShutterlessError: The table does not have it for this region.
        """
        entry = cast(list[tuple[float, float]], self.entries.get(name))
        try:
            return [(float(limit), float(price)) for limit, price in entry]
        except (TypeError, ValueError) as error:
            raise self._missing(name) from error

    def _missing(self, name: str) -> DeployError:
        return DeployError(
            "unknown-price",
            f"The price table of {self.date} has no {name} for {self.region}",
            f"Get the prices from AWS (shutterless cost --fetch-prices --region {self.region} -o FILE), or "
            f"add this one to a copy of {TABLE}; then use --prices FILE.",
        )


def load_prices(region: str, file: str | Path | None = None) -> Prices:
    """Return the prices of a region.

    Args:
        region: The AWS region.
        file: A price table in the format of prices.toml; ours by default.

    Raises:
        ShutterlessError: The table cannot be read, or does not have the region.

    Example:
        >>> from shutterless import deploy
        >>> deploy.load_prices("us-east-1").price("lambda_million_requests")
        0.2
    """
    table = read_table(Path(file) if file else TABLE)
    regions = table["region"]
    if not isinstance(regions.get(region), dict):
        raise DeployError(
            "unknown-region",
            f"The price table of {table['date']} does not have the region {region}",
            f"Give --region {' or '.join(regions)} for a rough idea, or get its prices from AWS: "
            f"shutterless cost --fetch-prices --region {region} -o prices.toml, then --prices prices.toml.",
        )
    return Prices(region, table["date"], table["sources"], table["free"], regions[region])


def read_table(file: Path = TABLE) -> Table:
    """Return the content of a price table.

    Raises:
        ShutterlessError: The file cannot be read, or is not a price table.
    """
    try:
        table = tomllib.loads(read_text(file))
    except OSError as error:
        raise InputError(
            "unreadable-prices", f"{file}: {error.strerror}", "Give a price table to --prices."
        ) from error
    except ValueError as error:
        raise InputError(
            "unreadable-prices", f"{file} is not valid TOML: {error}", f"Copy {TABLE} and change it."
        ) from error
    types = {"date": str, "sources": dict, "free": dict, "region": dict}
    missing = [name for name, kind in types.items() if not isinstance(table.get(name), kind)]
    if missing:
        raise InputError("unreadable-prices", f"{file} has no {missing[0]}", f"Copy {TABLE} and change it.")
    return cast(Table, table)
