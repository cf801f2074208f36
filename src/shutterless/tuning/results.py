"""The results of a search: a record of each trial, tables of them, and the best recipe."""

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import mean, stdev
from typing import Literal

from pydantic import TypeAdapter

from shutterless.errors import OutputError
from shutterless.files import atomic_file
from shutterless.runtime.json_types import JsonObject
from shutterless.text_files import parse_json, read_text
from shutterless.tuning.study import Measurement, Trial, Values
from shutterless.utils.escaping import escape_formula
from shutterless.utils.messages import plural
from shutterless.utils.progress import Progress

RECORDS, CSV_TABLE, JSON_TABLE, BEST = "trials", "trials.csv", "trials.json", "best.toml"

State = Literal["finished", "stopped", "failed"]


@dataclass(frozen=True)
class TrialResult:
    """What became of a trial.

    Attributes:
        number: From 1; the first trial is the recipe with the fixed values only.
        values: Field of the recipe → value.
        state: `finished`, `stopped` early because others did better, or `failed`.
        loss: Mean log loss of its trainings; of a stopped trial, as far as it came; None if it failed.
        loss_deviation: Sample standard deviation of the trainings' log losses; None for a single one.
        accuracy: Mean accuracy of its trainings; None unless it is finished.
        seconds: Time that it took.
        error: Code of the error of a failed trial.
        message: What is wrong, likewise.
        reports: The progress in percent and the log loss after each epoch, for early stopping.
    """

    number: int
    values: Values
    state: State
    loss: float | None = None
    loss_deviation: float | None = None
    accuracy: float | None = None
    seconds: float = 0.0
    error: str = ""
    message: str = ""
    reports: tuple[tuple[int, float], ...] = field(default=(), repr=False)

    def to_json(self) -> JsonObject:
        """Return the attributes as a JSON object, without the reports."""
        return {name: value for name, value in asdict(self).items() if name != "reports"}


OnTrial = Callable[[TrialResult], None]


def summarize(trial: Trial, measurements: Sequence[Measurement], seconds: float) -> TrialResult:
    """Return the result of a finished trial."""
    losses = [measurement.loss for measurement in measurements]
    return TrialResult(
        trial.number,
        trial.values,
        "finished",
        mean(losses),
        stdev(losses) if len(losses) > 1 else None,
        mean(measurement.accuracy for measurement in measurements),
        seconds,
    )


def best_of(results: Sequence[TrialResult]) -> TrialResult | None:
    """Return the finished trial with the smallest log loss, None if none is finished."""
    candidates = [(result.loss, result.number, result) for result in results if result.state == "finished"]
    return min(candidates)[2] if candidates else None


class Ledger:
    """What became of each trial, in memory and in the folder of the search.

    Args:
        output: The folder. What earlier calls have recorded in it is read.
        trials: All trials.
        on_trial: Called with each new result.
        progress: Called with the number of results.

    Raises:
        OutputError: A record cannot be read (`unreadable-record`).
    """

    def __init__(
        self, output: Path, trials: Sequence[Trial], *, on_trial: OnTrial, progress: Progress
    ) -> None:
        self._folder, self._trials = output / RECORDS, trials
        self._on_trial, self._progress = on_trial, progress
        self._results = {trial.number: record for trial in trials if (record := self._read(trial))}
        progress("trials", len(self._results), len(trials))

    @property
    def results(self) -> list[TrialResult]:
        """What became of the trials so far."""
        return [*self._results.values()]

    @property
    def missing(self) -> list[Trial]:
        """The trials whose results are not known."""
        return [trial for trial in self._trials if trial.number not in self._results]

    def add(self, result: TrialResult) -> None:
        """Record what became of a trial, so that a later call of the same search does not try it again."""
        self._folder.mkdir(exist_ok=True)
        with atomic_file(self._folder / f"{result.number:04}.json") as draft:
            draft.write_text(json.dumps(asdict(result)) + "\n", "utf-8")
        self._results[result.number] = result
        self._on_trial(result)
        self._progress("trials", len(self._results), len(self._trials))

    def _read(self, trial: Trial) -> TrialResult | None:
        file = self._folder / f"{trial.name}.json"
        if not file.exists():
            return None
        try:
            document = parse_json(read_text(file))
            return TypeAdapter(TrialResult).validate_python(document)
        except (OSError, ValueError) as error:
            raise OutputError(
                "unreadable-record", f"{file} cannot be read: {error}", "Delete it to try this trial again."
            ) from error


def write_tables(output: Path, results: Sequence[TrialResult]) -> None:
    """Write trials.csv and trials.json, the best trial first."""
    rows = rank(results)
    with atomic_file(output / JSON_TABLE) as draft:
        draft.write_text(json.dumps([row.to_json() for row in rows], indent=2) + "\n", "utf-8")
    fields = list(dict.fromkeys(name for row in rows for name in row.values))
    names = ["trial", "state", "loss", "loss_deviation", "accuracy", "seconds", "error", *fields]
    with atomic_file(output / CSV_TABLE) as draft, draft.open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream)
        table.writerow(names)
        for row in rows:
            metrics = (row.loss, row.loss_deviation, row.accuracy, round(row.seconds, 1), row.error)
            values = (escape_formula(str(row.values.get(name, ""))) for name in fields)
            table.writerow([row.number, row.state, *metrics, *values])


def rank(results: Sequence[TrialResult]) -> list[TrialResult]:
    """Return the finished trials by their log losses, then stopped ones likewise, then failed ones."""
    states = ("finished", "stopped", "failed")
    return sorted(
        results,
        key=lambda row: (states.index(row.state), float("inf") if row.loss is None else row.loss, row.number),
    )


def write_best(output: Path, trial: Trial, results: Sequence[TrialResult], what: str) -> None:
    """Write the recipe of the best trial, with the figures of the search as a comment.

    Args:
        output: The folder of the search.
        trial: The best trial.
        results: What became of all trials.
        what: What each trial was measured on.
    """
    figures = {result.number: result for result in results}
    lines = [
        f"Found by `shutterless tune`: trial {trial.number} of {len(results)}, measured on {what}.",
        f"Mean log loss {_describe(figures[trial.number])}.",
    ]
    if (base := figures.get(1)) and base.state == "finished" and trial.number != 1:
        lines.append(f"Before, as trial 1: {_describe(base)}.")
    if len(results) > 1:
        lines.append(
            f"The best of {plural(len(results), 'trial')} is partly luck: expect slightly less on new photos."
        )
    text = "".join(f"# {line}\n" for line in lines)
    with atomic_file(output / BEST) as draft:
        draft.write_text(f"{text}\n{trial.recipe}", "utf-8")


def _describe(result: TrialResult) -> str:
    deviation = f" ± {result.loss_deviation:.3f}" if result.loss_deviation is not None else ""
    return f"{result.loss:.3f}{deviation}, accuracy {result.accuracy:.1%}"
