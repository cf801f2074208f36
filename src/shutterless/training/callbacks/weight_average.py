"""Validate and save the moving average of a model's weights instead of the weights themselves."""

import contextlib
from collections.abc import Iterator, Mapping

import keras
import numpy as np


class ValidateWeightAverage(keras.callbacks.Callback):
    """Computes the validation metrics with the moving average of the weights, if the optimizer keeps one.

    `keras.callbacks.SwapEMAWeights` swaps the two by adding and subtracting them, which rounds the weights
    in every epoch. Here the weights come back bit by bit.
    """

    def __init__(self) -> None:
        super().__init__()
        self._context = contextlib.ExitStack()

    def on_test_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Replace the weights by their average."""
        self._context.enter_context(averaged(self.model))

    def on_test_end(self, logs: Mapping[str, float] | None = None) -> None:
        """Put the weights back."""
        self._context.close()


@contextlib.contextmanager
def averaged(model: keras.Model) -> Iterator[None]:
    """Give a compiled model the moving average of its weights inside the block.

    Nothing changes if its optimizer keeps no average.
    """
    # In half precision Keras wraps the optimizer in one that scales the loss.
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    if not optimizer.use_ema:
        yield
        return
    weights = [np.array(variable) for variable in model.trainable_variables]
    optimizer.finalize_variable_values(model.trainable_variables)
    try:
        yield
    finally:
        for variable, value in zip(model.trainable_variables, weights, strict=True):
            variable.assign(value)
