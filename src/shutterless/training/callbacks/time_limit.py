"""End a training in time."""

import time
from collections.abc import Callable, Mapping

import keras


class TimeLimit(keras.callbacks.Callback):
    """Ends a phase after an epoch if another one would take too long.

    It must come after `EarlyStopping`, which also tells Keras whether to stop.

    Args:
        deadline: When the phases must be finished, on the clock of `time.monotonic`.
        on_stop: Called with the number of epochs when a phase is ended.
    """

    def __init__(self, deadline: float, on_stop: Callable[[int], None]) -> None:
        super().__init__()
        self._deadline, self._on_stop, self._start_time = deadline, on_stop, 0.0

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Start the clock."""
        self._start_time = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Tell Keras to stop if an epoch like this one would end after the deadline."""
        now = time.monotonic()
        is_late = now + (now - self._start_time) > self._deadline
        if is_late and epoch + 1 < self.params["epochs"] and not self.model.stop_training:
            self.model.stop_training = True
            self._on_stop(epoch + 1)
