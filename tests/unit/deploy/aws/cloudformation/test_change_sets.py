"""Changes of a stack, and all that can come in between, scripted with botocore's stubs."""

import pytest
from botocore.exceptions import ClientError
from botocore.stub import ANY

from shutterless.deploy.aws.cloudformation.change_sets import NO_TRIGGERS, RollbackTriggers, change_stack
from shutterless.deploy.aws.cloudformation.stack import describe_stack
from shutterless.deploy.template.template import template_text
from shutterless.errors import DeployError
from shutterless.utils.progress import silent
from tests.unit.deploy.aws.cloudformation.stack_answers import (
    CHANGE_SET,
    DELETE,
    EXECUTE,
    NAME,
    OURS,
    change_set,
    change_sets,
    described,
    events,
)

TEMPLATE = {"Metadata": {"Shutterless": {"Options": {}}}, "Resources": {}}
BEFORE = described("CREATE_COMPLETE")
READY = change_set("CREATE_COMPLETE")
REVIEW = described("REVIEW_IN_PROGRESS", tags=[])
DISCARD = ("delete_change_set", {})
LAST = events((NAME, "UPDATE_IN_PROGRESS", "User Initiated"))


class Refusal(Exception):
    """An answer of AWS that is an error with this code."""

    def __init__(self, code):
        super().__init__(code)
        self.code = code


def update(script, *answers, action="deploy", triggers=NO_TRIGGERS):
    """Update the stack while CloudFormation gives these answers."""
    client = script(BEFORE)
    stack = describe_stack(client, NAME)
    script(*answers)
    return change_stack(client, NAME, stack, TEMPLATE, silent, action=action, triggers=triggers)


def create(script, *answers):
    """Create the stack while CloudFormation gives these answers."""
    return change_stack(script(*answers), NAME, None, TEMPLATE, silent)


def code_of(action):
    with pytest.raises(DeployError) as error:
        action()
    return error.value.code


def test_a_stack_is_made_by_a_change_set_with_our_tag(script):
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
    answers = [
        change_set("CREATE_IN_PROGRESS"),
        READY,
        REVIEW,
        EXECUTE,
        described("CREATE_COMPLETE", updated=1),
        LAST,
    ]
    assert create(script, *answers).status == "CREATE_COMPLETE"


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
    client = script(BEFORE)
    stack = describe_stack(client, NAME)
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
    script(READY, BEFORE, EXECUTE, described("UPDATE_COMPLETE", updated=1), LAST)
    change_stack(client, NAME, stack, TEMPLATE, silent, triggers=triggers)


def test_the_request_has_a_token_that_tells_what_it_is_for(script):
    requests = []
    for operation in ("CreateChangeSet", "ExecuteChangeSet"):
        script().meta.events.register(
            f"provide-client-params.cloudformation.{operation}", lambda params, **_: requests.append(params)
        )
    after = described("UPDATE_COMPLETE", updated=1)
    update(script, CHANGE_SET, READY, BEFORE, EXECUTE, after, LAST, action="canary")
    token = requests[1]["ClientRequestToken"]
    assert token.startswith("canary-")
    assert requests[0]["ChangeSetName"] == f"shutterless-{token}"


def test_a_change_set_without_changes_is_deleted(script):
    nothing = change_set("FAILED", "The submitted information didn't contain changes.")
    assert update(script, CHANGE_SET, nothing, DISCARD).status == "CREATE_COMPLETE"


@pytest.mark.parametrize("discarded", [DISCARD, ("delete_change_set", Exception("it is being executed"))])
def test_a_change_set_is_deleted_when_the_wait_for_it_is_interrupted(script, clock, monkeypatch, discarded):
    def interrupt(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(clock, "sleep", interrupt)
    with pytest.raises(KeyboardInterrupt):
        update(script, CHANGE_SET, change_set("CREATE_IN_PROGRESS"), discarded)


NO_VALIDATIONS = ("describe_events", {"OperationEvents": []})
REFUSED = change_set("FAILED", "Template format error: nope")


@pytest.mark.parametrize(
    "validations",
    [("describe_events", {"OperationEvents": []}), ("describe_events", Refusal("AccessDenied"))],
)
def test_a_change_set_that_is_refused_says_why(script, validations):
    with pytest.raises(DeployError) as error:
        update(script, CHANGE_SET, REFUSED, validations, DISCARD)
    assert error.value.code == "aws-error"
    assert "Template format error: nope" in error.value.message


def validation(resource, reason, path=""):
    return {
        "EventType": "VALIDATION_ERROR",
        "LogicalResourceId": resource,
        "ValidationStatus": "FAILED",
        "ValidationStatusReason": reason,
        **({"ValidationPath": path} if path else {}),
    }


def test_a_change_set_that_fails_early_validation_names_each_resource_and_reason(script):
    """AWS's own text only names a hook."""
    reason = "The following hook(s)/validation failed: [AWS::EarlyValidation::PropertyValidation]."
    found = [
        validation("Function", "is not a number", "/Function/MemorySize"),
        validation("Role", "is taken"),
    ]
    validations = ("describe_events", {"OperationEvents": found})
    with pytest.raises(DeployError) as error:
        update(script, CHANGE_SET, change_set("FAILED", reason), validations, DISCARD)
    assert error.value.code == "change-refused"
    for text in ("Function: ", "is not a number", "/Function/MemorySize", "Role: ", "is taken"):
        assert text in error.value.message


def test_a_validation_with_a_known_cause_has_the_code_of_that_cause(script):
    taken = validation("LogGroup", "A log group with this name already exists")
    validations = ("describe_events", {"OperationEvents": [taken]})
    answers = [CHANGE_SET, change_set("FAILED", "hook failed"), validations, DISCARD]
    assert code_of(lambda: update(script, *answers)) == "name-taken"


def test_a_first_change_set_that_fails_is_removed_with_its_empty_stack(script):
    with pytest.raises(DeployError):
        create(script, CHANGE_SET, REFUSED, NO_VALIDATIONS, DISCARD, REVIEW, change_sets(), DELETE)


def test_a_stack_with_somebody_else_s_change_set_stays(script):
    with pytest.raises(DeployError):
        create(
            script, CHANGE_SET, REFUSED, NO_VALIDATIONS, DISCARD, REVIEW, change_sets("shutterless-deploy-2")
        )


@pytest.mark.parametrize(
    "now",
    [
        described("UPDATE_IN_PROGRESS", updated=1),
        described("UPDATE_COMPLETE", updated=1),
        ("describe_stacks", Exception("it does not exist")),
    ],
)
def test_a_stack_that_somebody_else_has_changed_meanwhile_is_left_alone(script, now):
    assert code_of(lambda: update(script, CHANGE_SET, READY, now, DISCARD)) == "deployed-meanwhile"


def test_a_stack_that_somebody_else_has_created_meanwhile_is_left_alone(script):
    now = described("CREATE_IN_PROGRESS")
    answers = [CHANGE_SET, READY, now, DISCARD, now]
    assert code_of(lambda: create(script, *answers)) == "deployed-meanwhile"


@pytest.mark.parametrize("code", ["InvalidChangeSetStatus", "ChangeSetNotFound"])
def test_a_change_set_that_another_change_made_obsolete_is_not_executed(script, code):
    answers = [CHANGE_SET, READY, BEFORE, ("execute_change_set", Refusal(code))]
    obsolete = change_set("CREATE_COMPLETE", execution="OBSOLETE")
    assert code_of(lambda: update(script, *answers, obsolete)) == "deployed-meanwhile"


def test_a_request_that_botocore_repeats_after_it_was_carried_out_is_no_failure(script):
    refusal = ("execute_change_set", Refusal("InvalidChangeSetStatus"))
    executed = change_set("CREATE_COMPLETE", execution="EXECUTE_IN_PROGRESS")
    after = described("UPDATE_COMPLETE", updated=1)
    answers = [CHANGE_SET, READY, BEFORE, refusal, executed, after, LAST]
    assert update(script, *answers).status == "UPDATE_COMPLETE"


def test_a_change_that_another_one_has_followed_is_not_taken_for_the_last(script):
    """A rollback, for example, while this command waited for its canary."""
    after = described("UPDATE_COMPLETE", updated=2)
    other = events((NAME, "UPDATE_IN_PROGRESS", "User Initiated"), token="rollback-1")
    answers = [CHANGE_SET, READY, BEFORE, EXECUTE, after, other]
    assert code_of(lambda: update(script, *answers)) == "deployed-meanwhile"


def test_after_the_request_to_execute_it_nothing_is_deleted(script):
    """The request may have been carried out although its answer is an error."""
    with pytest.raises(ClientError):
        create(script, CHANGE_SET, READY, REVIEW, ("execute_change_set", Refusal("InternalFailure")))


def roll_back(script, *page):
    """Update the stack, which CloudFormation rolls back with these events."""
    after = described("UPDATE_ROLLBACK_COMPLETE", updated=1)
    update(script, CHANGE_SET, READY, BEFORE, EXECUTE, after, *page)


def test_the_first_failure_of_a_change_is_shown(script):
    """It may be on a later page: deletions come after it."""
    pages = [
        events((NAME, "UPDATE_ROLLBACK_COMPLETE", ""), more="2"),
        events(
            ("SlowAlarm", "UPDATE_FAILED", "Resource update cancelled"),
            ("Stage", "UPDATE_FAILED", "the second thing"),
            ("Function", "UPDATE_FAILED", "the first thing"),
            (NAME, "UPDATE_IN_PROGRESS", "User Initiated"),
            ("Role", "CREATE_FAILED", "of an operation before"),
        ),
    ]
    with pytest.raises(DeployError) as error:
        roll_back(script, *pages)
    assert error.value.code == "rolled-back"
    assert "Function: " in error.value.message
    assert "the first thing" in error.value.message


def test_a_change_that_an_alarm_rolled_back_has_its_own_code(script):
    page = events(
        (NAME, "UPDATE_ROLLBACK_IN_PROGRESS", "Alarm clothes-errors went into ALARM state"),
        (NAME, "UPDATE_IN_PROGRESS", "User Initiated"),
    )
    with pytest.raises(DeployError) as error:
        roll_back(script, page)
    assert error.value.code == "alarm-rollback"
    assert "clothes-errors" in error.value.message


def test_a_change_that_fails_for_a_known_cause_has_the_code_of_that_cause(script):
    denied = "User: anna is not authorized to perform: iam:CreateRole (HandlerErrorCode: AccessDenied)"
    page = events(("Role", "CREATE_FAILED", denied), (NAME, "UPDATE_IN_PROGRESS", "User Initiated"))
    with pytest.raises(DeployError) as error:
        roll_back(script, page)
    assert (error.value.code, error.value.aws_code) == ("access-denied", "AccessDenied")


def test_a_change_that_somebody_cancelled_has_its_own_code(script):
    page = events((NAME, "UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated"))
    with pytest.raises(DeployError) as error:
        roll_back(script, page)
    assert error.value.code == "update-cancelled"
    assert NAME in error.value.message
