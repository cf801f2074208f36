"""Create or update a CloudFormation stack by a change set."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from botocore.client import BaseClient
from botocore.exceptions import BotoCoreError, ClientError

from shutterless.deploy.aws.cloudformation.events import explain_operation, read_last_token
from shutterless.deploy.aws.cloudformation.stack import (
    POLL_INTERVAL_S,
    Stack,
    describe_stack,
    list_change_sets,
    new_token,
    wait,
)
from shutterless.deploy.aws.cloudformation.states import REVIEW, SUCCESS
from shutterless.deploy.aws.errors import error_code, explain_failure, explain_reason
from shutterless.deploy.aws.waiting import poll
from shutterless.deploy.template.template import PREFIX, all_tags, read_options, template_text
from shutterless.deploy.template.types import Template
from shutterless.errors import DeployError
from shutterless.runtime.json_types import JsonObject
from shutterless.utils.progress import Progress

# What a change is for. Its client request token begins with it, so that `rollback` knows what it may cancel.
Action = Literal["deploy", "canary", "promote", "rollback"]

NO_CHANGES = ("didn't contain changes", "No updates are to be performed")
# The answers if another change of the stack has come first.
OUTDATED = ("InvalidChangeSetStatus", "ChangeSetNotFound")


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


NO_TRIGGERS = RollbackTriggers()


def change_stack(
    cloudformation: BaseClient,
    name: str,
    stack: Stack | None,
    template: Template,
    progress: Progress,
    *,
    action: Action = "deploy",
    triggers: RollbackTriggers = NO_TRIGGERS,
    check: Callable[[], DeployError | None] | None = None,
) -> Stack | None:
    """Create or update a stack by a change set and wait until that is finished.

    Args:
        cloudformation: The client.
        name: The stack's name.
        stack: The stack to update, None to create it.
        template: What it is to become.
        progress: Called while CloudFormation works.
        action: What the change is for.
        triggers: The alarms that roll an update back.
        check: Called while CloudFormation works. If it returns an error, the change is cancelled.

    Returns:
        The stack after the change.

    Raises:
        ShutterlessError: The first failure, after which CloudFormation has rolled everything back; or
            another change of the stack came first.
    """
    token, tags = new_token(action), all_tags(name.removeprefix(PREFIX), read_options(template))
    answer = cloudformation.create_change_set(
        StackName=name,
        ChangeSetName=f"{PREFIX}{token}",
        ChangeSetType="UPDATE" if stack else "CREATE",
        TemplateBody=template_text(template),
        Capabilities=["CAPABILITY_IAM"],
        Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
        **({"RollbackConfiguration": triggers.configuration(stack.id)} if stack else {}),
    )
    with contextlib.ExitStack() as cleanup, _outdated_is_an_error(name):
        cleanup.callback(_discard, cloudformation, answer["Id"], None if stack else answer["StackId"])
        if not _is_ready(cloudformation, answer["Id"]):
            return stack
        before = require_unmoved(cloudformation, answer["StackId"], stack)
        cleanup.pop_all()  # from here on AWS may be executing it, even if its answer is lost
        _execute(cloudformation, answer["Id"], token)
    result = wait(cloudformation, before, progress, token, check)
    if result is None or result.status not in SUCCESS:
        error = DeployError(
            "rolled-back",
            f"CloudFormation has rolled back the change of the stack {name}",
            "Fix the cause and run the same command again.",
        )
        raise explain_operation(cloudformation, before.id, error)
    if read_last_token(cloudformation, before.id) not in ("", token):
        raise deployed_meanwhile(name)  # this change is over, and another one has followed it
    return result


def require_unmoved(cloudformation: BaseClient, name: str, before: Stack | None) -> Stack:
    """Return a stack as it is now, after checking that nobody has changed it.

    Args:
        cloudformation: The client.
        name: The stack's name or ARN.
        before: The stack as it was, None if nothing in it was ever created.

    Raises:
        ShutterlessError: It has been created, changed or deleted meanwhile, or is being changed.
    """
    now = describe_stack(cloudformation, name)
    if now and (before is None and now.status == REVIEW):
        return now
    if now and before and (now.status, now.updated_at) == (before.status, before.updated_at):
        return now
    raise deployed_meanwhile(now.name if now else name)


def deployed_meanwhile(name: str) -> DeployError:
    """Return the error for a stack that somebody else has changed."""
    return DeployError(
        "deployed-meanwhile",
        f"The stack {name} has been changed by another command meanwhile, so this one has stopped",
        f"Look at it with shutterless status {name.removeprefix(PREFIX)}, then run the same command again.",
    )


@contextlib.contextmanager
def _outdated_is_an_error(name: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if error_code(error) in OUTDATED:
            raise deployed_meanwhile(name) from error
        raise


def _is_ready(cloudformation: BaseClient, change_set: str) -> bool:
    """Wait for a change set and tell whether it changes anything; raises `ShutterlessError` if it failed."""
    for _ in poll(POLL_INTERVAL_S):
        description = cloudformation.describe_change_set(ChangeSetName=change_set)
        reason = description.get("StatusReason", "")
        if description["Status"] == "FAILED" and not any(text in reason for text in NO_CHANGES):
            raise _explain_refusal(cloudformation, change_set, reason)
        if description["Status"] in ("CREATE_COMPLETE", "FAILED"):
            break
    return bool(description["Status"] == "CREATE_COMPLETE")


def _execute(cloudformation: BaseClient, change_set: str, token: str) -> None:
    """Execute a change set. If botocore repeats a request that was carried out, AWS refuses the second."""
    try:
        cloudformation.execute_change_set(ChangeSetName=change_set, ClientRequestToken=token)
    except ClientError as error:
        if error_code(error) not in OUTDATED:
            raise
        description = cloudformation.describe_change_set(ChangeSetName=change_set)
        if not description["ExecutionStatus"].startswith("EXECUTE_"):
            raise


def _discard(cloudformation: BaseClient, change_set: str, new_stack: str | None) -> None:
    """Delete a change set that is not executed, and the empty stack that AWS made for it."""
    with contextlib.suppress(BotoCoreError, ClientError):  # the cause of the failure is what users must see
        cloudformation.delete_change_set(ChangeSetName=change_set)
        stack = describe_stack(cloudformation, new_stack) if new_stack else None
        if stack and stack.status == REVIEW and not list_change_sets(cloudformation, stack.id):
            cloudformation.delete_stack(StackName=stack.id, ClientRequestToken=new_token("destroy"))


def _explain_refusal(cloudformation: BaseClient, change_set: str, reason: str) -> DeployError:
    """Return why AWS refuses a change set.

    AWS's reason may only name a validation that failed: resource and cause are in the events.
    """
    causes = list(_read_validation_errors(cloudformation, change_set))
    if not causes:
        return explain_reason(reason)
    resource, cause = causes[0]
    others = [f"{name}: {text}" for name, text in causes[1:]]
    default = DeployError(
        "change-refused",
        "CloudFormation refuses the change",
        "Fix the cause and run the same command again.",
    )
    return explain_failure(resource, "; ".join([cause, *others]), default)


def _read_validation_errors(cloudformation: BaseClient, change_set: str) -> Iterator[tuple[str, str]]:
    """Yield resource and cause of each failed validation of a change set.

    There are none without the permission cloudformation:DescribeEvents.
    """
    with contextlib.suppress(BotoCoreError, ClientError):
        pages = cloudformation.get_paginator("describe_events").paginate(
            ChangeSetName=change_set, Filters={"FailedEvents": True}
        )
        for event in (event for page in pages for event in page["OperationEvents"]):
            cause = event.get("ValidationStatusReason") or event.get("HookStatusReason")
            if cause:
                path = event.get("ValidationPath")
                yield event.get("LogicalResourceId", "Template"), f"{cause} ({path})" if path else cause
