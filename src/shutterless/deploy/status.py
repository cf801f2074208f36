"""What is deployed under a name, how it fares, and what it is about to cost."""

from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any

import boto3
from botocore.exceptions import ClientError

from shutterless.deploy.aws.cloudformation import Stack, no_deployment, read_stack
from shutterless.deploy.aws.cloudwatch import PAST, Observed, observe
from shutterless.deploy.aws.errors import aws_errors
from shutterless.deploy.cost.estimate import Workload, estimate_cost
from shutterless.deploy.cost.prices import load_prices
from shutterless.deploy.options import check_name
from shutterless.deploy.template.function import ALIAS
from shutterless.deploy.template.template import stack_name
from shutterless.errors import DeployError, ShutterlessError

MONTH = timedelta(days=30)


@dataclass(frozen=True)
class Status:
    """The state of a deployment.

    state: CloudFormation's. updated: ISO 8601. model: its name and version. image: `uri@sha256:…`.
    version: of the function, the one that is live; canary: others' shares of the traffic, 0 to 1, by
    version. memory: MB. provisioned: instances kept warm. alarms: each one's state. last_hour: None if
    there was no request. monthly_usd: at the pace of the last 14 days, None without traffic or where
    prices are unknown. key: only if asked for.
    """

    name: str
    region: str
    state: str
    updated: str
    url: str = ""
    model: str = ""
    image: str = ""
    version: str = ""
    canary: dict[str, float] = field(default_factory=dict)
    memory: int = 0
    architecture: str = ""
    snapstart: bool = False
    provisioned: int = 0
    alarms: dict[str, str] = field(default_factory=dict)
    last_hour: Observed | None = None
    monthly_usd: float | None = None
    key: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the members as JSON has them."""
        return asdict(self)


def read_status(session: boto3.Session, name: str, *, show_key: bool = False) -> Status:
    """Return the state of the deployment `name`; raises `ShutterlessError` if there is none."""
    with aws_errors():
        stack = _stack(session, name)
        known = {
            "name": name,
            "region": session.region_name,
            "state": stack.status,
            "updated": stack.changed.isoformat(timespec="seconds"),
            "url": stack.outputs.get("Url", ""),
            "alarms": _alarms(session, stack.name),
            "key": _key(session, stack.outputs) if show_key else None,
        }
        live = live_function(session, name)
    if not live:
        return Status(**known)
    return Status(
        **known,
        **live,
        last_hour=observe(session, stack_name(name), timedelta(hours=1)),
        monthly_usd=_monthly_usd(session, name, live),
    )


def live_function(session: boto3.Session, name: str) -> dict[str, Any]:
    """Return what `Status` says of the function that is live, version to provisioned; empty if none is.

    Raises what botocore raises.
    """
    function, client = stack_name(name), session.client("lambda")
    try:
        alias = client.get_alias(FunctionName=function, Name=ALIAS)
        found = client.get_function(FunctionName=function, Qualifier=alias["FunctionVersion"])
    except client.exceptions.ResourceNotFoundException:
        return {}
    settings = found["Configuration"]
    return {
        "version": alias["FunctionVersion"],
        "canary": alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {}),
        "model": settings.get("Description", ""),
        "image": found["Code"].get("ImageUri", ""),
        "memory": settings["MemorySize"],
        "architecture": settings.get("Architectures", ["x86_64"])[0],
        "snapstart": settings.get("SnapStart", {}).get("ApplyOn") == "PublishedVersions",
        "provisioned": _provisioned(client, function),
    }


def deployed_workload(session: boto3.Session, name: str) -> Workload:
    """Return what the last 14 days of the deployment `name` make of a month.

    Raises `ShutterlessError` if nothing is live or there was no request.
    """
    with aws_errors():
        _stack(session, name)
        live = live_function(session, name)
    seen = _workload(session, name, live) if live else None
    if not seen:
        raise DeployError(
            "never-called",
            f"{name} was not called in the last 14 days, so nobody knows how long it takes",
            "Leave the name out, and give --duration MS or --bundle BUNDLE to measure it on this machine.",
        )
    return seen


def _workload(session: boto3.Session, name: str, live: dict[str, Any]) -> Workload | None:
    seen = observe(session, stack_name(name), PAST)
    if not seen:
        return None
    return Workload(
        duration_ms=seen.mean_ms,
        requests=round(seen.requests * (MONTH / PAST)),
        **{member: live[member] for member in ("memory", "architecture", "snapstart", "provisioned")},
    )


def _monthly_usd(session: boto3.Session, name: str, live: dict[str, Any]) -> float | None:
    seen = _workload(session, name, live)
    try:
        return estimate_cost(seen, load_prices(session.region_name)).monthly_usd if seen else None
    except ShutterlessError:  # the region's prices are not known
        return None


def _provisioned(client: Any, function: str) -> int:
    try:
        found = client.get_provisioned_concurrency_config(FunctionName=function, Qualifier=ALIAS)
    except ClientError as error:
        # By status, because what plays AWS locally gives its 404 another code.
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            return 0
        raise
    return int(found["RequestedProvisionedConcurrentExecutions"])


def _stack(session: boto3.Session, name: str) -> Stack:
    stack = read_stack(session.client("cloudformation"), stack_name(check_name(name)))
    if not stack:
        raise no_deployment(name, session.region_name)
    return stack


def _alarms(session: boto3.Session, stack: str) -> dict[str, str]:
    """Return the state of each of a stack's alarms, which also share no more than a prefix with others'."""
    pages = session.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack)
    names = [
        resource["PhysicalResourceId"]
        for page in pages
        for resource in page["StackResourceSummaries"]
        if resource["ResourceType"] == "AWS::CloudWatch::Alarm" and resource.get("PhysicalResourceId")
    ]
    if not names:
        return {}
    found = session.client("cloudwatch").describe_alarms(AlarmNames=names)["MetricAlarms"]
    return {alarm["AlarmName"]: alarm["StateValue"] for alarm in found}


def _key(session: boto3.Session, outputs: dict[str, str]) -> str | None:
    if "ApiKeyId" not in outputs:
        return None
    found = session.client("apigateway").get_api_key(apiKey=outputs["ApiKeyId"], includeValue=True)
    return str(found["value"])
