from datetime import UTC, datetime

import pytest

from shutterless.deploy.releases import drift
from shutterless.deploy.releases.drift import Drift, find_drift
from shutterless.errors import DeployError

FUNCTION = "shutterless-clothes"
ARN = f"arn:aws:cloudformation:us-east-1:123456789012:stack/{FUNCTION}/1"
TIME = datetime(2026, 11, 20, 8, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _connected(aws, monkeypatch):
    monkeypatch.setattr(drift, "connect", lambda profile, region: aws)


def answer_stack(aws):
    stack = {
        "StackName": FUNCTION,
        "StackId": ARN,
        "Tags": [{"Key": "shutterless", "Value": "clothes"}],
        "StackStatus": "UPDATE_COMPLETE",
        "CreationTime": TIME,
    }
    aws.answer("cloudformation", "describe_stacks", {"Stacks": [stack]})
    aws.answer("cloudformation", "detect_stack_drift", {"StackDriftDetectionId": "d"}, StackName=ARN)


def answer_detection(aws, status):
    answer = {"StackId": ARN, "StackDriftDetectionId": "d", "DetectionStatus": status, "Timestamp": TIME}
    operation = "describe_stack_drift_detection_status"
    aws.answer("cloudformation", operation, answer, StackDriftDetectionId="d")


def answer_drifts(aws, name, status, *differences, **page):
    resource = {
        "StackId": ARN,
        "LogicalResourceId": name,
        "ResourceType": "AWS::Lambda::Function",
        "StackResourceDriftStatus": status,
        "Timestamp": TIME,
        "PropertyDifferences": [
            {"PropertyPath": path, "ExpectedValue": before, "ActualValue": now, "DifferenceType": "NOT_EQUAL"}
            for path, before, now in differences
        ],
    }
    aws.answer(
        "cloudformation", "describe_stack_resource_drifts", {"StackResourceDrifts": [resource], **page}
    )


def test_each_property_that_was_changed_and_each_resource_that_was_deleted_is_listed(aws):
    answer_stack(aws)
    answer_detection(aws, "DETECTION_IN_PROGRESS")
    answer_detection(aws, "DETECTION_COMPLETE")
    answer_drifts(aws, "Function", "MODIFIED", ("/A", "1", "2"), ("/B", "3", "4"), NextToken="2")
    answer_drifts(aws, "Alarm", "DELETED")
    assert find_drift("clothes") == [
        Drift("Function", "AWS::Lambda::Function", "/A", "1", "2"),
        Drift("Function", "AWS::Lambda::Function", "/B", "3", "4"),
        Drift("Alarm", "AWS::Lambda::Function"),
    ]


def test_a_detection_that_does_not_end_is_an_error(aws):
    answer_stack(aws)
    for _ in range(drift.TIMEOUT_S // drift.POLL_INTERVAL_S + 1):
        answer_detection(aws, "DETECTION_IN_PROGRESS")
    with pytest.raises(DeployError) as error:
        find_drift("clothes")
    assert error.value.code == "drift-unknown"


def test_a_name_that_is_not_deployed_is_an_error(aws):
    aws.fail("cloudformation", "describe_stacks", "ValidationError", "it does not exist")
    with pytest.raises(DeployError) as error:
        find_drift("clothes")
    assert error.value.code == "no-deployment"
