"""One CloudFormation stack: read it, bring it out of any state, change it by change set, delete it."""

import contextlib
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from shutterless.deploy.aws.ecr import TAG
from shutterless.deploy.aws.errors import error_code, explain_reason
from shutterless.deploy.template.releases import METADATA, Template
from shutterless.deploy.template.template import PREFIX, template_text
from shutterless.errors import DeployError, ShutterlessError
from shutterless.utils.progress import Progress

POLL_SECONDS = 3

# A stack that has never lived, or is half deleted: CloudFormation can only delete it.
DEAD = ("REVIEW_IN_PROGRESS", "CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED")
STUCK = "UPDATE_ROLLBACK_FAILED"
SUCCESS = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
NO_CHANGES = ("didn't contain changes", "No updates are to be performed")


@dataclass(frozen=True)
class Stack:
    """A stack as CloudFormation describes it; `id` is its ARN, `changed` when it was made or last changed."""

    name: str
    id: str
    status: str
    changed: datetime
    outputs: dict[str, str]
    tags: dict[str, str]

    @property
    def is_busy(self) -> bool:
        """Whether CloudFormation is at work on it."""
        return self.status.endswith("_IN_PROGRESS") and self.status not in DEAD


@dataclass(frozen=True)
class Watch:
    """Alarms by whose going off CloudFormation takes a change back, and for how many minutes after it."""

    alarms: tuple[str, ...] = ()
    minutes: int = 0

    def for_stack(self, stack_id: str) -> dict[str, Any]:
        """Return the rollback configuration of a change set; without alarms it clears an earlier one."""
        partition, _, region, account = stack_id.split(":")[1:5]
        prefix = f"arn:{partition}:cloudwatch:{region}:{account}:alarm:"
        triggers = [{"Arn": prefix + alarm, "Type": "AWS::CloudWatch::Alarm"} for alarm in self.alarms]
        return {"RollbackTriggers": triggers, "MonitoringTimeInMinutes": self.minutes}


def read_stack(cloudformation: Any, name: str) -> Stack | None:
    """Return the stack with this name or ARN, or None; raises `ShutterlessError` if it is not ours."""
    try:
        found = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if error_code(error) == "ValidationError" and "does not exist" in str(error):
            return None
        raise
    outputs = {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}
    tags = {tag["Key"]: tag["Value"] for tag in found.get("Tags", [])}
    changed = found.get("LastUpdatedTime", found["CreationTime"])
    stack = Stack(found["StackName"], found["StackId"], found["StackStatus"], changed, outputs, tags)
    if TAG not in stack.tags:
        raise DeployError(
            "foreign-stack", f"The stack {stack.name} was not made by shutterless", "Choose another name."
        )
    return None if stack.status == "DELETE_COMPLETE" else stack


def no_deployment(name: str, region: str) -> ShutterlessError:
    """Return the error for a name of which there is no stack, or none that ever lived."""
    return DeployError(
        "no-deployment",
        f"There is no deployment {name} in {region}",
        "Check the name, --region and --profile, or make it: shutterless deploy",
    )


def read_template(cloudformation: Any, stack: Stack | None) -> Template | None:
    """Return the template that a stack was last made or changed with, or None if nothing of it lives.

    Raises `ShutterlessError` if it is not one of ours.
    """
    if stack is None or stack.status in DEAD:
        return None
    template = cloudformation.get_template(StackName=stack.id)["TemplateBody"]
    if not isinstance(template, dict) or METADATA not in template.get("Metadata", {}):
        raise DeployError(
            "foreign-template",
            f"The stack {stack.name} was changed by a template that is not of shutterless",
            f"Give it back its own, or: shutterless destroy {stack.name.removeprefix(PREFIX)}, then deploy.",
        )
    return template


def settle(cloudformation: Any, name: str, progress: Progress) -> Stack | None:
    """Bring a stack, in whatever state it was left, to one in which it can be changed.

    What is under way is waited for, what never lived is deleted, a failed rollback is taken up again.
    Returns None if there is no stack. Raises `ShutterlessError` if one of these does not help.
    """
    tried: set[str] = set()
    while stack := read_stack(cloudformation, name):
        if stack.is_busy:
            wait(cloudformation, stack.id, progress)
        elif stack.status in tried:
            raise _failure(cloudformation, stack.id)
        elif stack.status in DEAD:
            delete_stack(cloudformation, stack, progress)
        elif stack.status == STUCK:
            cloudformation.continue_update_rollback(StackName=stack.id)
        else:
            return stack
        tried.add(stack.status)
    return None


def change_stack(
    cloudformation: Any, name: str, stack: Stack | None, template: Template, watch: Watch, progress: Progress
) -> Stack | None:
    """Make the stack `name`, or change `stack`, so that it is as the template says; wait until it is.

    Raises `ShutterlessError` with the first thing that failed; CloudFormation has then taken back
    everything.
    """
    asked = cloudformation.create_change_set(
        StackName=name,
        ChangeSetName=f"{PREFIX}{uuid.uuid4().hex[:12]}",
        ChangeSetType="UPDATE" if stack else "CREATE",
        TemplateBody=template_text(template),
        Capabilities=["CAPABILITY_IAM"],
        Tags=[{"Key": TAG, "Value": name.removeprefix(PREFIX)}],
        **({"RollbackConfiguration": watch.for_stack(stack.id)} if stack else {}),
    )
    if not _execute(cloudformation, asked["Id"]):
        return stack
    changed = wait(cloudformation, asked["StackId"], progress)
    if changed is None or changed.status not in SUCCESS:
        raise _failure(cloudformation, asked["StackId"])
    return changed


def _execute(cloudformation: Any, change_set: str) -> bool:
    """Execute a change set once it is ready; one that changes nothing, fails or is interrupted is deleted.

    Returns whether it was executed. Raises `ShutterlessError` if CloudFormation could not make it.
    """
    try:
        is_needed = _is_ready(cloudformation, change_set)
        if is_needed:
            cloudformation.execute_change_set(ChangeSetName=change_set)
    except BaseException:  # Ctrl-C too
        with contextlib.suppress(BotoCoreError, ClientError):  # if it runs already, AWS keeps it
            cloudformation.delete_change_set(ChangeSetName=change_set)
        raise
    if not is_needed:
        cloudformation.delete_change_set(ChangeSetName=change_set)
    return is_needed


def cancel_update(cloudformation: Any, stack: Stack, progress: Progress) -> None:
    """Take back the update that is under way; raises `ShutterlessError` if it is too late for that."""
    try:
        cloudformation.cancel_update_stack(StackName=stack.id)
    except ClientError as error:
        if error_code(error) != "ValidationError":
            raise
        raise DeployError(
            "stack-busy",
            f"The stack {stack.name} cannot be turned back in the middle of {stack.status}",
            "Wait until it has finished, then run the same command again.",
        ) from error
    wait(cloudformation, stack.id, progress)


def remove_stack(cloudformation: Any, name: str, progress: Progress) -> None:
    """Delete the stack `name`, if there is one, once it is idle; raises as `delete_stack`."""
    stack = read_stack(cloudformation, name)
    if stack and stack.is_busy:
        stack = wait(cloudformation, stack.id, progress)
    if stack:
        delete_stack(cloudformation, stack, progress)


def delete_stack(cloudformation: Any, stack: Stack, progress: Progress) -> None:
    """Delete a stack and wait until it is gone; raises `ShutterlessError` with what will not go."""
    cloudformation.delete_stack(StackName=stack.id)
    if wait(cloudformation, stack.id, progress):
        raise _failure(cloudformation, stack.id)


def wait(cloudformation: Any, stack_id: str, progress: Progress) -> Stack | None:
    """Wait until CloudFormation has finished what it does to a stack; return the stack if it is there still.

    Whoever interrupts the wait does not interrupt CloudFormation.
    """
    while (stack := read_stack(cloudformation, stack_id)) and stack.status.endswith("_IN_PROGRESS"):
        resources = cloudformation.describe_stack_resources(StackName=stack_id)["StackResources"]
        done = sum(not resource["ResourceStatus"].endswith("_IN_PROGRESS") for resource in resources)
        progress(f"Stack {stack.name}, {stack.status}", done, len(resources) + 1)
        time.sleep(POLL_SECONDS)
    return stack


def _is_ready(cloudformation: Any, change_set: str) -> bool:
    """Wait for a change set and tell whether it changes anything; raises `ShutterlessError` if it failed."""
    while True:
        found = cloudformation.describe_change_set(ChangeSetName=change_set)
        if found["Status"] == "CREATE_COMPLETE":
            return True
        reason = found.get("StatusReason", "")
        if found["Status"] == "FAILED":
            if any(words in reason for words in NO_CHANGES):
                return False
            raise explain_reason(reason)
        time.sleep(POLL_SECONDS)


def _failure(cloudformation: Any, stack_id: str) -> ShutterlessError:
    """Return the words for what failed first in the last thing that was done to a stack."""
    reasons = list(_reasons(cloudformation, stack_id))
    if not reasons:
        return DeployError(
            "rolled-back",
            f"The last change of the stack {stack_id.split('/')[1]} was taken back; AWS names no failure",
            "Somebody may have cancelled it (shutterless rollback does). The same command tries again.",
        )
    resource, reason = reasons[-1]
    explained = explain_reason(reason)
    return DeployError(
        "rolled-back",
        f"{resource}: {explained.message}",
        explained.hint or "AWS has taken everything back; mend the cause and run the same command again.",
    )


def _reasons(cloudformation: Any, stack_id: str) -> Iterator[tuple[str, str]]:
    """Yield resource and reason of every failure of the last operation, the latest first."""
    for event in cloudformation.describe_stack_events(StackName=stack_id)["StackEvents"]:
        status, reason = event["ResourceStatus"], event.get("ResourceStatusReason", "")
        if reason == "User Initiated":
            return
        of_alarm = status.endswith("ROLLBACK_IN_PROGRESS") and "alarm" in reason.lower()
        if reason and "cancelled" not in reason and (status.endswith("FAILED") or of_alarm):
            yield event["LogicalResourceId"], reason
