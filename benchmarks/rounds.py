"""Rows of ratios, measured in rounds, in processes of their own."""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
# What a new process runs: its last line on standard output is what the function returned.
CHILD = """
import importlib, json, os, sys
module, function, *cores = sys.argv[1:]
os.sched_setaffinity(0, map(int, cores))
print("\\n" + json.dumps(getattr(importlib.import_module(module), function)(json.load(sys.stdin))))
"""


class CannotRunError(Exception):
    """Something that a benchmark needs is missing; the message says what."""


@dataclass(frozen=True)
class Row:
    """One of our figures, compared with the same figure of something else.

    Attributes:
        figure: What is measured.
        unit: Its unit.
        rival: What it is compared with.
        pairs: (ours, theirs) of each round.
        goal: What the ratio should not exceed.
        limit: What our own figure should not exceed, in its unit.
    """

    figure: str
    unit: str
    rival: str
    pairs: tuple[tuple[float, float], ...]
    goal: float | None = None
    limit: float | None = None

    @property
    def ours(self) -> float:
        """The median of our figures."""
        return statistics.median(ours for ours, _ in self.pairs)

    @property
    def theirs(self) -> float:
        """The median of theirs."""
        return statistics.median(theirs for _, theirs in self.pairs)

    @property
    def ratios(self) -> list[float]:
        """Ours ÷ theirs of each round, sorted; background load during a round affects both."""
        return sorted(ours / theirs for ours, theirs in self.pairs)

    @property
    def ratio(self) -> float:
        """The median of the rounds' ratios."""
        return statistics.median(self.ratios)

    @property
    def missed(self) -> bool:
        """Whether there is a goal and the ratio exceeds it, or a limit and our figure does."""
        is_over_goal = self.goal is not None and self.ratio > self.goal
        return is_over_goal or (self.limit is not None and self.ours > self.limit)


# What a benchmark yields: a row, or a remark about the rows.
Results = Iterable[Row | str]
Figures = dict[str, float]


def interleave(rounds: int, contenders: dict[str, Callable[[], Figures]]) -> list[dict[str, Figures]]:
    """Measure every contender once per round; each round starts with another one.

    So background load, and whatever the first of a round has to bear, affects all of them.
    """
    names, results = list(contenders), []
    for number in range(rounds):
        order = names[number % len(names) :] + names[: number % len(names)]
        results.append({name: contenders[name]() for name in order})
    return results


def compare(
    rounds: list[dict[str, Figures]],
    ours: str,
    theirs: str,
    units: dict[str, str],
    goals: dict[str, float] | None = None,
    rival: str | None = None,
    prefix: str | None = None,
    limits: dict[str, float] | None = None,
) -> list[Row]:
    """Return a row for every figure in `units` that both contenders have.

    Args:
        rounds: What `interleave` returned.
        ours: Name of our contender.
        theirs: Name of the other one.
        units: Figure → unit.
        goals: Figure → what its ratio should not exceed.
        rival: What the table calls the other one, if not by its name.
        prefix: Comes before the name of each figure.
        limits: Figure → what ours should not exceed.
    """
    return [
        Row(
            f"{prefix}, {figure}" if prefix else figure,
            unit,
            rival or theirs,
            tuple((each[ours][figure], each[theirs][figure]) for each in rounds),
            (goals or {}).get(figure),
            (limits or {}).get(figure),
        )
        for figure, unit in units.items()
        if all(figure in each[ours] and figure in each[theirs] for each in rounds)
    ]


def run_in_process(
    module: str, function: str, job: dict[str, Any], *, cores: int, environment: dict[str, str] | None = None
) -> dict[str, Any]:
    """Call a function in a new process on some of the cores, and return its result.

    Args:
        module: The module's whole name, such as `benchmarks.contenders`.
        function: The function's name; it takes `job`.
        job: Passed on as JSON.
        cores: How many cores the process may use.
        environment: Further environment variables.

    Raises:
        CannotRunError: With the last line of its output, if it fails.
    """
    selection = map(str, sorted(os.sched_getaffinity(0))[:cores])
    python_path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    process = subprocess.run(
        [sys.executable, "-c", CHILD, module, function, *selection],
        input=json.dumps(job),
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": python_path, "TF_CPP_MIN_LOG_LEVEL": "3", **(environment or {})},
        check=False,
    )
    if process.returncode:
        raise CannotRunError((process.stderr.strip() or "it wrote nothing").splitlines()[-1])
    return dict(json.loads(process.stdout.splitlines()[-1]))
