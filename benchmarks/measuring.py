"""What every benchmark measures with: rows of ratios, and processes of their own."""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
# What a new process runs: its last line on standard output is what the function returned.
CHILD = """
import importlib, json, os, sys
module, function, *cores = sys.argv[1:]
os.sched_setaffinity(0, map(int, cores))
print("\\n" + json.dumps(getattr(importlib.import_module(module), function)(json.load(sys.stdin))))
"""


class CannotRunError(Exception):
    """Something that a benchmark needs is not here; the message says what."""


@dataclass(frozen=True)
class Row:
    """One figure of ours beside the same figure of something else.

    pairs: (ours, theirs) of each round, in `unit`. goal: what the ratio should not exceed.
    """

    what: str
    unit: str
    beside: str
    pairs: tuple[tuple[float, float], ...]
    goal: float | None = None

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
        """Ours by theirs of each round, the least first: what else the machine did then is in both."""
        return sorted(ours / theirs for ours, theirs in self.pairs)

    @property
    def ratio(self) -> float:
        """The median of the rounds' ratios."""
        return statistics.median(self.ratios)

    @property
    def missed(self) -> bool:
        """Whether there is a goal and the ratio exceeds it."""
        return self.goal is not None and self.ratio > self.goal


# What a benchmark yields: a row, or a line that says what the rows do not.
Results = Iterable[Row | str]
Figures = dict[str, float]


def in_turn(rounds: int, sides: dict[str, Callable[[], Figures]]) -> list[dict[str, Figures]]:
    """Measure every side once a round; each round starts with another side.

    So what the machine does beside it, and what the first of a round has to bear, falls on all of them.
    """
    names, measured = list(sides), []
    for number in range(rounds):
        turn = names[number % len(names) :] + names[: number % len(names)]
        measured.append({name: sides[name]() for name in turn})
    return measured


def beside(
    rounds: list[dict[str, Figures]],
    ours: str,
    theirs: str,
    units: dict[str, str],
    goals: dict[str, float] | None = None,
    name: str | None = None,
    of: str | None = None,
) -> list[Row]:
    """Return a row for every figure in `units` that both sides have.

    name: what the other side is called. of: what stands before the name of each figure.
    """
    return [
        Row(
            f"{of}, {what}" if of else what,
            unit,
            name or theirs,
            tuple((one[ours][what], one[theirs][what]) for one in rounds),
            (goals or {}).get(what),
        )
        for what, unit in units.items()
        if all(what in one[ours] and what in one[theirs] for one in rounds)
    ]


def in_new_process(
    module: str, function: str, job: dict[str, Any], *, cores: int, environment: dict[str, str] | None = None
) -> dict[str, Any]:
    """Return what `function` of the benchmark `module` makes of `job`, in a new process on so many cores.

    Raises `CannotRunError` with its last words if it fails.
    """
    chosen = map(str, sorted(os.sched_getaffinity(0))[:cores])
    done = subprocess.run(
        [sys.executable, "-c", CHILD, module, function, *chosen],
        input=json.dumps(job),
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": _python_path(), "TF_CPP_MIN_LOG_LEVEL": "3", **(environment or {})},
        check=False,
    )
    if done.returncode:
        raise CannotRunError((done.stderr.strip() or "it died without a word").splitlines()[-1])
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _python_path() -> str:
    return os.pathsep.join(filter(None, (str(HERE), os.environ.get("PYTHONPATH"))))
