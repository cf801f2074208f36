"""Build the model of a training that continues an earlier run, with what that run learned."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np

from shutterless.errors import RunError
from shutterless.training.model import (
    HEAD,
    POOLING,
    PROBABILITIES,
    TransferModel,
    add_head,
    feature_maps,
    pool,
)
from shutterless.training.run import Run, load_run


def load_earlier_run(run: str | Path | Run) -> Run:
    """Load a run to continue from, with its model.

    Raises:
        RunError: It is not a run (`not-a-run`), has no model yet (`unfinished-run`), or is damaged
            (`unreadable-run`, `unreadable-model`, `unreadable-split`).
    """
    earlier = load_run(run.path if isinstance(run, Run) else run)
    try:
        units = earlier.model.get_layer(HEAD).get_layer(PROBABILITIES).units
        earlier.model.get_layer(POOLING)
    except ValueError as error:
        raise _not_ours(earlier, str(error)) from error
    if units != len(earlier.labels):
        raise _not_ours(earlier, f"it has {units:,} outputs for {len(earlier.labels):,} labels")
    return earlier


def _not_ours(run: Run, reason: str) -> RunError:
    return RunError(
        "unreadable-model",
        f"The model of {run.path} cannot be continued: {reason}",
        "Restore the file that the training wrote, or train again.",
    )


def extend_model(earlier: Run, labels: Sequence[str], origins: Mapping[str, str]) -> TransferModel:
    """Return the model of a run with a head for other labels.

    A label that continues one of the run keeps its row of weights; a new label's row is random.

    Args:
        earlier: The run. Its loaded model shares its backbone with the new model.
        labels: The new labels, in output order.
        origins: Label → label of the run that it continues, for those that do.
    """
    saved = earlier.model
    features = keras.Model(saved.inputs[0], pool(saved, feature_maps(saved)), name="features")
    model = add_head(features, earlier.recipe.head, len(labels))
    for before, now in zip(saved.get_layer(HEAD).layers, model.head.layers, strict=True):
        weights = before.get_weights()
        if now.name == PROBABILITIES:
            columns = {labels.index(new): earlier.labels.index(old) for new, old in origins.items()}
            weights = [_with_columns(*pair, columns) for pair in zip(now.get_weights(), weights, strict=True)]
        now.set_weights(weights)
    return model


def _with_columns(new: np.ndarray, old: np.ndarray, columns: Mapping[int, int]) -> np.ndarray:
    """Return a copy of `new` in which some of the last axis's entries are those of `old`."""
    result = new.copy()
    result[..., list(columns)] = old[..., list(columns.values())]
    return result
