"""Report progress after every training step."""

from collections.abc import Mapping

import keras

from shutterless.utils.progress import Progress


class ProgressReporter(keras.callbacks.Callback):
    """Calls `progress` with the phase, the number of finished steps, and the number of all steps.

    Args:
        progress: What is called.
        phase: Name of the phase that is being trained.
        finished: Steps of the phase that were finished before.
        total: Steps of the whole phase.
    """

    def __init__(self, progress: Progress, phase: str, finished: int, total: int) -> None:
        super().__init__()
        self._progress, self._phase, self._finished, self._total = progress, phase, finished, total

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        """Count one step."""
        self._finished += 1
        self._progress(self._phase, self._finished, self._total)
