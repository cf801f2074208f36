"""Drift: resources that were changed or deleted by hand."""

import json
from typing import Any

from tests.aws_as_it_is.change_sets import StackStore
from tests.aws_as_it_is.errors import AwsError
from tests.aws_as_it_is.pages import page
from tests.aws_as_it_is.resources import handler


class Drift(StackStore):
    """CloudFormation's calls on drift."""

    def detect_stack_drift(self, StackName: str, **_: Any) -> dict[str, Any]:
        stack = self.find(StackName)
        if stack.status.endswith("_IN_PROGRESS"):
            raise AwsError("ValidationError", f"Drift detection cannot be performed in {stack.status}")
        number = self.account.token(36)
        self.drifts[number] = (stack.id, self.account.clock.time_s + self.account.behaviour.step_s)
        return {"StackDriftDetectionId": number}

    def describe_stack_drift_detection_status(self, StackDriftDetectionId: str) -> dict[str, Any]:
        stack_id, ready_at = self.drifts[StackDriftDetectionId]
        answer = {
            "StackId": stack_id,
            "StackDriftDetectionId": StackDriftDetectionId,
            "DetectionStatus": "DETECTION_IN_PROGRESS",
            "Timestamp": self.account.clock.now,
        }
        if self.account.clock.time_s >= ready_at:
            count = sum(each["StackResourceDriftStatus"] != "IN_SYNC" for each in self._drifts(stack_id))
            answer["DetectionStatus"] = "DETECTION_COMPLETE"
            answer["StackDriftStatus"] = "DRIFTED" if count else "IN_SYNC"
            answer["DriftedStackResourceCount"] = count
        return answer

    def describe_stack_resource_drifts(
        self,
        StackName: str,
        StackResourceDriftStatusFilters: list[str] | None = None,
        NextToken: str = "0",
        **_: Any,
    ) -> dict[str, Any]:
        drifts = [
            each
            for each in self._drifts(self.find(StackName).id)
            if not StackResourceDriftStatusFilters
            or each["StackResourceDriftStatus"] in StackResourceDriftStatusFilters
        ]
        return page(drifts, "StackResourceDrifts", NextToken)

    def _drifts(self, stack_id: str) -> Any:
        stack = self.stacks[stack_id]
        for resource in stack.resources.values():
            actual = handler(resource.type).read(self.account, resource)
            differences = [
                {
                    "PropertyPath": f"/{name}",
                    "ExpectedValue": json.dumps(value),
                    "ActualValue": json.dumps(actual.get(name)),
                    "DifferenceType": "NOT_EQUAL" if name in actual else "REMOVE",
                }
                for name, value in resource.properties.items()
                if actual is not None and actual.get(name) != value
            ]
            status = "DELETED" if actual is None else "MODIFIED" if differences else "IN_SYNC"
            yield {
                "StackId": stack.id,
                "LogicalResourceId": resource.name,
                "PhysicalResourceId": resource.id,
                "ResourceType": resource.type,
                "ExpectedProperties": json.dumps(resource.properties),
                "ActualProperties": json.dumps(actual or {}),
                "PropertyDifferences": differences,
                "StackResourceDriftStatus": status,
                "Timestamp": self.account.clock.now,
            }
