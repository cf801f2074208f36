"""Deploy a bundle's image to AWS: registry, function, API, and what it all costs.

    from shutterless import deploy
    deployment = deploy.deploy(Path("bundle"), "clothes", region="eu-central-1")

Each function is imported when it is first asked for, because prices need no boto3.
"""

from typing import Any

from shutterless.utils.lazy import attribute

_HOME = {
    "deploy": "deployer",
    "plan": "deployer",
    "promote": "deployer",
    "rollback": "deployer",
    "destroy": "deployer",
    "connect": "aws.session",
    "read_status": "status",
    "read_logs": "aws.logs",
    "follow_logs": "aws.logs",
    "estimate_cost": "cost.estimate",
    "load_prices": "cost.prices",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    return attribute(__name__, _HOME, name)


def __dir__() -> list[str]:
    return list(__all__)
