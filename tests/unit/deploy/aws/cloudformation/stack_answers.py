"""What CloudFormation answers about one stack, for botocore's stubs: pairs of an operation and its answer."""

from datetime import UTC, datetime, timedelta

NAME = "shutterless-clothes"
ARN = f"arn:aws:cloudformation:eu-central-1:123456789012:stack/{NAME}/1"
TIME = datetime(2026, 1, 1, tzinfo=UTC)
OURS = [{"Key": "shutterless", "Value": "clothes"}]

GONE = ("describe_stacks", Exception(f"Stack with id {NAME} does not exist"))
RESOURCES = ("describe_stack_resources", {"StackResources": []})
DELETE = ("delete_stack", {})
CHANGE_SET = ("create_change_set", {"Id": "change-set", "StackId": ARN})
EXECUTE = ("execute_change_set", {})


def described(status, tags=OURS, updated=0):
    """Return a description of the stack; `updated` counts its updates."""
    stack = {"StackName": NAME, "StackId": ARN, "CreationTime": TIME, "StackStatus": status, "Tags": tags}
    if updated:
        stack["LastUpdatedTime"] = TIME + timedelta(minutes=updated)
    return "describe_stacks", {"Stacks": [stack]}


def events(*listed, token="", more=""):
    """Return a page of events, latest first: (resource, status, reason)."""
    page = {
        "StackEvents": [
            {
                "StackId": ARN,
                "EventId": str(number),
                "StackName": NAME,
                "Timestamp": TIME,
                "LogicalResourceId": resource,
                "PhysicalResourceId": ARN if resource == NAME else resource,
                "ResourceStatus": status,
                "ResourceStatusReason": reason,
                **({"ClientRequestToken": token} if token else {}),
            }
            for number, (resource, status, reason) in enumerate(listed)
        ]
    }
    return "describe_stack_events", {**page, "NextToken": more} if more else page


def settled(status, **description):
    """Return the answers for a stack whose last event has the status of its description."""
    return described(status, **description), events((NAME, status, ""))


def change_sets(*names):
    return "list_change_sets", {"Summaries": [{"ChangeSetName": name} for name in names]}


def change_set(status, reason="", execution="AVAILABLE"):
    return "describe_change_set", {"Status": status, "StatusReason": reason, "ExecutionStatus": execution}
