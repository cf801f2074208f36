"""Estimate what a batch job costs: on Lambda, on a spot instance, and on this machine."""

from dataclasses import asdict, dataclass, replace
from typing import cast

from shutterless.deploy.cost.estimate import estimate_cost
from shutterless.deploy.cost.prices import Prices, read_table
from shutterless.deploy.cost.workload import Workload
from shutterless.errors import InputError
from shutterless.runtime.host_resources import cores
from shutterless.runtime.json_types import JsonObject

# Calls of an API at the same time, as `shutterless call` could make them; each takes an instance.
LAMBDA_INSTANCES = 100
SPOT_VCPUS = 4


@dataclass(frozen=True)
class BatchCost:
    """What a batch job takes in one place.

    Attributes:
        place: `lambda`, `spot` or `this machine`.
        workers: Photos that are classified at the same time.
        hours: How long it takes.
        usd: US dollars; None for this machine.
    """

    place: str
    workers: int
    hours: float
    usd: float | None

    def to_json(self) -> JsonObject:
        """Return the attributes as a JSON object."""
        return asdict(self)


def estimate_batch(
    photos: int, workload: Workload, prices: Prices, spot_price: float | None = None
) -> tuple[BatchCost, ...]:
    """Estimate what it costs to classify many photos once.

    On Lambda, each photo is a request to the deployment, warm, with everything that grows with requests. A
    virtual CPU of a spot instance, and a core of this machine, are taken to be as fast as Lambda's.

    Args:
        photos: How many.
        workload: The duration of a photo, and the deployment.
        prices: The prices of a region, see `load_prices`.
        spot_price: US dollars for a virtual CPU and hour; by default that of our price table.

    Raises:
        ShutterlessError: A price is not in the table, or a number is not positive (`invalid-number`).

    Example:
        >>> from shutterless import deploy
        >>> rows = deploy.estimate_batch(1_000_000, deploy.Workload(40), deploy.load_prices("us-east-1"))
        >>> [(row.place, round(row.usd, 2)) for row in rows if row.usd]
        [('lambda', 5.57), ('spot', 0.24)]
    """
    price = spot_vcpu_hour() if spot_price is None else spot_price
    if photos < 1 or not 0 < price < float("inf"):
        raise InputError("invalid-number", "The photos and the price must be above 0", "Check both numbers.")
    hours = photos * workload.duration_ms / 3_600_000
    bill = estimate_cost(replace(workload, requests=photos, cold_share=0.0, provisioned=0), prices)
    on_lambda = sum(item.usd for item in bill.items if item.per_request)
    return (
        BatchCost("lambda", LAMBDA_INSTANCES, hours / LAMBDA_INSTANCES, on_lambda),
        BatchCost("spot", SPOT_VCPUS, hours / SPOT_VCPUS, hours * price),
        BatchCost("this machine", cores(), hours / cores(), None),
    )


def spot_vcpu_hour() -> float:
    """Return the US dollars that our price table has for a virtual CPU of a spot instance and an hour."""
    return cast(dict[str, dict[str, float]], read_table())["spot"]["vcpu_hour"]
