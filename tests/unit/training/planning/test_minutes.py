import pytest

from shutterless.errors import InputError
from shutterless.training.planning.estimate import PhaseTime, TimeEstimate
from shutterless.training.planning.minutes import plan_minutes
from shutterless.training.recipe import HeadPhase, ModelPhase

HEAD = HeadPhase(epochs=30, learning_rate=0.1)
STORED = ModelPhase(epochs=8, learning_rate=0.1, frozen_share=0.5, stored_copies=4)
TIMES = {"head_training": PhaseTime(45, 0.5), "fine_tuning": PhaseTime(10, 50, 20)}


def plan(minutes, phases, elapsed=10.0, warnings=None):
    on_warning = (warnings if warnings is not None else []).append
    return plan_minutes(
        TimeEstimate(TIMES, evaluation=20), phases, minutes=minutes, elapsed=elapsed, on_warning=on_warning
    )


STANDARD = {"head_training": HEAD, "fine_tuning": STORED}


def test_a_training_that_fits_is_left_as_it_is():
    # 10 s are over, 60 s for the head, 10 + 4 * 20 + 8 * 50 s for fine-tuning, 20 s for the evaluation
    assert plan(580 / 60, STANDARD) == {}


@pytest.mark.parametrize(
    ("seconds", "epochs", "copies"), [(579, 7, 4), (380, 4, 4), (379, 3, 3), (170, 1, 1)]
)
def test_the_last_phase_gets_as_many_epochs_as_fit_and_no_more_copies_than_epochs(seconds, epochs, copies):
    assert plan(seconds / 60, STANDARD) == {"fine_tuning": {"epochs": epochs, "stored_copies": copies}}


def test_where_not_one_epoch_fits_the_last_phase_is_left_out_with_a_warning():
    warnings = []
    assert plan(169 / 60, STANDARD, warnings=warnings) == {"fine_tuning": {"epochs": 0}}
    assert "fine_tuning" in warnings[0]


def test_below_the_time_of_the_other_phases_the_error_names_the_fewest_minutes():
    with pytest.raises(InputError) as caught:
        plan(89 / 60, STANDARD)
    assert caught.value.code == "too-few-minutes"
    assert "1.5" in caught.value.hint


def test_the_only_phase_is_never_left_out():
    assert plan(76 / 60, {"head_training": HEAD}) == {"head_training": {"epochs": 2}}
    with pytest.raises(InputError) as caught:
        plan(75 / 60, {"head_training": HEAD})
    assert caught.value.code == "too-few-minutes"
    assert "1.3" in caught.value.hint
