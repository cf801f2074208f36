"""Seed the global random generators of Keras and TensorFlow for the duration of a training."""

import contextlib
import random
from collections.abc import Iterator

import tensorflow as tf
from tensorflow.python.eager import context


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed the generators that Keras and TensorFlow use inside the block, and restore the caller's after it.

    Keras seeds first weights and dropout from `random`, TensorFlow shuffles by its own global seed, and
    nothing uses NumPy's global generator. `keras.utils.set_random_seed` would set all three and leave them
    like that, so that a caller's random numbers would repeat from one training to the next.

    The caller's TensorFlow seed is set again, which restarts its sequence.

    Args:
        seed: From 0 to 2**32 - 1.
    """
    python, tensorflow = random.getstate(), context.global_seed()
    random.seed(seed)
    tf.random.set_seed(seed)
    try:
        yield
    finally:
        random.setstate(python)
        tf.random.set_seed(tensorflow)
