"""Search for the recipe with the smallest log loss: `shutterless tune`."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from shutterless.artifacts.lock import LOCK, locked
from shutterless.dataset import Dataset, load_dataset
from shutterless.dataset.folds import split_into_folds
from shutterless.dataset.groups.grouping import AUTO
from shutterless.errors import OutputError, RunError
from shutterless.files import atomic_file, ensure_outside, ensure_writable, entries
from shutterless.runtime.json_types import Json, JsonObject
from shutterless.text_files import parse_json, read_text
from shutterless.tuning.pixels import decode_for_all
from shutterless.tuning.results import (
    BEST,
    CSV_TABLE,
    RECORDS,
    Ledger,
    TrialResult,
    best_of,
    rank,
    write_best,
    write_tables,
)
from shutterless.tuning.search import Search, load_search, make_trials, to_document
from shutterless.tuning.study import FOLD, TRIAL_MEMORY, Repeat, Study, Trial
from shutterless.utils.messages import plural
from shutterless.utils.progress import Progress, automatic

IDENTITY, RUNS = "search.json", "runs"


@dataclass(frozen=True)
class TuneResult:
    """What a search has found.

    Attributes:
        output: Its folder.
        trials: What became of each trial, the best first.
        best: The best trial.
        recipe: File with the recipe of the best trial.
    """

    output: Path
    trials: tuple[TrialResult, ...]
    best: TrialResult
    recipe: Path

    def to_json(self) -> JsonObject:
        """Return the attributes as a JSON object."""
        trials: list[Json] = [trial.to_json() for trial in self.trials]
        return {
            "output": str(self.output),
            "recipe": str(self.recipe),
            "best": self.best.to_json(),
            "trials": trials,
        }


def tune(
    photos: str | Path,
    search: str | Path,
    output: str | Path,
    *,
    workers: int = 0,
    cpus: int = 1,
    address: str = "",
    group_by: str | Path | None = None,
    progress: Progress = automatic,
    on_note: Callable[[str], None] = lambda note: None,
    on_trial: Callable[[TrialResult], None] = lambda result: None,
) -> TuneResult:
    """Search for the recipe with the smallest log loss, by many trainings on Ray Tune.

    If the search is interrupted, also by `kill -9`, the same call continues it: finished trials are kept,
    and interrupted trainings continue after their last epoch.

    Args:
        photos: The folder or table of photos, as for `train`.
        search: The search file: a recipe, which of its fields to vary, and how often.
        output: The folder to write. It gets best.toml, trials.csv and trials.json.
        workers: Number of trials at the same time; 0 for as many as there are cores and memory for.
        cpus: CPUs of each trial.
        address: Address of a Ray cluster; by default RAY_ADDRESS, or else Ray runs in this process.
        group_by: Which photos show one thing and stay in one split, see `load_dataset`; `auto` by default.
        progress: Called with what is being done, the number of finished steps and that of all steps.
        on_note: Called with warnings about the photos, and with what is done side by side.
        on_trial: Called with what became of each trial.

    Returns:
        What became of all trials, and the best one.

    Raises:
        InputError: The search file is wrong, or there is no cluster at the address.
        DatasetError: The photos cannot be used.
        RecipeError: The recipe of the search is wrong.
        OutputError: `output` has another search (`another-search`) or anything else (`not-empty`), another
            process is writing to it (`search-in-progress`), or it cannot be written.
        RunError: No trial could be finished (`no-finished-trial`).

    Example:
        >>> import shutterless
        >>> result = shutterless.tune("photos", "search.toml", "tuned")
        >>> recipe, loss = result.recipe, result.best.loss
    """
    photos, output = Path(photos), Path(output)
    ensure_outside(output, photos)
    ensure_writable(output)
    plan = load_search(Path(search))
    trials = make_trials(plan)
    with locked(output, _in_use):
        _require_ours(output)
        dataset = load_dataset(photos, seed=plan.seeds[0], group_by=group_by or AUTO, progress=progress)
        for warning in dataset.all_warnings():
            on_note(warning)
        _begin(output, {"search": to_document(plan), "photos": dataset.fingerprint})
        ledger = Ledger(output, trials, on_trial=on_trial, progress=progress)
        for trial in ledger.missing:
            if not trial.recipe:
                failure = TrialResult(
                    trial.number, trial.values, "failed", error="invalid-recipe", message=trial.problem
                )
                ledger.add(failure)
        if ledger.missing:
            from shutterless.tuning.engine import run_trials

            study = _prepare(plan, dataset, ledger.missing, output / RUNS, progress)

            def record(result: TrialResult) -> None:
                ledger.add(result)
                shutil.rmtree(study.runs / f"{result.number:04}", ignore_errors=True)

            run_trials(
                study,
                ledger.missing,
                ledger.results,
                workers=workers,
                cpus=cpus,
                address=address,
                early_stopping=plan.early_stopping,
                on_start=lambda count: on_note(_describe(count, cpus, len(ledger.missing))),
                on_result=record,
            )
        result = _finish(output, plan, trials, ledger.results)
        shutil.rmtree(output / RUNS, ignore_errors=True)
        return result


def _in_use(output: Path, process: str) -> OutputError:
    return OutputError(
        "search-in-progress",
        f"Another search is running in {output} (process {process})",
        "Wait until it ends, stop it, or choose another folder.",
    )


def _require_ours(output: Path) -> None:
    """Refuse a folder that has anything but a search."""
    names = entries(output) - {LOCK}
    if names and IDENTITY not in names:
        hint = "Choose a new folder, or empty this one first."
        raise OutputError("not-empty", f"{output} is not empty, and has no search", hint)


def _begin(output: Path, identity: JsonObject) -> None:
    """Record which search this is, or compare it with the one that an earlier call has begun."""
    file = output / IDENTITY
    if not file.exists():
        with atomic_file(file) as draft:
            draft.write_text(json.dumps(identity, indent=2) + "\n", "utf-8")
        return
    try:
        earlier = parse_json(read_text(file))
    except (OSError, ValueError):
        earlier = None
    if earlier != parse_json(json.dumps(identity)):
        raise OutputError(
            "another-search",
            f"{output} has a search with another search file or other photos",
            "Choose another output, or give the search file and photos that it was begun with.",
        )


def _prepare(
    plan: Search, dataset: Dataset, trials: Sequence[Trial], runs: Path, progress: Progress
) -> Study:
    """Return what all trials share, with the photos decoded."""
    runs.mkdir(exist_ok=True)
    specs = [trial.input for trial in trials if trial.input is not None]
    pixels = decode_for_all(dataset, specs, runs / "pixels", progress)
    parts = {"split": dataset}
    if plan.folds:
        folds = split_into_folds(dataset, plan.folds, seed=plan.seeds[0])
        parts = {f"{FOLD}-{number}": part for number, part in enumerate(folds, start=1)}
    repeats = [
        Repeat(f"{name}-seed-{seed}", seed, part) for seed in plan.seeds for name, part in parts.items()
    ]
    return Study(runs.absolute(), tuple(repeats), pixels)


def _describe(workers: int, cpus: int, trials: int) -> str:
    return (
        f"{plural(trials, 'trial')}, {workers:,} at the same time, each with {plural(cpus, 'CPU')} and about "
        f"{TRIAL_MEMORY / 1e9:.1f} GB of memory"
    )


def _finish(
    output: Path, plan: Search, trials: Sequence[Trial], results: Sequence[TrialResult]
) -> TuneResult:
    """Write the tables and the best recipe."""
    write_tables(output, results)
    best = best_of(results)
    if best is None:
        raise RunError(
            "no-finished-trial",
            f"None of {plural(len(results), 'trial')} could be finished",
            f"{output / CSV_TABLE} has the errors. Delete {output / RECORDS} to try them again.",
        )
    write_best(output, trials[best.number - 1], results, _measured_on(plan))
    return TuneResult(output, tuple(rank(results)), best, output / BEST)


def _measured_on(plan: Search) -> str:
    photos = f"{plural(plan.folds, 'fold')}" if plan.folds else "the validation photos"
    return f"{photos}, with {plural(len(plan.seeds), 'seed')}"
