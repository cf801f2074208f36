"""Shorten a training so that it fits into a number of minutes."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from shutterless.dataset import Dataset
from shutterless.errors import InputError
from shutterless.training.callbacks.time_limit import TimeLimit
from shutterless.training.config import Plan, TrainingConfig
from shutterless.training.model import TransferModel
from shutterless.training.planning.estimate import (
    EVALUATION,
    PhaseTime,
    TimeEstimate,
    estimate_time,
    is_long,
)
from shutterless.training.recipe import Phase

PREPARATION = "preparation"  # what comes before the phases: reading the photos, building the model
MAX_OVERRUN = 0.1  # share of the minutes by which the training may be late before a phase is ended


def plan_time(
    config: TrainingConfig,
    dataset: Dataset,
    model: TransferModel,
    start_time: float,
    *,
    report: bool,
    on_warning: Callable[[str], None],
) -> TrainingConfig:
    """Return the configuration with an estimate of the time, and with epochs that fit into its minutes.

    A short training without a limit is not measured, and has no estimate.

    Args:
        config: What to train.
        dataset: The photos.
        model: The model to train.
        start_time: When the training began, on the clock of `time.monotonic`.
        report: Whether a report will be written.
        on_warning: Called if a phase is left out.

    Raises:
        InputError: There are too few minutes, see `plan_minutes`.
    """
    if config.minutes is None and not is_long(config, dataset):
        return config
    estimate = estimate_time(config, dataset, model, report=report)
    elapsed = time.monotonic() - start_time
    if config.minutes is not None:
        changes = plan_minutes(
            estimate, config.phases, minutes=config.minutes, elapsed=elapsed, on_warning=on_warning
        )
        plan = {name: config.plan.get(name, {}) | changes.get(name, {}) for name in config.plan | changes}
        config = replace(config, plan=plan)
    seconds = {PREPARATION: elapsed, **estimate.seconds(config.phases)}
    return replace(config, estimated_seconds={name: round(value, 2) for name, value in seconds.items()})


def limit_time(
    config: TrainingConfig, start_time: float, on_warning: Callable[[str], None]
) -> list[TimeLimit]:
    """Return the callback that ends a phase which takes longer than estimated; none without a limit.

    Args:
        config: What to train.
        start_time: When the training began, on the clock of `time.monotonic`.
        on_warning: Called when a phase is ended.
    """
    if config.minutes is None:
        return []
    seconds = 60 * config.minutes * (1 + MAX_OVERRUN) - config.estimated_seconds[EVALUATION]

    def warn(epochs: int) -> None:
        on_warning(
            f"Training stops after {epochs} epochs: another one would take it far beyond "
            f"{config.minutes:g} minutes. The best model is kept"
        )

    return [TimeLimit(start_time + seconds, warn)]


def plan_minutes(
    estimate: TimeEstimate,
    phases: Mapping[str, Phase],
    *,
    minutes: float,
    elapsed: float,
    on_warning: Callable[[str], None],
) -> Plan:
    """Return how many epochs, and stored copies, of the last phase fit.

    The last phase never gets more epochs than its recipe has. If not even one fits, it is left out, unless
    it is the only one.

    Args:
        estimate: How long the phases take.
        phases: The phases in order.
        minutes: How long the whole training may take.
        elapsed: Seconds that are over.
        on_warning: Called if the last phase is left out.

    Raises:
        InputError: The other phases, or one epoch of the only phase, take longer (`too-few-minutes`).
    """
    *others, (name, last) = phases.items()
    time, copies = estimate.phases[name], getattr(last, "stored_copies", 0)
    needed = elapsed + estimate.evaluation
    needed += sum(estimate.seconds({other: phase})[other] for other, phase in others)
    epochs = _epochs(time, 60 * minutes - needed, last.epochs, copies)
    if epochs == 0 and not others:
        needed += time.seconds(1, min(copies, 1))
    if needed > 60 * minutes or (epochs == 0 and not others):
        raise InputError(
            "too-few-minutes",
            f"{minutes:g} minutes are too few to train with these photos on this machine",
            f"Give {math.ceil(needed / 6) / 10:g} or more, or choose a smaller backbone or image size.",
        )
    if epochs == last.epochs:
        return {}
    if epochs == 0:
        on_warning(f"{name} is left out: not even one of its epochs fits into {minutes:g} minutes")
        return {name: {"epochs": 0}}
    return {name: {"epochs": epochs} | ({"stored_copies": min(copies, epochs)} if copies else {})}


def _epochs(time: PhaseTime, seconds: float, wanted: int, copies: int) -> int:
    """Return how many epochs fit into some seconds; more copies than epochs are not needed."""
    return next((n for n in range(wanted, 0, -1) if time.seconds(n, min(copies, n)) <= seconds), 0)
