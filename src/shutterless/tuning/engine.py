"""Run the trials of a search on Ray Tune: in this process, or on a cluster."""

import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ray
from ray import cloudpickle, tune
from ray.tune.schedulers import ASHAScheduler

from shutterless.errors import InputError, ShutterlessError
from shutterless.runtime.host_resources import available_memory, cores
from shutterless.tuning.results import TrialResult, summarize
from shutterless.tuning.study import TRIAL_MEMORY, Measurement, Study, Trial
from shutterless.utils.ray_cluster import connected

# Early stopping after a ninth and a third of a trial: the better third goes on.
FIRST_STOP, KEPT_SHARE = 11, 3
# Ray Tune's own files, checks and reaction to Ctrl-C, which a search does not need.
SWITCHES = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
}

RunTrial = Callable[[Study, Trial, Callable[[int, float], None]], list[Measurement]]
OnResult = Callable[[TrialResult], None]


def run_trials(
    study: Study,
    trials: Sequence[Trial],
    earlier: Sequence[TrialResult],
    *,
    workers: int,
    cpus: int,
    address: str,
    early_stopping: bool,
    on_start: Callable[[int], None],
    on_result: OnResult,
    run_trial: RunTrial | None = None,
) -> None:
    """Run trials side by side.

    Args:
        study: What all trials share.
        trials: The trials to run.
        earlier: The results of other trials, which early stopping compares with.
        workers: Number of trials at the same time; 0 for as many as there are cores and memory for.
        cpus: CPUs of each trial.
        address: Address of a cluster; if empty, that of RAY_ADDRESS, or else Ray runs in this process.
        early_stopping: Whether trials that fall behind are stopped.
        on_start: Called with the number of trials at the same time.
        on_result: Called with what became of each trial, as soon as it is known.
        run_trial: What to do in each trial; `shutterless.tuning.trial.run_trial` by default.

    Raises:
        InputError: There is no cluster at the address (`no-cluster`), or it has too little (`no-worker`).
    """
    storage = tempfile.mkdtemp(prefix=".tune-", dir=study.runs)
    with _environment(SWITCHES), connected(address, workers * cpus):
        workers = min(workers or _count_workers(cpus), len(trials))
        on_start(workers)
        for name in ("ray.tune", "ray.train"):  # what fails is a result, with its message
            logging.getLogger(name).setLevel(logging.CRITICAL)
        try:
            tune.Tuner(
                tune.with_resources(
                    tune.with_parameters(_run, study=study, trials=[*trials], cpus=cpus, run_trial=run_trial),
                    {"cpu": cpus},
                ),
                param_space={"index": tune.grid_search([*range(len(trials))])},
                tune_config=tune.TuneConfig(
                    max_concurrent_trials=workers, scheduler=_scheduler(earlier) if early_stopping else None
                ),
                run_config=tune.RunConfig(
                    storage_path=storage, verbose=0, callbacks=[_Recorder(trials, on_result)]
                ),
            ).fit()
        finally:
            shutil.rmtree(storage, ignore_errors=True)


def _run(
    config: Mapping[str, int], study: Study, trials: Sequence[Trial], cpus: int, run_trial: RunTrial | None
) -> None:
    """Run a trial in a process of Ray's, and report how it goes and what becomes of it."""
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ[name] = str(cpus)
    if run_trial is None:  # imported here: TensorFlow reads the variables when it starts
        from shutterless.tuning.trial import run_trial as train_repeats

        run_trial = train_repeats
    trial, start_time = trials[config["index"]], time.monotonic()
    try:
        measurements = run_trial(study, trial, _report)
        result = summarize(trial, measurements, time.monotonic() - start_time)
    except Exception as error:  # whatever it is, the other trials go on
        result = _failure(trial, error, time.monotonic() - start_time)
    loss = {} if result.loss is None else {"loss": result.loss}
    tune.report({"progress": 100, **loss, "result": asdict(result)})


def _report(progress: int, loss: float) -> None:
    tune.report({"progress": progress, "loss": loss})


def _failure(trial: Trial, error: BaseException, seconds: float) -> TrialResult:
    """Return the result of a trial that has raised an error, or whose process has died of it."""
    code, message = "trial-failed", " ".join(f"{type(error).__name__}: {error}".split())[:300]
    if isinstance(error, ShutterlessError):
        code, message = error.code, error.message
    elif isinstance(error, MemoryError | ray.exceptions.OutOfMemoryError) or "ResourceExhausted" in message:
        code = "out-of-memory"
    elif isinstance(error, ray.exceptions.RayActorError):
        code = "trial-died"
    return TrialResult(trial.number, trial.values, "failed", seconds=seconds, error=code, message=message)


class _Recorder(tune.Callback):
    """Tells what becomes of each trial as soon as Ray Tune knows it."""

    def __init__(self, trials: Sequence[Trial], on_result: OnResult) -> None:
        self._trials, self._on_result = trials, on_result
        self._reports: dict[int, list[tuple[int, float]]] = {}
        self._results: dict[int, TrialResult] = {}
        self._seconds: dict[int, float] = {}

    def on_trial_result(
        self, iteration: int, trials: Sequence[object], trial: Any, result: Mapping[str, Any], **info: object
    ) -> None:
        index = trial.config["index"]
        self._seconds[index] = result["time_total_s"]
        if "loss" in result:
            self._reports.setdefault(index, []).append((result["progress"], result["loss"]))
        if "result" in result:
            self._finish(index, TrialResult(**result["result"]))

    def on_trial_complete(self, iteration: int, trials: Sequence[object], trial: Any, **info: object) -> None:
        index = trial.config["index"]
        if index not in self._results:
            spec, loss = self._trials[index], self._reports[index][-1][1]
            seconds = self._seconds[index]
            self._finish(index, TrialResult(spec.number, spec.values, "stopped", loss, seconds=seconds))

    def on_trial_error(self, iteration: int, trials: Sequence[object], trial: Any, **info: object) -> None:
        index = trial.config["index"]
        # trial.get_pickled_error() reads a copy that is not there yet.
        error = cloudpickle.loads(Path(trial.pickled_error_file).read_bytes())
        self._finish(index, _failure(self._trials[index], error, self._seconds.get(index, 0.0)))

    def _finish(self, index: int, result: TrialResult) -> None:
        if index not in self._results:
            self._results[index] = replace(result, reports=tuple(self._reports.get(index, ())))
            self._on_result(self._results[index])


def _scheduler(earlier: Sequence[TrialResult]) -> ASHAScheduler:
    """Return asynchronous successive halving (Li et al. 2020), which knows the earlier trials.

    Ray Tune does not keep the state of a scheduler when it restores an experiment.
    """
    scheduler = ASHAScheduler(
        time_attr="progress",
        metric="loss",
        mode="min",
        max_t=100,
        grace_period=FIRST_STOP,
        reduction_factor=KEPT_SHARE,
        stop_last_trials=False,
    )
    for result in earlier:
        trial = SimpleNamespace(trial_id=f"earlier-{result.number}")
        scheduler.on_trial_add(None, trial)
        for progress, loss in result.reports:
            scheduler.on_trial_result(None, trial, {"progress": progress, "loss": loss})
    return scheduler


def _count_workers(cpus: int) -> int:
    """Return how many trials there is room for."""
    resources = ray.cluster_resources()
    memory = resources.get("memory", 0)
    if len(ray.nodes()) == 1 and resources.get("CPU", 0) <= cores():  # this machine
        memory = min(memory, available_memory())
    count = int(min(resources.get("CPU", 0) // cpus, memory // TRIAL_MEMORY))
    if not count:
        raise InputError(
            "no-worker",
            "There is no room for a trial",
            f"A trial takes {cpus} CPU and {TRIAL_MEMORY / 1e9:.1f} GB of memory; --workers 1 tries anyway.",
        )
    return count


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables while the block runs."""
    values = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in values.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
