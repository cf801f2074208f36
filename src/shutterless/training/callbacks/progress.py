"""Report progress after every training step."""

from collections.abc import Mapping

import keras

from shutterless.utils.progress import Progress


class ProgressReporter(keras.callbacks.Callback):
    """Calls `progress` with the phase, the number of finished steps, and the number of all steps.

    Args:
        progress: What is called.
        phase: Name of the phase that is being trained.
        first_step: Steps of the phase that were finished before.
        total: Steps of the whole phase.
    """

    def __init__(self, progress: Progress, phase: str, first_step: int, total: int) -> None:
        super().__init__()
        self._progress, self._phase, self._steps, self._total = progress, phase, first_step, total

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        """Count one step."""
        self._steps += 1
        self._progress(self._phase, self._steps, self._total)
