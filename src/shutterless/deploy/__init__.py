"""Deploy a bundle to AWS Lambda and API Gateway, look after the deployment, and estimate what it costs.

    import shutterless

    deployment = shutterless.deploy.deploy("bundle", "clothes", region="eu-central-1")

Each name is imported when it is first used, because prices need no boto3.
"""

from shutterless.utils.lazy import import_name

# module: the names that it defines. Their types are in __init__.pyi, which a test compares with this table.
_EXPORTS = {
    "deployer": ("Plan", "PlannedStep", "deploy", "plan"),
    "removal": ("destroy", "list_resources"),
    "state": ("Deployment",),
    "releases.drift": ("Drift", "find_drift"),
    "releases.traffic": ("DeployedRelease", "list_releases", "promote", "rollback"),
    "options": ("OptionChanges", "Options"),
    "code.live": ("LiveRelease", "read_live_release"),
    "environments": ("Environment", "read_environment"),
    "endpoint": ("Endpoint", "read_endpoint"),
    "policy.policy": ("Place", "Policy", "deploy_policy"),
    "status": ("Status", "read_status"),
    "aws.session": ("connect",),
    "aws.logs": ("LogEntry", "follow_logs", "read_logs"),
    "canary.comparison": ("Comparison", "Figure"),
    "cost.batch": ("BatchCost", "estimate_batch"),
    "cost.estimate": ("Estimate", "estimate_cost"),
    "cost.price_list": ("PriceTable", "fetch_prices"),
    "cost.prices": ("Prices", "load_prices"),
    "cost.workload": ("Workload",),
}
_MODULE_OF = {name: module for module, names in _EXPORTS.items() for name in names}

__all__ = sorted(_MODULE_OF)


def __getattr__(name: str) -> object:
    return import_name(__name__, _MODULE_OF, name)


def __dir__() -> list[str]:
    return list(__all__)
