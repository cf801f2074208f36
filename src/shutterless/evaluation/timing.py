"""Measure how long models take for a photo, in turn."""

import sys
import time
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from shutterless.evaluation.predict import Predictor
from shutterless.runtime.model.classifier import Classifier

# How often each model is timed: fewer rounds if they take longer than this many seconds together.
MAX_ROUNDS, MIN_ROUNDS, MAX_SECONDS = 30, 10, 10


def time_models(
    models: Sequence[Predictor], pixels: Sequence[npt.NDArray[np.uint8]]
) -> npt.NDArray[np.float64]:
    """Measure the processor time of one inference of each model.

    The models take turns, so that other work on the machine affects all of them. Processor time is not
    affected by it much, while time on the clock doubles on a busy machine.

    Args:
        models: The models; bundles' classifiers on one thread each. The processor time of a run's model is
            that of all threads.
        pixels: A photo for each model, uint8[1, height, width, 3].

    Returns:
        Milliseconds, float64[rounds, models].
    """
    for model, photo in zip(models, pixels, strict=True):
        model.probabilities(photo)
    clocks = [*map(_clock, models)]
    end_time = time.monotonic() + MAX_SECONDS
    rounds: list[list[float]] = []
    while len(rounds) < MIN_ROUNDS or (len(rounds) < MAX_ROUNDS and time.monotonic() < end_time):
        rounds.append([])
        for model, photo, clock in zip(models, pixels, clocks, strict=True):
            start_time = clock()
            model.probabilities(photo)
            rounds[-1].append((clock() - start_time) * 1000)
    return np.array(rounds)


def _clock(model: Predictor) -> Callable[[], float]:
    if not isinstance(model, Classifier):
        return time.process_time  # TensorFlow computes in threads of its own
    # On Windows, the processor time of a thread advances in steps of 16 ms.
    return time.perf_counter if sys.platform == "win32" else time.thread_time
