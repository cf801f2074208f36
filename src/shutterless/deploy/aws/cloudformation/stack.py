"""One CloudFormation stack: read it, wait for it, make it updatable, delete it."""

import contextlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from botocore.client import BaseClient
from botocore.exceptions import ClientError

from shutterless.deploy.aws.cloudformation import states
from shutterless.deploy.aws.cloudformation.events import explain_operation, has_event, read_last_status
from shutterless.deploy.aws.cloudformation.states import NEVER_CREATED, REVIEW, ROLLBACK_FAILED
from shutterless.deploy.aws.errors import error_code
from shutterless.deploy.aws.waiting import poll
from shutterless.deploy.option_values import TAG
from shutterless.deploy.template.template import PREFIX
from shutterless.deploy.template.types import METADATA, Template
from shutterless.errors import DeployError
from shutterless.utils.progress import Progress

POLL_INTERVAL_S = 3
# After a write, DescribeStacks may return the old status once or twice: aws/aws-cdk-cli#1802, #1848.
START_TIMEOUT_S = 60


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
        return states.is_busy(self.status)


@dataclass(frozen=True)
class StackResource:
    """A resource of a stack.

    Attributes:
        logical_id: Its name in the template.
        physical_id: Its name or ARN at AWS; empty until it has one.
        type: Such as `AWS::Lambda::Version`.
        updated_at: When it was created or last updated.
    """

    logical_id: str
    physical_id: str
    type: str
    updated_at: datetime

    @property
    def version_number(self) -> str:
        """The number at the end of the ARN of a version of a function."""
        return self.physical_id.rpartition(":")[2]


def describe_stack(cloudformation: BaseClient, name: str) -> Stack | None:
    """Return the stack with this name or ARN, whoever made it; None if there is none or it is deleted."""
    try:
        description = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if error_code(error) == "ValidationError" and "does not exist" in str(error):
            return None
        raise
    if description["StackStatus"] == "DELETE_COMPLETE":
        return None
    return Stack(
        name=description["StackName"],
        id=description["StackId"],
        status=description["StackStatus"],
        created_at=description["CreationTime"],
        updated_at=description.get("LastUpdatedTime", description["CreationTime"]),
        outputs={output["OutputKey"]: output["OutputValue"] for output in description.get("Outputs", [])},
        tags={tag["Key"]: tag["Value"] for tag in description.get("Tags", [])},
    )


def read_stack(cloudformation: BaseClient, name: str) -> Stack | None:
    """Return the stack with this name or ARN, None if there is none.

    Raises:
        ShutterlessError: It was not made by shutterless.
    """
    stack = describe_stack(cloudformation, name)
    if stack and not _is_ours(cloudformation, stack):
        raise DeployError(
            "foreign-stack", f"The stack {stack.name} was not made by shutterless", "Choose another name."
        )
    return stack


def _is_ours(cloudformation: BaseClient, stack: Stack) -> bool:
    """Tell whether shutterless made a stack.

    A stack gets its tags when its first change set is executed. Until then it has no resources, so the
    names of its change sets are enough.
    """
    if stack.status != REVIEW:
        return TAG in stack.tags
    change_sets = list_change_sets(cloudformation, stack.id)
    return all(each["ChangeSetName"].startswith(PREFIX) for each in change_sets)


def list_change_sets(cloudformation: BaseClient, stack_id: str) -> list[dict[str, str]]:
    """Return the summaries of a stack's change sets: `ChangeSetName`, `Status`, `ExecutionStatus` …"""
    pages = cloudformation.get_paginator("list_change_sets").paginate(StackName=stack_id)
    return [summary for page in pages for summary in page["Summaries"]]


def read_settled_stack(cloudformation: BaseClient, name: str, progress: Progress) -> Stack | None:
    """Return a stack once CloudFormation is not changing it; None if there is none.

    An earlier command may have been interrupted just after its request. DescribeStacks may still return
    the status from before, so its answer is only believed if the last event of the stack agrees.

    Raises:
        ShutterlessError: It was not made by shutterless.
    """
    stack = None
    for _ in poll(POLL_INTERVAL_S, START_TIMEOUT_S):
        stack = read_stack(cloudformation, name)
        if stack and stack.is_busy:
            return wait(cloudformation, stack, progress)
        if stack is None or read_last_status(cloudformation, stack.id) in ("", stack.status):
            break
    return stack


def read_resources(cloudformation: BaseClient, stack_id: str) -> list[StackResource]:
    """Return the resources of a stack."""
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack_id)
    return [
        StackResource(
            resource["LogicalResourceId"],
            resource.get("PhysicalResourceId", ""),
            resource["ResourceType"],
            resource["LastUpdatedTimestamp"],
        )
        for page in pages
        for resource in page["StackResourceSummaries"]
    ]


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
    while stack := read_settled_stack(cloudformation, name, progress):
        if stack.status in statuses:
            error = DeployError(
                "rollback-failed",
                f"The stack {stack.name} is in {stack.status} again",
                "Fix the cause and run the same command again.",
            )
            raise explain_operation(cloudformation, stack.id, error)
        statuses.add(stack.status)
        if stack.status in NEVER_CREATED:
            delete_stack(cloudformation, stack, progress)
        elif stack.status == ROLLBACK_FAILED:
            token = new_token("continue")
            cloudformation.continue_update_rollback(StackName=stack.id, ClientRequestToken=token)
            wait(cloudformation, stack, progress, token)
        else:
            return stack
    return None


def cancel_update(cloudformation: BaseClient, stack: Stack, progress: Progress) -> None:
    """Cancel the update in progress and wait until it is rolled back.

    Raises:
        ShutterlessError: It is too late to cancel it.
    """
    try:
        cloudformation.cancel_update_stack(StackName=stack.id, ClientRequestToken=new_token("cancel"))
    except ClientError as error:
        if error_code(error) != "ValidationError":
            raise
        raise DeployError(
            "stack-busy",
            f"The update of the stack {stack.name} cannot be cancelled any more ({stack.status})",
            "Wait until it has finished, then run the same command again.",
        ) from error
    wait(cloudformation, stack, progress)


def remove_stack(cloudformation: BaseClient, name: str, progress: Progress) -> None:
    """Delete the stack `name`, if there is one, after any change in progress.

    Raises:
        ShutterlessError: A resource could not be deleted.
    """
    if stack := read_settled_stack(cloudformation, name, progress):
        delete_stack(cloudformation, stack, progress)


def delete_stack(cloudformation: BaseClient, stack: Stack, progress: Progress) -> None:
    """Delete a stack and wait until it is gone.

    Raises:
        ShutterlessError: A resource could not be deleted.
    """
    token = new_token("destroy")
    cloudformation.delete_stack(StackName=stack.id, ClientRequestToken=token)
    if wait(cloudformation, stack, progress, token):
        error = DeployError(
            "delete-failed",
            f"The stack {stack.name} could not be deleted",
            "Fix the cause and run the same command again.",
        )
        raise explain_operation(cloudformation, stack.id, error)


def new_token(action: str) -> str:
    """Return a new client request token. Its beginning tells which command has sent a request."""
    return f"{action}-{uuid.uuid4().hex[:12]}"


def wait(
    cloudformation: BaseClient,
    stack: Stack,
    progress: Progress,
    token: str = "",
    check: Callable[[], DeployError | None] | None = None,
) -> Stack | None:
    """Wait until CloudFormation has finished changing a stack; interrupting the wait does not stop it.

    Args:
        cloudformation: The client.
        stack: The stack before the change.
        progress: Called while CloudFormation works.
        token: The client request token of the change, which may not show in the stack's status yet. Empty
            for a change that has begun.
        check: Called while CloudFormation works. If it returns an error, the change is cancelled.

    Returns:
        The stack, None if it is deleted.

    Raises:
        ShutterlessError: The change has not begun after a minute, or `check` returned this error.
    """
    has_begun = not token
    for elapsed_s in poll(POLL_INTERVAL_S):
        now = describe_stack(cloudformation, stack.id)
        if now is None:
            break
        if now.is_busy:
            has_begun = True
            _report(cloudformation, now, progress)
            if check and (error := check()):
                with contextlib.suppress(DeployError):  # too late to cancel it
                    cancel_update(cloudformation, now, progress)
                raise error
        elif has_begun or now.updated_at != stack.updated_at:
            return now
        elif elapsed_s >= START_TIMEOUT_S:
            raise DeployError(
                "change-not-started",
                f"CloudFormation accepted a change of the stack {stack.name} but does not show it",
                "Run the same command again: if the change has begun, it waits for it.",
            )
        else:  # the next answer is newer than this event
            has_begun = has_event(cloudformation, stack.id, token)
    return None


def _report(cloudformation: BaseClient, stack: Stack, progress: Progress) -> None:
    resources = cloudformation.describe_stack_resources(StackName=stack.id)["StackResources"]
    count = sum(not each["ResourceStatus"].endswith("_IN_PROGRESS") for each in resources)
    progress(f"Stack {stack.name}, {stack.status}", count, len(resources) + 1)
