"""The states of a CloudFormation stack, and the way out of those in which it cannot be changed."""

from shutterless.errors import DeployError

# A stack whose first change set has not been executed.
REVIEW = "REVIEW_IN_PROGRESS"
# Nothing of such a stack ever ran, or it is half deleted. CloudFormation can only delete it.
NEVER_CREATED = (
    REVIEW,
    "CREATE_FAILED",
    "ROLLBACK_COMPLETE",
    "ROLLBACK_FAILED",
    "DELETE_FAILED",
)
ROLLBACK_FAILED = "UPDATE_ROLLBACK_FAILED"
SUCCESS = ("CREATE_COMPLETE", "UPDATE_COMPLETE")

DESTROY = "Run: shutterless destroy {name}, then deploy again."
WAYS_OUT = {
    "CREATE_FAILED": DESTROY,
    "ROLLBACK_COMPLETE": DESTROY,
    "ROLLBACK_FAILED": DESTROY,
    "DELETE_FAILED": "Run: shutterless destroy {name} once more. If a resource cannot be deleted, the "
    "stack's page in the AWS console shows which one and why.",
    ROLLBACK_FAILED: "Run: aws cloudformation continue-update-rollback --stack-name {stack}, then try again.",
}


def is_busy(status: str) -> bool:
    """Tell whether CloudFormation is changing a stack with this status."""
    return status.endswith("_IN_PROGRESS") and status not in NEVER_CREATED


def stack_problem(stack: str, status: str) -> DeployError | None:
    """Return why a stack with this status cannot be changed and the way out, or None if it can."""
    name = stack.removeprefix("shutterless-")
    if is_busy(status):
        return DeployError(
            "stack-busy",
            f"CloudFormation is still changing the stack {stack} ({status})",
            f"Wait until it has finished (shutterless status {name}), then try again.",
        )
    if status in WAYS_OUT:
        hint = WAYS_OUT[status].format(name=name, stack=stack)
        return DeployError("stack-stuck", f"The stack {stack} is stuck in {status}", hint)
    return None
