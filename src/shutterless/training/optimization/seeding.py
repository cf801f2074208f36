"""The global random generators that Keras and TensorFlow draw from, seeded for the time of a training."""

import contextlib
import random
from collections.abc import Iterator

import tensorflow as tf
from tensorflow.python.eager import context


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed what Keras and TensorFlow draw from, and give the caller's generators back afterwards.

    Keras draws the seeds of first weights and of dropout from `random`, TensorFlow shuffles by its own
    global seed, and nothing draws from NumPy's global generator. `keras.utils.set_random_seed` would set
    all three and leave them so: a caller's later draws would repeat from one training to the next.

    The caller's TensorFlow seed is set again, so its sequence starts over.
    """
    python, tensorflow = random.getstate(), context.global_seed()
    random.seed(seed)
    tf.random.set_seed(seed)
    try:
        yield
    finally:
        random.setstate(python)
        tf.random.set_seed(tensorflow)
