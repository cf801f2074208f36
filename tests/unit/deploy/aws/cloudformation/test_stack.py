"""What a stack can look like and be left in, scripted with botocore's stubs."""

import json

import pytest

from shutterless.deploy.aws.cloudformation.stack import (
    START_TIMEOUT_S,
    Stack,
    cancel_update,
    read_resources,
    read_stack,
    read_template,
    remove_stack,
    wait,
    wait_until_updatable,
)
from shutterless.errors import DeployError
from shutterless.utils.progress import silent
from tests.unit.deploy.aws.cloudformation.stack_answers import (
    ARN,
    DELETE,
    GONE,
    NAME,
    RESOURCES,
    TIME,
    change_sets,
    described,
    events,
    settled,
)

BEFORE = Stack(NAME, ARN, "UPDATE_COMPLETE", TIME, TIME, {}, {})


def token_of(script, operation):
    """Return a list that gets the client request token of an operation when it is requested."""
    tokens = []
    event = f"provide-client-params.cloudformation.{operation}"
    client = script()
    client.meta.events.register(event, lambda params, **_: tokens.append(params["ClientRequestToken"]))
    return tokens


def test_there_may_be_none(script):
    assert wait_until_updatable(script(GONE), NAME, silent) is None


@pytest.mark.parametrize("status", ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"])
def test_a_stack_in_use_is_updatable(script, status):
    assert wait_until_updatable(script(*settled(status)), NAME, silent).status == status


@pytest.mark.parametrize(
    "status", ["CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS"]
)
def test_a_change_in_progress_is_waited_for(script, status):
    client = script(described(status), described(status), RESOURCES, described("UPDATE_COMPLETE"))
    assert wait_until_updatable(client, NAME, silent).status == "UPDATE_COMPLETE"


def test_a_change_that_only_the_events_show_yet_is_waited_for(script):
    """An earlier command was interrupted just after it had executed a change set."""
    client = script(
        described("UPDATE_COMPLETE"),
        events((NAME, "UPDATE_IN_PROGRESS", "User Initiated"), (NAME, "UPDATE_COMPLETE", "")),
        described("UPDATE_IN_PROGRESS"),
        described("UPDATE_IN_PROGRESS"),
        RESOURCES,
        described("UPDATE_ROLLBACK_COMPLETE"),
    )
    assert wait_until_updatable(client, NAME, silent).status == "UPDATE_ROLLBACK_COMPLETE"


def test_an_answer_that_the_events_never_confirm_is_believed_after_a_minute(script, clock):
    disagreement = [described("UPDATE_COMPLETE"), events((NAME, "CREATE_COMPLETE", ""))]
    client = script(*disagreement * (START_TIMEOUT_S // 3 + 1))
    assert wait_until_updatable(client, NAME, silent).status == "UPDATE_COMPLETE"
    assert sum(clock.pauses) == START_TIMEOUT_S


@pytest.mark.parametrize("status", ["CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED"])
def test_a_stack_that_was_never_created_is_deleted(script, status):
    client = script(*settled(status), DELETE, described("DELETE_IN_PROGRESS"), RESOURCES, GONE, GONE)
    assert wait_until_updatable(client, NAME, silent) is None


def review(*names):
    """Return the answers for a stack of which no change set has been executed: it has no tags."""
    return described("REVIEW_IN_PROGRESS", tags=[]), change_sets(*names)


@pytest.mark.parametrize("names", [["shutterless-deploy-1"], []])
def test_a_stack_of_which_nothing_was_executed_is_deleted(script, names):
    event = events((NAME, "REVIEW_IN_PROGRESS", "User Initiated"))
    client = script(*review(*names), event, DELETE, GONE, GONE)
    assert wait_until_updatable(client, NAME, silent) is None


def test_a_stack_with_a_stranger_s_change_set_is_left_alone(script):
    with pytest.raises(DeployError) as error:
        wait_until_updatable(script(*review("shutterless-deploy-1", "other")), NAME, silent)
    assert error.value.code == "foreign-stack"


def test_the_first_change_set_may_be_in_execution_although_the_stack_is_in_review(script):
    client = script(
        *review("shutterless-deploy-1"),
        events((NAME, "CREATE_IN_PROGRESS", "User Initiated"), (NAME, "REVIEW_IN_PROGRESS", "")),
        described("CREATE_IN_PROGRESS"),
        described("CREATE_COMPLETE"),
    )
    assert wait_until_updatable(client, NAME, silent).status == "CREATE_COMPLETE"


def test_a_failed_rollback_is_continued(script):
    tokens = token_of(script, "ContinueUpdateRollback")
    client = script(
        *settled("UPDATE_ROLLBACK_FAILED"),
        ("continue_update_rollback", {}),
        described("UPDATE_ROLLBACK_IN_PROGRESS"),
        RESOURCES,
        described("UPDATE_ROLLBACK_COMPLETE"),
        *settled("UPDATE_ROLLBACK_COMPLETE"),
    )
    assert wait_until_updatable(client, NAME, silent).status == "UPDATE_ROLLBACK_COMPLETE"
    assert tokens[0].startswith("continue-")


def test_a_rollback_that_fails_again_says_what_is_in_the_way(script):
    client = script(
        *settled("UPDATE_ROLLBACK_FAILED"),
        ("continue_update_rollback", {}),
        described("UPDATE_ROLLBACK_IN_PROGRESS"),
        RESOURCES,
        described("UPDATE_ROLLBACK_FAILED"),
        *settled("UPDATE_ROLLBACK_FAILED"),
        events(("Function", "UPDATE_FAILED", "The code storage limit is exceeded")),
    )
    with pytest.raises(DeployError) as error:
        wait_until_updatable(client, NAME, silent)
    assert error.value.code == "rollback-failed"
    assert "Function: " in error.value.message
    assert "The code storage limit is exceeded" in error.value.message


def test_a_stack_that_cannot_be_deleted_says_what_is_in_the_way(script):
    client = script(
        *settled("ROLLBACK_COMPLETE"),
        DELETE,
        described("DELETE_IN_PROGRESS"),
        RESOURCES,
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


@pytest.mark.parametrize("tags", [[], [{"Key": "shutterless", "Value": "clothes"}]])
def test_a_deleted_stack_is_none_whoever_made_it(script, tags):
    assert read_stack(script(described("DELETE_COMPLETE", tags=tags)), ARN) is None


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


def test_the_resources_of_all_pages_are_read(script):
    def page(name, **more):
        resource = {
            "LogicalResourceId": name,
            "PhysicalResourceId": f"arn:aws:lambda:eu-central-1:123456789012:function:{NAME}:7",
            "ResourceType": "AWS::Lambda::Version",
            "LastUpdatedTimestamp": TIME,
            "ResourceStatus": "CREATE_COMPLETE",
        }
        return "list_stack_resources", {"StackResourceSummaries": [resource], **more}

    resources = read_resources(script(page("A", NextToken="2"), page("B")), ARN)
    assert [(each.logical_id, each.version_number) for each in resources] == [("A", "7"), ("B", "7")]


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
    wait(client, BEFORE, lambda *step: steps.append(step))
    assert steps == [(f"Stack {NAME}, CREATE_IN_PROGRESS", 1, 3)]


def test_a_status_from_before_the_change_is_not_believed(script):
    """DescribeStacks returns it again: only the event tells that the change has begun, and ended."""
    client = script(
        described("UPDATE_COMPLETE"),
        events((NAME, "UPDATE_COMPLETE", ""), token="deploy-0"),
        described("UPDATE_COMPLETE"),
        events((NAME, "UPDATE_ROLLBACK_COMPLETE", ""), token="deploy-1"),
        described("UPDATE_ROLLBACK_COMPLETE"),
    )
    assert wait(client, BEFORE, silent, "deploy-1").status == "UPDATE_ROLLBACK_COMPLETE"


def test_a_later_time_of_update_shows_that_the_change_is_over(script):
    client = script(described("UPDATE_COMPLETE", updated=1))
    assert wait(client, BEFORE, silent, "deploy-1").status == "UPDATE_COMPLETE"


def test_the_event_of_a_change_may_be_on_a_later_page(script):
    client = script(
        described("UPDATE_COMPLETE"),
        events(("Role", "DELETE_COMPLETE", ""), more="2"),
        events((NAME, "UPDATE_IN_PROGRESS", "User Initiated"), token="deploy-1"),
        described("UPDATE_ROLLBACK_COMPLETE"),
    )
    assert wait(client, BEFORE, silent, "deploy-1").status == "UPDATE_ROLLBACK_COMPLETE"


def test_a_change_that_does_not_begin_within_a_minute_is_an_error(script, clock):
    unchanged = [described("UPDATE_COMPLETE"), events((NAME, "UPDATE_COMPLETE", ""))]
    client = script(*unchanged * (START_TIMEOUT_S // 3), described("UPDATE_COMPLETE"))
    with pytest.raises(DeployError) as error:
        wait(client, BEFORE, silent, "deploy-1")
    assert error.value.code == "change-not-started"
    assert sum(clock.pauses) == START_TIMEOUT_S


def test_nobody_s_tags_are_checked_while_waiting(script):
    client = script(described("CREATE_IN_PROGRESS", tags=[]), RESOURCES, described("CREATE_COMPLETE"))
    assert wait(client, BEFORE, silent).status == "CREATE_COMPLETE"


@pytest.mark.parametrize("refusal", [None, Exception("CancelUpdateStack cannot be called")])
def test_a_change_that_fails_its_check_is_cancelled_if_it_is_not_too_late(script, refusal):
    answers = [] if refusal else [described("UPDATE_ROLLBACK_COMPLETE")]
    client = script(
        described("UPDATE_IN_PROGRESS"), RESOURCES, ("cancel_update_stack", refusal or {}), *answers
    )
    with pytest.raises(DeployError) as error:
        wait(client, BEFORE, silent, "canary-1", lambda: DeployError("canary-refused", ""))
    assert error.value.code == "canary-refused"


def test_an_update_in_progress_can_be_cancelled(script):
    tokens = token_of(script, "CancelUpdateStack")
    client = script(
        described("UPDATE_IN_PROGRESS"), ("cancel_update_stack", {}), described("UPDATE_ROLLBACK_COMPLETE")
    )
    cancel_update(client, read_stack(client, NAME), silent)
    assert tokens[0].startswith("cancel-")


def test_an_update_that_is_too_late_to_cancel_is_refused(script):
    client = script(
        described("UPDATE_IN_PROGRESS"),
        ("cancel_update_stack", Exception("CancelUpdateStack cannot be called from current stack status")),
    )
    with pytest.raises(DeployError) as error:
        cancel_update(client, read_stack(client, NAME), silent)
    assert error.value.code == "stack-busy"


def test_removing_waits_for_a_change_in_progress(script):
    client = script(described("UPDATE_IN_PROGRESS"), described("UPDATE_COMPLETE"), DELETE, GONE)
    remove_stack(client, NAME, silent)


def test_a_stack_that_still_seems_to_be_there_is_waited_for(script):
    stale = [described("DELETE_FAILED"), events((NAME, "DELETE_FAILED", ""), token="destroy-0")]
    remove_stack(script(*settled("DELETE_FAILED"), DELETE, *stale, GONE), NAME, silent)


def test_removing_a_missing_stack_does_nothing(script):
    remove_stack(script(GONE), NAME, silent)
