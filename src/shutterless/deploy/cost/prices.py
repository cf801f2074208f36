"""AWS's prices: a dated table by region, or a file of the user's own like it."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shutterless.errors import DeployError, InputError, ShutterlessError
from shutterless.files import read_text

TABLE = Path(__file__).with_name("prices.toml")


@dataclass(frozen=True)
class Prices:
    """The prices of one region in US dollars without tax.

    date: the month, YYYY-MM, in which they were right. sources: the price pages. free: what an account
    has for nothing every month. figures: as prices.toml names them.
    """

    region: str
    date: str
    sources: dict[str, str]
    free: dict[str, float]
    figures: dict[str, Any]

    def of(self, name: str, architecture: str = "") -> float:
        """Return one figure; raises `ShutterlessError` if the table does not have it for this region."""
        figure = self._figure(name)
        if isinstance(figure, dict):
            figure = figure.get(architecture)
        if not isinstance(figure, int | float):
            raise self._missing(f"{name} {architecture}".strip())
        return float(figure)

    def tiers(self, name: str) -> list[tuple[float, float]]:
        """Return a price that falls with the volume: (up to so much, price) in order."""
        figure = self._figure(name)
        try:
            return [(float(limit), float(price)) for limit, price in figure]
        except (TypeError, ValueError) as error:
            raise self._missing(name) from error

    def _figure(self, name: str) -> Any:
        if name not in self.figures:
            raise self._missing(name)
        return self.figures[name]

    def _missing(self, name: str) -> ShutterlessError:
        return DeployError(
            "unknown-price",
            f"The price table of {self.date} has no {name} for {self.region}",
            f"Take it from AWS's page into a table of your own, like {TABLE}, and give --prices FILE.",
        )


def load_prices(region: str, file: Path | None = None) -> Prices:
    """Return a region's prices, from a table of the user's own if one is given.

    Raises `ShutterlessError` if the table does not have the region or cannot be read.
    """
    table = _read(file or TABLE)
    regions = table["region"]
    if not isinstance(regions.get(region), dict):
        raise DeployError(
            "unknown-region",
            f"The price table of {table['date']} does not have the region {region}",
            f"Give --region {' or '.join(regions)} to have an idea, or --prices FILE with {region} in it.",
        )
    return Prices(region, table["date"], table["sources"], table["free"], regions[region])


def _read(file: Path) -> dict[str, Any]:
    try:
        table = tomllib.loads(read_text(file))
    except OSError as error:
        raise InputError(
            "unreadable-prices", f"{file}: {error.strerror}", "Give a price table to --prices."
        ) from error
    except ValueError as error:
        raise InputError(
            "unreadable-prices", f"{file} is no TOML: {error}", f"Make one like {TABLE}."
        ) from error
    kinds = {"date": str, "sources": dict, "free": dict, "region": dict}
    wrong = [name for name, kind in kinds.items() if not isinstance(table.get(name), kind)]
    if wrong:
        raise InputError(
            "unreadable-prices", f"{file} is no price table: {wrong[0]} is missing", f"Make one like {TABLE}."
        )
    return table
