"""Deploy a bundle's image to AWS: registry, function, API, and what it all costs.

    from shutterless import deploy
    deployment = deploy.deploy(Path("bundle"), "clothes", region="eu-central-1")

Each function is imported when it is first asked for, because prices need no boto3.
"""

import importlib
from typing import Any

_HOME = {
    "deploy": "deployer",
    "plan": "deployer",
    "promote": "deployer",
    "rollback": "deployer",
    "destroy": "deployer",
    "connect": "session",
    "read_status": "status",
    "read_logs": "logs",
    "follow_logs": "logs",
    "estimate_cost": "cost",
    "load_prices": "prices",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return list(__all__)
