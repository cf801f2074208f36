"""The status of a deployment: what is live, its health, and its cost at the current pace."""

import base64
import math
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta

import boto3
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from shutterless.deploy.aws.api_keys import read_api_key
from shutterless.deploy.aws.cloudformation.stack import (
    Stack,
    read_resources,
    read_template,
)
from shutterless.deploy.aws.cloudwatch import FunctionMetrics, read_alarm_states, read_metrics
from shutterless.deploy.aws.ecr import read_findings
from shutterless.deploy.aws.errors import aws_errors
from shutterless.deploy.aws.reports import read_cold_starts
from shutterless.deploy.aws.session import connect
from shutterless.deploy.canary.comparison import Comparison
from shutterless.deploy.canary.watch import compare_canary
from shutterless.deploy.code import read_upload_time
from shutterless.deploy.cost.estimate import estimate_cost
from shutterless.deploy.cost.prices import load_prices
from shutterless.deploy.cost.workload import MONTH_S, Workload
from shutterless.deploy.option_values import Package
from shutterless.deploy.releases.alias import find_alias_change, read_routing
from shutterless.deploy.state import State, read_deployed_stack
from shutterless.deploy.template.code import parse_code
from shutterless.deploy.template.function import ALIAS
from shutterless.deploy.template.releases import Release, read_releases
from shutterless.deploy.template.template import stack_name
from shutterless.deploy.template.types import Template
from shutterless.errors import DeployError, ShutterlessError
from shutterless.runtime.json_types import JsonObject

MONTH = timedelta(seconds=MONTH_S)
# Two weeks, so that weekends count as they should; less for a younger deployment.
LOOKBACK = timedelta(days=14)
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class LiveFunction:
    """The function version that is live.

    Attributes:
        code: Its image, `uri@sha256:…`, or the digest of its zip, `sha256:…`.
        package: `zip` or `image`.
        version: The version's number.
        canary: The shares of the calls, 0 to 1, that other versions get, by version number.
        memory: In MB.
        architecture: `x86_64` or `arm64`.
        snapstart: Whether it starts from a snapshot.
        provisioned: The number of instances kept warm.
    """

    code: str
    package: Package
    version: str
    canary: dict[str, float]
    memory: int
    architecture: str
    snapstart: bool
    provisioned: int


@dataclass(frozen=True)
class Measurement:
    """A month's workload, extrapolated from what CloudWatch measured.

    Attributes:
        workload: The workload.
        period: What it is extrapolated from.
    """

    workload: Workload
    period: timedelta


@dataclass(frozen=True)
class Status:
    """The status of a deployment. What concerns the function is empty if no version is live.

    Attributes:
        name: The deployment's name.
        region: The AWS region.
        state: The status of the CloudFormation stack.
        updated: When the stack was created or last updated, ISO 8601.
        url: The address of the page and the API.
        model: Name and version of the live model.
        code: The live image, `uri@sha256:…`, or zip, `s3://bucket/key?versionId=…`.
        package: `zip` or `image`.
        code_uploaded: When it was uploaded, ISO 8601; empty if it is no longer stored.
        vulnerabilities: The number that ECR's scan has found in an image, by severity; None if there is no
            finished scan.
        version: The number of the live version of the function.
        canary: The shares of the calls, 0 to 1, that other versions get, by version number.
        memory: In MB.
        architecture: `x86_64` or `arm64`.
        snapstart: Whether the function starts from a snapshot.
        provisioned: The number of instances kept warm.
        alias_change: That somebody has turned the alias by hand, and how; empty if nobody has.
        comparison: The canary's answers beside the live version's; None without a canary.
        alarms: The state of each alarm, by name.
        last_hour: None if there was no request.
        monthly_usd: The estimated cost per month, at the pace of the last `period_hours`. None without
            requests, or if the region's prices are unknown.
        period_hours: Hours that the cost is extrapolated from: two weeks, or the deployment's age.
        key: The API key, if it was asked for.
    """

    name: str
    region: str
    state: str
    updated: str
    url: str = ""
    model: str = ""
    code: str = ""
    package: str = ""
    code_uploaded: str = ""
    vulnerabilities: dict[str, int] | None = None
    version: str = ""
    canary: dict[str, float] = field(default_factory=dict)
    memory: int = 0
    architecture: str = ""
    snapstart: bool = False
    provisioned: int = 0
    alias_change: str = ""
    comparison: Comparison | None = None
    alarms: dict[str, str] = field(default_factory=dict)
    last_hour: FunctionMetrics | None = None
    monthly_usd: float | None = None
    period_hours: float = 0.0
    key: str | None = None

    def to_json(self) -> JsonObject:
        """Return the status as a JSON object."""
        return asdict(self)


def read_status(
    name: str, *, profile: str | None = None, region: str | None = None, show_key: bool = False
) -> Status:
    """Return the status of a deployment: what is live, its health and its cost.

    Args:
        name: The deployment's name.
        profile: A profile of the AWS configuration; AWS_PROFILE by default.
        region: The AWS region; AWS_REGION or the profile's by default.
        show_key: Whether to return the API key too.

    Raises:
        ShutterlessError: There is no such deployment, or AWS refuses.

    Example:
        >>> from shutterless import deploy
        >>> deploy.read_status("clothes", region="eu-central-1").state  # doctest: +SKIP
        'CREATE_COMPLETE'
    """
    session = connect(profile, region)
    with aws_errors(profile):
        stack = read_deployed_stack(session.client("cloudformation"), name)
        key_id = stack.outputs.get("ApiKeyId") if show_key else None
        status = Status(
            name=name,
            region=session.region_name,
            state=stack.status,
            updated=stack.updated_at.isoformat(timespec="seconds"),
            url=stack.outputs.get("Url", ""),
            alarms=_read_alarms(session, stack.name),
            key=read_api_key(session, key_id) if key_id else None,
        )
        function = _read_live_function(session, name)
        if not function:
            return status
        canary = next(iter(function.canary), "")
        template = read_template(session.client("cloudformation"), stack)
        release = _find_release(template, function)
        code = release.code if release else None
        if code is None and function.package == "image":
            code = parse_code(function.code)
        upload_time = read_upload_time(session, code) if code else None
        return replace(
            status,
            **{**vars(function), "code": str(code or function.code)},
            code_uploaded=upload_time.isoformat(timespec="seconds") if upload_time else "",
            vulnerabilities=read_findings(session, str(code)) if function.package == "image" else None,
            model=release.model if release else "",
            alias_change=str(find_alias_change(session, State(name, stack, template)) or ""),
            comparison=compare_canary(session, name, function.version, canary, stack.updated_at)
            if canary
            else None,
            last_hour=read_metrics(session, stack.name, HOUR),
            monthly_usd=_monthly_usd(session, stack, function),
            period_hours=_period(stack) / HOUR,
        )


def read_workload(session: boto3.Session, name: str) -> Measurement:
    """Return the monthly workload of a deployment, extrapolated from two weeks or, if less, from its age.

    Raises:
        ShutterlessError: There is no such deployment, or it had no request.
    """
    with aws_errors():
        stack = read_deployed_stack(session.client("cloudformation"), name)
        function = _read_live_function(session, name)
        workload = _workload(session, stack, function) if function else None
    if not workload:
        raise DeployError(
            "never-called",
            f"{name} had no request in the last 14 days, so its duration is unknown",
            "Leave the name out and give --duration MS, or --bundle BUNDLE to measure it on this machine.",
        )
    return Measurement(workload, _period(stack))


def _read_live_function(session: boto3.Session, name: str) -> LiveFunction | None:
    function, client = stack_name(name), session.client("lambda")
    routing = read_routing(session, function)
    if routing is None:
        return None
    try:
        description = client.get_function(FunctionName=function, Qualifier=routing.version)
    except client.exceptions.ResourceNotFoundException:
        return None
    settings, image = description["Configuration"], description["Code"].get("ImageUri", "")
    return LiveFunction(
        code=image or f"sha256:{base64.b64decode(settings['CodeSha256']).hex()}",
        package="image" if image else "zip",
        version=routing.version,
        canary=routing.shares,
        memory=settings["MemorySize"],
        architecture=settings.get("Architectures", ["x86_64"])[0],
        snapstart=settings.get("SnapStart", {}).get("ApplyOn") == "PublishedVersions",
        provisioned=_read_provisioned(client, function),
    )


def _find_release(template: Template | None, function: LiveFunction) -> Release | None:
    """Return the release that is live at Lambda, None if the template does not have it."""
    releases = read_releases(template).history if template else ()
    for release in reversed(releases):
        if function.code in (str(release.code), release.code.digest):
            return release
    return None


def _read_provisioned(client: BaseClient, function: str) -> int:
    try:
        answer = client.get_provisioned_concurrency_config(FunctionName=function, Qualifier=ALIAS)
    except ClientError as error:
        # By status, because simulations of AWS return another code with their 404.
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            return 0
        raise
    return int(answer["RequestedProvisionedConcurrentExecutions"])


def _read_alarms(session: boto3.Session, stack: str) -> dict[str, str]:
    """Return the state of each alarm among a stack's resources; a prefix would find other stacks' too."""
    resources = read_resources(session.client("cloudformation"), stack)
    names = [each.physical_id for each in resources if each.type == "AWS::CloudWatch::Alarm"]
    return read_alarm_states(session, [name for name in names if name])


def _period(stack: Stack) -> timedelta:
    """Return the period from which a month is extrapolated, in whole hours."""
    age = datetime.now(UTC) - stack.created_at
    return min(LOOKBACK, max(1, math.ceil(age / HOUR)) * HOUR)


def _workload(session: boto3.Session, stack: Stack, function: LiveFunction) -> Workload | None:
    period = _period(stack)
    metrics = read_metrics(session, stack.name, period)
    if not metrics:
        return None
    workload = Workload(
        duration_ms=metrics.mean_ms,
        requests=round(metrics.requests * (MONTH / period)),
        memory=function.memory,
        architecture=function.architecture,
        front="rest" if "ApiId" in stack.outputs else "url",
        package=function.package,
        snapstart=function.snapstart,
        snapshots=_count_snapshots(session, stack.name),
        provisioned=function.provisioned,
    )
    starts = read_cold_starts(session, stack.name, period)
    if starts.number:
        workload = replace(workload, start_ms=starts.mean_ms)
    if starts.is_complete:
        workload = replace(workload, cold_share=min(1.0, starts.number / metrics.requests))
    return workload


def _count_snapshots(session: boto3.Session, function: str) -> int:
    """Return the number of versions with a snapshot, which AWS bills until they are deleted."""
    pages = (
        session.client("lambda").get_paginator("list_versions_by_function").paginate(FunctionName=function)
    )
    return sum(
        version["Version"] != "$LATEST" and version.get("SnapStart", {}).get("ApplyOn") == "PublishedVersions"
        for page in pages
        for version in page["Versions"]
    )


def _monthly_usd(session: boto3.Session, stack: Stack, function: LiveFunction) -> float | None:
    workload = _workload(session, stack, function)
    try:
        return estimate_cost(workload, load_prices(session.region_name)).monthly_usd if workload else None
    except ShutterlessError:  # the region's prices are not known
        return None
