"""One CloudFormation stack: read it, make it updatable, change it by a change set, delete it."""

import contextlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from botocore.client import BaseClient
from botocore.exceptions import BotoCoreError, ClientError

from shutterless.deploy.aws import stack_states
from shutterless.deploy.aws.errors import error_code, explain_failure, explain_reason
from shutterless.deploy.aws.stack_states import NEVER_CREATED, ROLLBACK_FAILED, SUCCESS
from shutterless.deploy.aws.waiting import poll
from shutterless.deploy.option_values import TAG
from shutterless.deploy.template.template import PREFIX, all_tags, read_options, template_text
from shutterless.deploy.template.types import METADATA, Template
from shutterless.errors import DeployError
from shutterless.runtime.json_types import JsonObject
from shutterless.utils.progress import Progress

POLL_INTERVAL_S = 3

NO_CHANGES = ("didn't contain changes", "No updates are to be performed")


@dataclass(frozen=True)
class Stack:
    """A stack as CloudFormation describes it.

    Attributes:
        name: Its name.
        id: Its ARN.
        status: Such as `UPDATE_COMPLETE`.
        created_at: When it was created.
        updated_at: When it was created or last updated.
        outputs: The template's outputs.
        tags: Its tags.
    """

    name: str
    id: str
    status: str
    created_at: datetime
    updated_at: datetime
    outputs: dict[str, str]
    tags: dict[str, str]

    @property
    def is_busy(self) -> bool:
        """Whether CloudFormation is changing it."""
        return stack_states.is_busy(self.status)


@dataclass(frozen=True)
class RollbackTriggers:
    """Alarms that make CloudFormation roll a change back.

    Attributes:
        alarms: The names of the alarms.
        minutes: How long CloudFormation watches them after the change.
    """

    alarms: tuple[str, ...] = ()
    minutes: int = 0

    def configuration(self, stack_id: str) -> JsonObject:
        """Return the rollback configuration of a change set; without alarms it clears an earlier one."""
        partition, _, region, account = stack_id.split(":")[1:5]
        prefix = f"arn:{partition}:cloudwatch:{region}:{account}:alarm:"
        triggers = [{"Arn": prefix + alarm, "Type": "AWS::CloudWatch::Alarm"} for alarm in self.alarms]
        return {"RollbackTriggers": triggers, "MonitoringTimeInMinutes": self.minutes}


def read_stack(cloudformation: BaseClient, name: str) -> Stack | None:
    """Return the stack with this name or ARN, None if there is none.

    Raises:
        ShutterlessError: It was not made by shutterless.
    """
    try:
        description = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if error_code(error) == "ValidationError" and "does not exist" in str(error):
            return None
        raise
    stack = Stack(
        name=description["StackName"],
        id=description["StackId"],
        status=description["StackStatus"],
        created_at=description["CreationTime"],
        updated_at=description.get("LastUpdatedTime", description["CreationTime"]),
        outputs={output["OutputKey"]: output["OutputValue"] for output in description.get("Outputs", [])},
        tags={tag["Key"]: tag["Value"] for tag in description.get("Tags", [])},
    )
    if TAG not in stack.tags:
        raise DeployError(
            "foreign-stack", f"The stack {stack.name} was not made by shutterless", "Choose another name."
        )
    return None if stack.status == "DELETE_COMPLETE" else stack


def deployment_not_found(name: str, region: str) -> DeployError:
    """Return the error for a name without a stack, or whose stack was never created."""
    return DeployError(
        "no-deployment",
        f"There is no deployment {name} in {region}",
        "Check the name, --region and --profile, or create it with shutterless deploy.",
    )


def read_template(cloudformation: BaseClient, stack: Stack | None) -> Template | None:
    """Return the template of a stack, None if the stack is missing or was never created.

    Raises:
        ShutterlessError: The template is not one of ours.
    """
    if stack is None or stack.status in NEVER_CREATED:
        return None
    template = cloudformation.get_template(StackName=stack.id)["TemplateBody"]
    if not isinstance(template, dict) or METADATA not in template.get("Metadata", {}):
        raise DeployError(
            "foreign-template",
            f"The stack {stack.name} was updated with a template that shutterless did not make",
            f"Restore its template, or run shutterless destroy {stack.name.removeprefix(PREFIX)} and deploy.",
        )
    return cast(Template, template)


def wait_until_updatable(cloudformation: BaseClient, name: str, progress: Progress) -> Stack | None:
    """Bring a stack from any state into one in which it can be updated.

    Waits for a change in progress, deletes a stack that was never created, and continues a failed
    rollback.

    Returns:
        The stack, None if there is none (any more).

    Raises:
        ShutterlessError: The deletion or the rollback failed again.
    """
    statuses: set[str] = set()
    while stack := read_stack(cloudformation, name):
        if stack.is_busy:
            wait(cloudformation, stack.id, progress)
        elif stack.status in statuses:
            error = DeployError(
                "rollback-failed",
                f"The stack {stack.name} is in {stack.status} again",
                "Fix the cause and run the same command again.",
            )
            raise _failure(cloudformation, stack.id, error)
        elif stack.status in NEVER_CREATED:
            delete_stack(cloudformation, stack, progress)
        elif stack.status == ROLLBACK_FAILED:
            cloudformation.continue_update_rollback(StackName=stack.id)
        else:
            return stack
        statuses.add(stack.status)
    return None


def change_stack(
    cloudformation: BaseClient,
    name: str,
    stack: Stack | None,
    template: Template,
    triggers: RollbackTriggers,
    progress: Progress,
) -> Stack | None:
    """Create or update a stack by a change set and wait until that is finished.

    Args:
        cloudformation: The client.
        name: The stack's name.
        stack: The stack to update, None to create it.
        template: What it is to become.
        triggers: The alarms that roll an update back.
        progress: Called while CloudFormation works.

    Returns:
        The stack after the change.

    Raises:
        ShutterlessError: The first failure. CloudFormation has rolled everything back.
    """
    tags = all_tags(name.removeprefix(PREFIX), read_options(template))
    change_set = cloudformation.create_change_set(
        StackName=name,
        ChangeSetName=f"{PREFIX}{uuid.uuid4().hex[:12]}",
        ChangeSetType="UPDATE" if stack else "CREATE",
        TemplateBody=template_text(template),
        Capabilities=["CAPABILITY_IAM"],
        Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
        **({"RollbackConfiguration": triggers.configuration(stack.id)} if stack else {}),
    )
    if not _execute(cloudformation, change_set["Id"]):
        return stack
    result = wait(cloudformation, change_set["StackId"], progress)
    if result is None or result.status not in SUCCESS:
        error = DeployError(
            "rolled-back",
            f"CloudFormation has rolled back the change of the stack {name}",
            "Fix the cause and run the same command again.",
        )
        raise _failure(cloudformation, change_set["StackId"], error)
    return result


def _execute(cloudformation: BaseClient, change_set: str) -> bool:
    """Execute a change set once it is ready; delete it if it changes nothing, fails or is interrupted.

    Returns whether it was executed. Raises `ShutterlessError` if CloudFormation could not make it.
    """
    try:
        is_needed = _is_ready(cloudformation, change_set)
        if is_needed:
            cloudformation.execute_change_set(ChangeSetName=change_set)
    except BaseException:  # Ctrl-C too
        with contextlib.suppress(BotoCoreError, ClientError):  # AWS keeps it if it is already running
            cloudformation.delete_change_set(ChangeSetName=change_set)
        raise
    if not is_needed:
        cloudformation.delete_change_set(ChangeSetName=change_set)
    return is_needed


def cancel_update(cloudformation: BaseClient, stack: Stack, progress: Progress) -> None:
    """Cancel the update in progress and wait until it is rolled back.

    Raises:
        ShutterlessError: It is too late to cancel it.
    """
    try:
        cloudformation.cancel_update_stack(StackName=stack.id)
    except ClientError as error:
        if error_code(error) != "ValidationError":
            raise
        raise DeployError(
            "stack-busy",
            f"The update of the stack {stack.name} cannot be cancelled any more ({stack.status})",
            "Wait until it has finished, then run the same command again.",
        ) from error
    wait(cloudformation, stack.id, progress)


def remove_stack(cloudformation: BaseClient, name: str, progress: Progress) -> None:
    """Delete the stack `name`, if there is one, after any change in progress.

    Raises:
        ShutterlessError: A resource could not be deleted.
    """
    stack = read_stack(cloudformation, name)
    if stack and stack.is_busy:
        stack = wait(cloudformation, stack.id, progress)
    if stack:
        delete_stack(cloudformation, stack, progress)


def delete_stack(cloudformation: BaseClient, stack: Stack, progress: Progress) -> None:
    """Delete a stack and wait until it is gone.

    Raises:
        ShutterlessError: A resource could not be deleted.
    """
    cloudformation.delete_stack(StackName=stack.id)
    if wait(cloudformation, stack.id, progress):
        error = DeployError(
            "delete-failed",
            f"The stack {stack.name} could not be deleted",
            "Fix the cause and run the same command again.",
        )
        raise _failure(cloudformation, stack.id, error)


def wait(cloudformation: BaseClient, stack_id: str, progress: Progress) -> Stack | None:
    """Wait until CloudFormation has finished changing a stack; interrupting the wait does not stop it.

    Returns:
        The stack, None if it is deleted.
    """
    stack = None
    for _ in poll(POLL_INTERVAL_S):
        stack = read_stack(cloudformation, stack_id)
        if stack is None or not stack.status.endswith("_IN_PROGRESS"):
            break
        resources = cloudformation.describe_stack_resources(StackName=stack_id)["StackResources"]
        count = sum(not each["ResourceStatus"].endswith("_IN_PROGRESS") for each in resources)
        progress(f"Stack {stack.name}, {stack.status}", count, len(resources) + 1)
    return stack


def _is_ready(cloudformation: BaseClient, change_set: str) -> bool:
    """Wait for a change set and tell whether it changes anything; raises `ShutterlessError` if it failed."""
    for _ in poll(POLL_INTERVAL_S):
        description = cloudformation.describe_change_set(ChangeSetName=change_set)
        reason = description.get("StatusReason", "")
        if description["Status"] == "FAILED" and not any(text in reason for text in NO_CHANGES):
            raise explain_reason(reason)
        if description["Status"] in ("CREATE_COMPLETE", "FAILED"):
            break
    return bool(description["Status"] == "CREATE_COMPLETE")


def _failure(cloudformation: BaseClient, stack_id: str, default: DeployError) -> DeployError:
    """Return the error for what failed first in the last operation on a stack.

    That is the error of a known cause, such as a missing permission, or else `default`.
    """
    failures = list(_failures(cloudformation, stack_id))
    stack = stack_id.split("/")[1]
    if not failures:
        return DeployError(
            "update-cancelled",
            f"The last change of the stack {stack} was rolled back without a failure",
            "It may have been cancelled (shutterless rollback does that). Run the same command to try again.",
        )
    resource, reason, is_alarm = failures[-1]
    if is_alarm:
        default = DeployError(
            "alarm-rollback",
            f"An alarm made CloudFormation roll back the change of the stack {stack}",
            f"Find out why with: shutterless logs {stack.removeprefix(PREFIX)} --since 1h",
        )
    return explain_failure(resource, reason, default)


def _failures(cloudformation: BaseClient, stack_id: str) -> Iterator[tuple[str, str, bool]]:
    """Yield resource, reason and whether it was an alarm, for each failure of the last operation.

    The latest comes first.
    """
    for event in cloudformation.describe_stack_events(StackName=stack_id)["StackEvents"]:
        status, reason = event["ResourceStatus"], event.get("ResourceStatusReason", "")
        if reason == "User Initiated":
            return
        is_alarm = status.endswith("ROLLBACK_IN_PROGRESS") and "alarm" in reason.lower()
        if reason and "cancelled" not in reason and (status.endswith("FAILED") or is_alarm):
            yield event["LogicalResourceId"], reason, is_alarm
