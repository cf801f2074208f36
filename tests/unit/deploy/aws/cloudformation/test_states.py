import pytest

from shutterless.deploy.aws.cloudformation.states import WAYS_OUT, stack_problem


@pytest.mark.parametrize(
    ("status", "way_out"),
    [
        ("CREATE_FAILED", "shutterless destroy clothes"),
        ("ROLLBACK_COMPLETE", "shutterless destroy clothes"),
        ("ROLLBACK_FAILED", "shutterless destroy clothes"),
        ("DELETE_FAILED", "shutterless destroy clothes"),
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback --stack-name shutterless-clothes"),
    ],
)
def test_a_stuck_stack_comes_with_the_command_that_helps(status, way_out):
    problem = stack_problem("shutterless-clothes", status)
    assert problem.code == "stack-stuck"
    assert status in problem.message
    assert way_out in problem.hint


def test_every_stuck_state_is_tested():
    assert len(WAYS_OUT) == 5


@pytest.mark.parametrize("status", ["CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS"])
def test_a_stack_that_is_being_changed_is_busy(status):
    problem = stack_problem("shutterless-clothes", status)
    assert problem.code == "stack-busy"
    assert "shutterless status clothes" in problem.hint


@pytest.mark.parametrize("status", ["CREATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS"])
def test_a_stack_that_can_be_changed_has_no_problem(status):
    assert stack_problem("shutterless-clothes", status) is None
