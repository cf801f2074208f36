"""Drift: resources of a deployment that somebody has changed by hand, as CloudFormation finds them."""

from collections.abc import Iterator
from dataclasses import dataclass

from botocore.client import BaseClient

from shutterless.deploy.aws.errors import aws_errors
from shutterless.deploy.aws.session import connect
from shutterless.deploy.aws.waiting import poll
from shutterless.deploy.state import read_deployed_stack
from shutterless.errors import DeployError

POLL_INTERVAL_S = 3
TIMEOUT_S = 600


@dataclass(frozen=True)
class Drift:
    """A property of a resource that is not as the deployed template says.

    Attributes:
        resource: The resource's logical id.
        type: Its type, such as `AWS::CloudWatch::Alarm`.
        property: The path of the property, such as `/MemorySize`; empty if the resource was deleted.
        expected: The property's value by the template, as JSON.
        actual: Its value at AWS, as JSON.
    """

    resource: str
    type: str
    property: str = ""
    expected: str = ""
    actual: str = ""


def find_drift(name: str, *, profile: str | None = None, region: str | None = None) -> list[Drift]:
    """Return what is not as the deployed template says, which takes CloudFormation a minute or so.

    Args:
        name: The deployment's name.
        profile: A profile of the AWS configuration; AWS_PROFILE by default.
        region: The AWS region; AWS_REGION or the profile's by default.

    Raises:
        ShutterlessError: There is no such deployment, it is being changed, or AWS refuses.

    Example:
        >>> from shutterless import deploy
        >>> deploy.find_drift("clothes", region="eu-central-1")  # doctest: +SKIP
        []
    """
    session = connect(profile, region)
    with aws_errors(profile):
        cloudformation = session.client("cloudformation")
        stack = read_deployed_stack(cloudformation, name)
        detection = cloudformation.detect_stack_drift(StackName=stack.id)["StackDriftDetectionId"]
        _wait(cloudformation, detection)
        return list(_read(cloudformation, stack.id))


def _read(cloudformation: BaseClient, stack_id: str) -> Iterator[Drift]:
    """Yield what CloudFormation has found, page by page."""
    request = {"StackName": stack_id, "StackResourceDriftStatusFilters": ["MODIFIED", "DELETED"]}
    while True:
        page = cloudformation.describe_stack_resource_drifts(**request)
        for resource in page["StackResourceDrifts"]:
            name, kind = resource["LogicalResourceId"], resource["ResourceType"]
            if resource["StackResourceDriftStatus"] == "DELETED":
                yield Drift(name, kind)
            for each in resource.get("PropertyDifferences", []):
                yield Drift(name, kind, each["PropertyPath"], each["ExpectedValue"], each["ActualValue"])
        if "NextToken" not in page:
            return
        request["NextToken"] = page["NextToken"]


def _wait(cloudformation: BaseClient, detection: str) -> None:
    """Wait until CloudFormation has compared all resources."""
    for _ in poll(POLL_INTERVAL_S, TIMEOUT_S):
        answer = cloudformation.describe_stack_drift_detection_status(StackDriftDetectionId=detection)
        if answer["DetectionStatus"] != "DETECTION_IN_PROGRESS":
            return
    raise DeployError(
        "drift-unknown",
        f"CloudFormation has not found out within {TIMEOUT_S} s what was changed by hand",
        "Run the same command again.",
    )
