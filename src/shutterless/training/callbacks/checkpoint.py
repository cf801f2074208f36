"""The state of a training after an epoch, from which it goes on after whatever ended it."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from shutterless.artifacts.history import Epoch
from shutterless.errors import RunError
from shutterless.files import atomic_file

CHECKPOINT = "checkpoint.npz"


@dataclass(frozen=True)
class Checkpoint:
    """What was trained when its last epoch had ended.

    epochs: all of the run so far; the last one's phase is the phase it is in.
    variables: of the model that phase trains, the state of its dropout among them.
    optimizer: of its optimizer, the step that the learning rate depends on among them.
    """

    epochs: tuple[Epoch, ...]
    variables: tuple[np.ndarray, ...]
    optimizer: tuple[np.ndarray, ...]

    @property
    def phase(self) -> str:
        """The name of the phase that it is in."""
        return self.epochs[-1].phase

    def restore(self, model: keras.Model) -> None:
        """Give `model`, and its optimizer if it is compiled, what they had then.

        Raises ShutterlessError if they are another network's.
        """
        _assign(_variables(model), self.variables)
        if getattr(model, "optimizer", None) is not None:
            model.optimizer.build(model.trainable_variables)
            _assign(model.optimizer.variables, self.optimizer)


def write_checkpoint(file: Path, epochs: Sequence[Epoch], model: keras.Model) -> None:
    """Save the state of `model` and its optimizer, whole or not at all.

    One file, because a file is replaced in one step and a folder is not.
    Raises ShutterlessError if it cannot be written, as on a full disk.
    """
    state: dict[str, Any] = {"epochs": np.array(json.dumps([asdict(epoch) for epoch in epochs]))}
    for group, variables in (("variable", _variables(model)), ("optimizer", model.optimizer.variables)):
        state |= {f"{group}_{number}": np.asarray(variable) for number, variable in enumerate(variables)}
    with atomic_file(file) as draft, draft.open("wb") as stream:
        np.savez(stream, **state)


def read_checkpoint(file: Path) -> Checkpoint | None:
    """Return what `write_checkpoint` saved, or None where there is no such file.

    Raises ShutterlessError if it is damaged.
    """
    if not file.is_file():
        return None
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as state:
            epochs = tuple(Epoch(**epoch) for epoch in json.loads(state["epochs"].item()))
            return Checkpoint(epochs, _group(state, "variable"), _group(state, "optimizer"))
    except Exception as error:  # a damaged zip archive raises whatever its damage leads to
        raise RunError(
            "damaged-checkpoint",
            f"{file} is damaged: {error}",
            "Train again, into another folder; this one keeps its best network.",
        ) from error


def _assign(variables: Sequence[keras.Variable], values: Sequence[np.ndarray]) -> None:
    if [tuple(variable.shape) for variable in variables] != [value.shape for value in values]:
        raise RunError(
            "unfitting-checkpoint",
            "The checkpoint does not fit the network",
            "Train again, into another folder.",
        )
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _group(state: Any, group: str) -> tuple[np.ndarray, ...]:
    count = sum(name.startswith(f"{group}_") for name in state)
    return tuple(state[f"{group}_{number}"] for number in range(count))


def _variables(model: keras.Model) -> list[keras.Variable]:
    """Return all variables but those that the metrics count in, which begin anew with every epoch."""
    metrics = {id(variable) for variable in model.metrics_variables}
    return [variable for variable in model.variables if id(variable) not in metrics]
