"""Trials on Ray Tune, with something quick in place of a training."""

import os
import time

from shutterless.errors import RunError
from shutterless.tuning.engine import _scheduler, run_trials
from shutterless.tuning.results import TrialResult
from shutterless.tuning.study import Measurement, Study, Trial


def test_what_fails_dies_or_falls_behind_is_a_result_and_the_others_go_on(tmp_path):
    def run_trial(study, trial, on_progress):
        if trial.number == 1:
            raise RunError("diverged", "too fast")
        if trial.number == 2:
            os._exit(1)
        on_progress(11, float(trial.number))
        on_progress(50, float(trial.number))
        if trial.number == 4:
            time.sleep(60)  # until it is stopped
        return [Measurement("a", trial.number, 0.5), Measurement("b", trial.number + 1, 0.7)]

    results, sides = [], []
    run_trials(
        Study(tmp_path, ()),
        [Trial(number, {}) for number in range(1, 5)],
        [TrialResult(9, {}, "stopped", 9.0, reports=((11, 0.5), (12, 0.4)))],
        workers=1,
        cpus=1,
        address="local",
        early_stopping=True,
        on_start=sides.append,
        on_result=results.append,
        run_trial=run_trial,
    )
    assert sides == [1]
    states = {result.number: (result.state, result.error, result.loss) for result in results}
    assert states == {
        1: ("failed", "diverged", None),
        2: ("failed", "trial-died", None),
        3: ("stopped", "", 3.0),
        4: ("stopped", "", 4.0),
    }
    assert [*tmp_path.iterdir()] == []


def test_early_stopping_keeps_the_better_third_of_all_trials_with_earlier_ones():
    class Running:
        trial_id = "new"

    earlier = [TrialResult(number, {}, "stopped", reports=((11, number / 10),)) for number in range(1, 10)]
    for loss, decision in ((0.3, "CONTINUE"), (0.9, "STOP")):
        scheduler = _scheduler(earlier)
        scheduler.on_trial_add(None, Running)
        assert scheduler.on_trial_result(None, Running, {"progress": 12, "loss": loss}) == decision
