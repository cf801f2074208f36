"""Checkpoints: the state of a training after an epoch, from which it can be resumed exactly."""

import json
import zipfile
from collections.abc import Mapping, Sequence
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
    """The state of a training at the end of an epoch.

    Attributes:
        epochs: All epochs of the run so far. The phase of the last one is the phase to continue.
        variables: Of the model that is trained in that phase, including the seeds of its dropout layers.
        optimizer: Variables of its optimizer, including the step that the learning rate depends on.
    """

    epochs: tuple[Epoch, ...]
    variables: tuple[np.ndarray, ...]
    optimizer: tuple[np.ndarray, ...]

    @property
    def phase(self) -> str:
        """Name of the phase to continue."""
        return self.epochs[-1].phase

    def restore(self, model: keras.Model) -> None:
        """Set the variables of `model` and, if it is compiled, of its optimizer.

        Raises:
            RunError: The checkpoint is of another model.
        """
        _assign(_variables(model), self.variables)
        if getattr(model, "optimizer", None) is not None:
            model.optimizer.build(model.trainable_variables)
            _assign(model.optimizer.variables, self.optimizer)


class CheckpointWriter(keras.callbacks.Callback):
    """Writes a checkpoint after each epoch, or once at the end of the training.

    Args:
        file: Where it is written.
        epochs: All epochs of the run so far, as `EpochRecorder` appends them.
        every_epoch: Write it after each epoch rather than once at the end.
    """

    def __init__(self, file: Path, epochs: Sequence[Epoch], *, every_epoch: bool = True) -> None:
        super().__init__()
        self._file, self._epochs, self._every_epoch = file, epochs, every_epoch

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Write the checkpoint if each epoch gets one."""
        if self._every_epoch:
            write_checkpoint(self._file, self._epochs, self.model)

    def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
        """Write the checkpoint if the training gets only one."""
        if not self._every_epoch:
            write_checkpoint(self._file, self._epochs, self.model)


def write_checkpoint(file: Path, epochs: Sequence[Epoch], model: keras.Model) -> None:
    """Save the state of a compiled model and its optimizer, atomically.

    It is one file, because a file can be replaced in one step and a folder cannot.

    Raises:
        OutputError: The file cannot be written, as on a full disk.
    """
    state: dict[str, Any] = {"epochs": np.array(json.dumps([asdict(epoch) for epoch in epochs]))}
    for group, variables in (("variable", _variables(model)), ("optimizer", model.optimizer.variables)):
        state |= {f"{group}_{number}": np.asarray(variable) for number, variable in enumerate(variables)}
    with atomic_file(file) as draft, draft.open("wb") as stream:
        np.savez(stream, **state)


def read_checkpoint(file: Path) -> Checkpoint | None:
    """Read what `write_checkpoint` saved.

    Returns:
        The checkpoint, or None if there is no such file.

    Raises:
        RunError: The file is damaged.
    """
    if not file.is_file():
        return None
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as state:
            _require_uncompressed(state.zip)
            epochs = tuple(Epoch(**epoch) for epoch in json.loads(state["epochs"].item()))
            return Checkpoint(epochs, _group(state, "variable"), _group(state, "optimizer"))
    except Exception as error:  # a damaged zip archive raises whatever its damage leads to
        raise RunError(
            "damaged-checkpoint",
            f"{file} is damaged: {error}",
            "Train again, into another folder; this one keeps its best model.",
        ) from error


def _require_uncompressed(archive: zipfile.ZipFile) -> None:
    """Refuse what `write_checkpoint` does not write: a small file that unpacks to a huge one."""
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
        raise ValueError("it is compressed")


def _assign(variables: Sequence[keras.Variable], values: Sequence[np.ndarray]) -> None:
    if [tuple(variable.shape) for variable in variables] != [value.shape for value in values]:
        raise RunError(
            "unfitting-checkpoint",
            "The checkpoint does not fit the model",
            "Train again, into another folder.",
        )
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _group(state: Mapping[str, np.ndarray], group: str) -> tuple[np.ndarray, ...]:
    """Return the arrays that `write_checkpoint` numbered as one group."""
    count = sum(name.startswith(f"{group}_") for name in state)
    return tuple(state[f"{group}_{number}"] for number in range(count))


def _variables(model: keras.Model) -> list[keras.Variable]:
    """Return all variables except those of the metrics, which are reset in every epoch."""
    metrics = {id(variable) for variable in model.metrics_variables}
    return [variable for variable in model.variables if id(variable) not in metrics]
