"""The states that a stack can be left in, which moto does not have: scripted with botocore's stubs."""

import json
from datetime import UTC, datetime

import boto3
import pytest
from botocore.stub import ANY, Stubber

from shutterless.deploy.aws import cloudformation
from shutterless.deploy.aws.cloudformation import (
    RollbackTriggers,
    cancel_update,
    change_stack,
    read_stack,
    read_template,
    remove_stack,
    wait_until_updatable,
)
from shutterless.deploy.template.template import template_text
from shutterless.errors import DeployError
from shutterless.utils.progress import silent

NAME = "shutterless-clothes"
ARN = f"arn:aws:cloudformation:eu-central-1:123456789012:stack/{NAME}/1"
TIME = datetime(2026, 1, 1, tzinfo=UTC)
OURS = [{"Key": "shutterless", "Value": "clothes"}]
TEMPLATE = {"Metadata": {"Shutterless": {"Options": {}}}, "Resources": {}}


@pytest.fixture
def script():
    """Give a client that expects exactly the calls it is told of, in order, and answers as told."""
    client = boto3.client(
        "cloudformation", region_name="eu-central-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    with Stubber(client) as stubber:

        def expect(*calls):
            for operation, answer in calls:
                if isinstance(answer, Exception):
                    stubber.add_client_error(operation, "ValidationError", str(answer))
                else:
                    stubber.add_response(operation, answer)
            return client

        expect.stubber = stubber
        yield expect
        stubber.assert_no_pending_responses()


def described(status, tags=OURS):
    stack = {"StackName": NAME, "StackId": ARN, "CreationTime": TIME, "StackStatus": status, "Tags": tags}
    return "describe_stacks", {"Stacks": [stack]}


GONE = ("describe_stacks", Exception(f"Stack with id {NAME} does not exist"))
RESOURCES = ("describe_stack_resources", {"StackResources": []})
DELETE = ("delete_stack", {})


def events(*listed):
    """Return events, the latest first, as CloudFormation does: (resource, status, reason)."""
    return "describe_stack_events", {
        "StackEvents": [
            {
                "StackId": ARN,
                "EventId": str(number),
                "StackName": NAME,
                "Timestamp": TIME,
                "LogicalResourceId": resource,
                "ResourceStatus": status,
                "ResourceStatusReason": reason,
            }
            for number, (resource, status, reason) in enumerate(listed)
        ]
    }


def change_set(status, reason=""):
    return "describe_change_set", {"Status": status, "StatusReason": reason}


CHANGE_SET = ("create_change_set", {"Id": "change-set", "StackId": ARN})
EXECUTE = ("execute_change_set", {})


def test_there_may_be_none(script):
    assert wait_until_updatable(script(GONE), NAME, silent) is None


@pytest.mark.parametrize("status", ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"])
def test_a_stack_in_use_is_updatable(script, status):
    assert wait_until_updatable(script(described(status)), NAME, silent).status == status


@pytest.mark.parametrize(
    "status", ["CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS"]
)
def test_a_change_in_progress_is_waited_for(script, status):
    client = script(
        described(status),
        described(status),
        RESOURCES,
        described("UPDATE_COMPLETE"),
        described("UPDATE_COMPLETE"),
    )
    assert wait_until_updatable(client, NAME, silent).status == "UPDATE_COMPLETE"


@pytest.mark.parametrize(
    "status", ["REVIEW_IN_PROGRESS", "CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED"]
)
def test_a_stack_that_was_never_created_is_deleted(script, status):
    client = script(described(status), DELETE, described("DELETE_IN_PROGRESS"), RESOURCES, GONE, GONE)
    assert wait_until_updatable(client, NAME, silent) is None


def test_a_failed_rollback_is_continued(script):
    client = script(
        described("UPDATE_ROLLBACK_FAILED"),
        ("continue_update_rollback", {}),
        described("UPDATE_ROLLBACK_IN_PROGRESS"),
        described("UPDATE_ROLLBACK_COMPLETE"),
        described("UPDATE_ROLLBACK_COMPLETE"),
    )
    assert wait_until_updatable(client, NAME, silent).status == "UPDATE_ROLLBACK_COMPLETE"


def test_a_rollback_that_fails_again_says_what_is_in_the_way(script):
    client = script(
        described("UPDATE_ROLLBACK_FAILED"),
        ("continue_update_rollback", {}),
        described("UPDATE_ROLLBACK_FAILED"),
        events(("Function", "UPDATE_FAILED", "The code storage limit is exceeded")),
    )
    with pytest.raises(DeployError) as error:
        wait_until_updatable(client, NAME, silent)
    assert error.value.code == "rollback-failed"
    assert "Function: " in error.value.message
    assert "The code storage limit is exceeded" in error.value.message


def test_one_that_will_not_be_deleted_says_what_will_not_go(script):
    client = script(
        described("ROLLBACK_COMPLETE"),
        DELETE,
        described("DELETE_FAILED"),
        events(("Role", "DELETE_FAILED", "Cannot delete entity, must detach all policies first")),
    )
    with pytest.raises(DeployError) as error:
        wait_until_updatable(client, NAME, silent)
    assert error.value.code == "delete-failed"
    assert "Role: " in error.value.message
    assert "must detach all policies first" in error.value.message


def test_a_stranger_s_stack_of_that_name_is_left_alone(script):
    with pytest.raises(DeployError) as error:
        wait_until_updatable(script(described("ROLLBACK_COMPLETE", tags=[])), NAME, silent)
    assert error.value.code == "foreign-stack"


def test_a_deleted_stack_is_none(script):
    assert read_stack(script(described("DELETE_COMPLETE")), ARN) is None


def template_answer(template):
    return "get_template", {"TemplateBody": json.dumps(template) if isinstance(template, dict) else template}


def test_the_template_of_a_stack_is_read(script):
    template = {"Metadata": {"Shutterless": {}}, "Resources": {}}
    client = script(described("UPDATE_COMPLETE"), template_answer(template))
    assert read_template(client, read_stack(client, NAME)) == template


@pytest.mark.parametrize("template", [{"Resources": {}}, "Resources:\n  Api: {}\n"])
def test_a_stack_that_was_changed_by_hand_is_refused(script, template):
    client = script(described("UPDATE_COMPLETE"), template_answer(template))
    with pytest.raises(DeployError) as error:
        read_template(client, read_stack(client, NAME))
    assert error.value.code == "foreign-template"


def test_a_stack_that_was_never_created_has_no_template(script):
    client = script(described("ROLLBACK_COMPLETE"))
    assert read_template(client, read_stack(client, NAME)) is None


def test_a_stack_is_made_by_a_change_set_with_our_tag(script):
    script.stubber.add_client_error("describe_stacks", "ValidationError", "it does not exist")
    script.stubber.add_response(
        *CHANGE_SET,
        {
            "StackName": NAME,
            "ChangeSetName": ANY,
            "ChangeSetType": "CREATE",
            "TemplateBody": template_text(TEMPLATE),
            "Capabilities": ["CAPABILITY_IAM"],
            "Tags": OURS,
        },
    )
    client = script(
        change_set("CREATE_IN_PROGRESS"), change_set("CREATE_COMPLETE"), EXECUTE, described("CREATE_COMPLETE")
    )
    assert (
        change_stack(client, NAME, read_stack(client, NAME), TEMPLATE, RollbackTriggers(), silent).status
        == "CREATE_COMPLETE"
    )


@pytest.mark.parametrize(
    ("triggers", "expected"),
    [
        (RollbackTriggers(), {"RollbackTriggers": [], "MonitoringTimeInMinutes": 0}),
        (
            RollbackTriggers((f"{NAME}-errors",), 10),
            {
                "RollbackTriggers": [
                    {
                        "Arn": f"arn:aws:cloudwatch:eu-central-1:123456789012:alarm:{NAME}-errors",
                        "Type": "AWS::CloudWatch::Alarm",
                    }
                ],
                "MonitoringTimeInMinutes": 10,
            },
        ),
    ],
)
def test_an_update_has_its_own_rollback_triggers_and_not_those_of_the_last_one(script, triggers, expected):
    script(described("CREATE_COMPLETE"))
    script.stubber.add_response(
        *CHANGE_SET,
        {
            "StackName": NAME,
            "ChangeSetName": ANY,
            "ChangeSetType": "UPDATE",
            "TemplateBody": ANY,
            "Capabilities": ANY,
            "Tags": OURS,
            "RollbackConfiguration": expected,
        },
    )
    client = script(change_set("CREATE_COMPLETE"), EXECUTE, described("UPDATE_COMPLETE"))
    change_stack(client, NAME, read_stack(client, NAME), TEMPLATE, triggers, silent)


def test_a_change_set_without_changes_is_deleted(script):
    client = script(
        described("CREATE_COMPLETE"),
        CHANGE_SET,
        change_set("FAILED", "The submitted information didn't contain changes."),
        ("delete_change_set", {}),
    )
    assert (
        change_stack(client, NAME, read_stack(client, NAME), TEMPLATE, RollbackTriggers(), silent).status
        == "CREATE_COMPLETE"
    )


def test_a_change_set_is_deleted_when_the_wait_for_it_is_interrupted(script, clock, monkeypatch):
    def interrupt(seconds):
        raise KeyboardInterrupt

    client = script(
        described("CREATE_COMPLETE"), CHANGE_SET, change_set("CREATE_IN_PROGRESS"), ("delete_change_set", {})
    )
    existing = read_stack(client, NAME)
    monkeypatch.setattr(clock, "sleep", interrupt)
    with pytest.raises(KeyboardInterrupt):
        change_stack(client, NAME, existing, TEMPLATE, RollbackTriggers(), silent)


def test_an_interrupt_is_passed_on_even_if_the_change_set_cannot_be_deleted(script, clock, monkeypatch):
    def interrupt(seconds):
        raise KeyboardInterrupt

    refusal = ("delete_change_set", Exception("it is being executed"))
    client = script(described("CREATE_COMPLETE"), CHANGE_SET, change_set("CREATE_IN_PROGRESS"), refusal)
    existing = read_stack(client, NAME)
    monkeypatch.setattr(clock, "sleep", interrupt)
    with pytest.raises(KeyboardInterrupt):
        change_stack(client, NAME, existing, TEMPLATE, RollbackTriggers(), silent)


def test_a_change_set_that_is_refused_says_why(script):
    refused = change_set("FAILED", "Template format error: nope")
    client = script(described("CREATE_COMPLETE"), CHANGE_SET, refused, ("delete_change_set", {}))
    with pytest.raises(DeployError) as error:
        change_stack(client, NAME, read_stack(client, NAME), TEMPLATE, RollbackTriggers(), silent)
    assert error.value.code == "aws-error"
    assert "Template format error: nope" in error.value.message


def test_the_first_failure_of_a_change_is_shown(script):
    client = script(
        described("CREATE_COMPLETE"),
        CHANGE_SET,
        change_set("CREATE_COMPLETE"),
        EXECUTE,
        described("UPDATE_ROLLBACK_COMPLETE"),
        events(
            (NAME, "UPDATE_ROLLBACK_COMPLETE", ""),
            ("SlowAlarm", "UPDATE_FAILED", "Resource update cancelled"),
            ("Stage", "UPDATE_FAILED", "the second thing"),
            ("Function", "UPDATE_FAILED", "the first thing"),
            (NAME, "UPDATE_IN_PROGRESS", "User Initiated"),
            ("Role", "CREATE_FAILED", "of an operation before"),
        ),
    )
    with pytest.raises(DeployError) as error:
        change_stack(client, NAME, read_stack(client, NAME), TEMPLATE, RollbackTriggers(), silent)
    assert error.value.code == "rolled-back"
    assert "Function: " in error.value.message
    assert "the first thing" in error.value.message


def test_a_change_that_an_alarm_rolled_back_has_its_own_code(script):
    client = script(
        described("CREATE_COMPLETE"),
        CHANGE_SET,
        change_set("CREATE_COMPLETE"),
        EXECUTE,
        described("UPDATE_ROLLBACK_COMPLETE"),
        events(
            (NAME, "UPDATE_ROLLBACK_IN_PROGRESS", "Alarm clothes-errors went into ALARM state"),
            (NAME, "UPDATE_IN_PROGRESS", "User Initiated"),
        ),
    )
    with pytest.raises(DeployError) as error:
        change_stack(client, NAME, read_stack(client, NAME), TEMPLATE, RollbackTriggers(), silent)
    assert error.value.code == "alarm-rollback"
    assert "clothes-errors" in error.value.message


def test_a_change_that_fails_for_a_known_cause_has_the_code_of_that_cause(script):
    denied = "User: anna is not authorized to perform: iam:CreateRole (HandlerErrorCode: AccessDenied)"
    client = script(
        described("CREATE_COMPLETE"),
        CHANGE_SET,
        change_set("CREATE_COMPLETE"),
        EXECUTE,
        described("UPDATE_ROLLBACK_COMPLETE"),
        events(("Role", "CREATE_FAILED", denied), (NAME, "UPDATE_IN_PROGRESS", "User Initiated")),
    )
    with pytest.raises(DeployError) as error:
        change_stack(client, NAME, read_stack(client, NAME), TEMPLATE, RollbackTriggers(), silent)
    assert (error.value.code, error.value.aws_code) == ("access-denied", "AccessDenied")


def test_a_change_that_somebody_cancelled_has_its_own_code(script):
    client = script(
        described("CREATE_COMPLETE"),
        CHANGE_SET,
        change_set("CREATE_COMPLETE"),
        EXECUTE,
        described("UPDATE_ROLLBACK_COMPLETE"),
        events((NAME, "UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated")),
    )
    with pytest.raises(DeployError) as error:
        change_stack(client, NAME, read_stack(client, NAME), TEMPLATE, RollbackTriggers(), silent)
    assert error.value.code == "update-cancelled"
    assert NAME in error.value.message


def test_the_wait_reports_progress(script):
    steps = []
    resource = {"LogicalResourceId": "Role", "ResourceType": "AWS::IAM::Role", "Timestamp": TIME}
    resources = [
        {**resource, "ResourceStatus": status} for status in ("CREATE_COMPLETE", "CREATE_IN_PROGRESS")
    ]
    client = script(
        described("CREATE_IN_PROGRESS"),
        ("describe_stack_resources", {"StackResources": resources}),
        described("CREATE_COMPLETE"),
    )
    cloudformation.wait(client, ARN, lambda *step: steps.append(step))
    assert steps == [(f"Stack {NAME}, CREATE_IN_PROGRESS", 1, 3)]


def test_an_update_in_progress_can_be_cancelled(script):
    client = script(
        described("UPDATE_IN_PROGRESS"), ("cancel_update_stack", {}), described("UPDATE_ROLLBACK_COMPLETE")
    )
    cancel_update(client, read_stack(client, NAME), silent)


def test_an_update_that_is_too_late_to_cancel_is_refused(script):
    client = script(
        described("UPDATE_IN_PROGRESS"),
        ("cancel_update_stack", Exception("CancelUpdateStack cannot be called from current stack status")),
    )
    with pytest.raises(DeployError) as error:
        cancel_update(client, read_stack(client, NAME), silent)
    assert error.value.code == "stack-busy"


def test_removing_waits_for_a_change_in_progress(script):
    client = script(
        described("UPDATE_IN_PROGRESS"),
        described("UPDATE_COMPLETE"),
        DELETE,
        described("DELETE_IN_PROGRESS"),
        RESOURCES,
        GONE,
    )
    remove_stack(client, NAME, silent)


def test_removing_a_missing_stack_does_nothing(script):
    remove_stack(script(GONE), NAME, silent)
