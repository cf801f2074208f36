"""The events of a CloudFormation stack: what it did last, who asked for it, and why it failed."""

from collections.abc import Iterator
from dataclasses import dataclass

from botocore.client import BaseClient

from shutterless.deploy.aws.errors import explain_failure
from shutterless.deploy.template.template import PREFIX
from shutterless.errors import DeployError

BEGINNINGS = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS")


@dataclass(frozen=True)
class StackEvent:
    """An event of a stack.

    Attributes:
        resource: The logical id of the resource.
        status: Its status, such as `CREATE_FAILED`.
        reason: AWS's reason; may be empty.
        token: The client request token of the operation; empty if it had none.
        is_stack: Whether the event concerns the stack itself.
    """

    resource: str
    status: str
    reason: str
    token: str
    is_stack: bool

    @property
    def is_alarm(self) -> bool:
        """Whether an alarm makes CloudFormation roll back."""
        return self.status.endswith("ROLLBACK_IN_PROGRESS") and "alarm" in self.reason.lower()


def read_events(cloudformation: BaseClient, stack_id: str) -> Iterator[StackEvent]:
    """Yield the events of a stack, latest first. Each page of 100 is only requested when it is needed."""
    for page in cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack_id):
        for event in page["StackEvents"]:
            yield StackEvent(
                resource=event.get("LogicalResourceId", ""),
                status=event.get("ResourceStatus", ""),
                reason=event.get("ResourceStatusReason", ""),
                token=event.get("ClientRequestToken", ""),
                is_stack=event.get("PhysicalResourceId") == stack_id,
            )


def read_last_status(cloudformation: BaseClient, stack_id: str) -> str:
    """Return the status of a stack by its events; empty if it has none."""
    return next((each.status for each in read_events(cloudformation, stack_id) if each.is_stack), "")


def read_last_token(cloudformation: BaseClient, stack_id: str) -> str:
    """Return the client request token of the last creation, update or deletion of a stack."""
    events = read_events(cloudformation, stack_id)
    return next((each.token for each in events if each.is_stack and each.status in BEGINNINGS), "")


def has_event(cloudformation: BaseClient, stack_id: str, token: str) -> bool:
    """Tell whether a stack has an event of the operation with this client request token."""
    return any(event.token == token for event in read_events(cloudformation, stack_id))


def explain_operation(cloudformation: BaseClient, stack_id: str, default: DeployError) -> DeployError:
    """Return the error for what failed first in the last operation on a stack.

    That is the error of a known cause, such as a missing permission, or else `default`.
    """
    failures = list(_read_failures(cloudformation, stack_id))
    stack = stack_id.split("/")[1]
    if not failures:
        return DeployError(
            "update-cancelled",
            f"The last change of the stack {stack} was rolled back without a failure",
            "It may have been cancelled (shutterless rollback does that). Run the same command to try again.",
        )
    first = failures[-1]
    if first.is_alarm:
        default = DeployError(
            "alarm-rollback",
            f"An alarm made CloudFormation roll back the change of the stack {stack}",
            f"Find out why with: shutterless logs {stack.removeprefix(PREFIX)} --since 1h",
        )
    return explain_failure(first.resource, first.reason, default)


def _read_failures(cloudformation: BaseClient, stack_id: str) -> Iterator[StackEvent]:
    """Yield the failures of the last operation, latest first."""
    for event in read_events(cloudformation, stack_id):
        if event.reason == "User Initiated":
            return
        is_failure = event.status.endswith("FAILED") and "cancelled" not in event.reason
        if event.reason and (is_failure or event.is_alarm):
            yield event
