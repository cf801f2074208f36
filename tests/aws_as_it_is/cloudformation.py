"""CloudFormation's calls on stacks, their resources and events."""

from typing import Any

from tests.aws_as_it_is.change_sets import ChangeSets
from tests.aws_as_it_is.drift import Drift
from tests.aws_as_it_is.errors import AwsError
from tests.aws_as_it_is.pages import PAGE, page
from tests.aws_as_it_is.stacks import Stack


class CloudFormation(ChangeSets, Drift):
    """The stacks of an account."""

    def describe_stacks(self, StackName: str | None = None, **_: Any) -> dict[str, Any]:
        stacks = (
            [self.find(StackName)]
            if StackName
            else [each for each in self.stacks.values() if each.status != "DELETE_COMPLETE"]
        )
        return {"Stacks": [self._read(each) for each in stacks]}

    def _read(self, stack: Stack) -> dict[str, Any]:
        """Return a stack's description, which may be that from before the last call."""
        is_stale = stack.stale and self.account.clock.time_s < stack.stale_until
        return stack.stale.pop() if is_stale else self.description(stack)

    def list_stacks(self, StackStatusFilter: list[str] | None = None, **_: Any) -> dict[str, Any]:
        names = (
            "StackId",
            "StackName",
            "CreationTime",
            "LastUpdatedTime",
            "StackStatus",
            "StackStatusReason",
        )
        descriptions = [self.description(stack) for stack in self.stacks.values()]
        return {
            "StackSummaries": [
                {name: each[name] for name in names if name in each}
                for each in descriptions
                if not StackStatusFilter or each["StackStatus"] in StackStatusFilter
            ]
        }

    def delete_stack(self, StackName: str, ClientRequestToken: str = "", **_: Any) -> dict[str, Any]:
        try:
            stack = self.find(StackName)
        except AwsError:
            return {}
        if stack.status in ("DELETE_IN_PROGRESS", "DELETE_COMPLETE"):
            return {}
        if stack.status.startswith("UPDATE") and stack.status.endswith("_IN_PROGRESS"):
            raise AwsError(
                "ValidationError", f"Stack [{stack.id}] cannot be deleted while in status {stack.status}"
            )
        self._begin(stack, ClientRequestToken)
        self.change_sets = {key: each for key, each in self.change_sets.items() if each.stack is not stack}
        self.engine.start(stack, self.engine.delete(stack))
        return {}

    def cancel_update_stack(self, StackName: str, ClientRequestToken: str = "") -> dict[str, Any]:
        stack = self.find(StackName)
        if stack.status != "UPDATE_IN_PROGRESS":
            raise AwsError("ValidationError", "CancelUpdateStack cannot be called from current stack status")
        self._begin(stack, ClientRequestToken)
        self.engine.start(stack, self.engine.roll_back(stack, "User Initiated"))
        return {}

    def continue_update_rollback(
        self, StackName: str, ClientRequestToken: str = "", **_: Any
    ) -> dict[str, Any]:
        stack = self.find(StackName)
        if stack.status != "UPDATE_ROLLBACK_FAILED":
            raise AwsError(
                "ValidationError",
                f"Stack:{stack.id} is in {stack.status} state and can not continue rollback",
            )
        self._begin(stack, ClientRequestToken)
        self.engine.start(stack, self.engine.roll_back(stack, "User Initiated"))
        return {}

    def get_template(
        self,
        StackName: str | None = None,
        ChangeSetName: str | None = None,
        **_: Any,
    ) -> dict[str, Any]:
        if ChangeSetName:
            text = self._find_change_set(ChangeSetName, StackName).text
        else:
            text = self.find(StackName or "").text or "{}"
        if self.account.behaviour.ascii_templates:
            text = text.encode("ascii", "replace").decode()
        return {"TemplateBody": text, "StagesAvailable": ["Original", "Processed"]}

    # Resources and events.

    def describe_stack_resources(
        self,
        StackName: str,
        LogicalResourceId: str | None = None,
        **_: Any,
    ) -> dict[str, Any]:
        stack = self.find(StackName)
        resources = [
            {
                "StackName": stack.name,
                "StackId": stack.id,
                "LogicalResourceId": each.name,
                "PhysicalResourceId": each.id,
                "ResourceType": each.type,
                "Timestamp": each.changed_at,
                "ResourceStatus": each.status,
            }
            for each in self._resources(stack)
            if LogicalResourceId in (None, each.name)
        ]
        return {"StackResources": resources[:PAGE]}

    def list_stack_resources(self, StackName: str, NextToken: str = "0") -> dict[str, Any]:
        stack = self.find(StackName)
        summaries = [
            {
                "LogicalResourceId": each.name,
                "PhysicalResourceId": each.id,
                "ResourceType": each.type,
                "LastUpdatedTimestamp": each.changed_at,
                "ResourceStatus": each.status,
            }
            for each in self._resources(stack)
        ]
        return page(summaries, "StackResourceSummaries", NextToken)

    def _resources(self, stack: Stack) -> list[Any]:
        pending = {each.name: each for each in stack.pending}
        return list({**stack.resources, **pending}.values())

    def describe_stack_events(self, StackName: str, NextToken: str = "0") -> dict[str, Any]:
        size = self.account.behaviour.events_per_page
        return page(self.find(StackName).events[::-1], "StackEvents", NextToken, size)

    def describe_events(
        self,
        StackName: str | None = None,
        ChangeSetName: str | None = None,
        Filters: dict[str, bool] | None = None,
        NextToken: str = "0",
        **_: Any,
    ) -> dict[str, Any]:
        if ChangeSetName and (StackName or ChangeSetName.startswith("arn:")):
            change_set = self._find_change_set(ChangeSetName, StackName)
            events = [
                {
                    "EventId": f"{number}",
                    "StackId": change_set.stack.id,
                    "Timestamp": change_set.created,
                    **each,
                }
                for number, each in enumerate(change_set.failures)
            ]
        elif StackName:
            events = [
                {key: value for key, value in each.items() if key != "StackName"}
                | {"EventType": "STACK_EVENT"}
                for each in reversed(self.find(StackName).events)
            ]
        else:
            raise AwsError(
                "ValidationError", "One of ChangeSetName, OperationId or StackName must be specified"
            )
        if (Filters or {}).get("FailedEvents"):
            events = [
                each
                for each in events
                if each.get("ValidationStatus") == "FAILED"
                or each.get("ResourceStatus", "").endswith("FAILED")
            ]
        return page(events, "OperationEvents", NextToken)
