"""What a GPU is given to be fast: half precision and XLA. A CPU is slower with either."""

import contextlib
from collections.abc import Iterator

import keras
import tensorflow as tf

FULL, MIXED = "float32", "mixed_float16"


def has_gpu() -> bool:
    """Tell whether TensorFlow sees a GPU."""
    return bool(tf.config.list_physical_devices("GPU"))


def xla() -> str | bool:
    """Return Keras's `jit_compile`: on a CPU, XLA makes a step of MobileNetV2 eight times slower."""
    return "auto" if has_gpu() else False


@contextlib.contextmanager
def mixed_precision(model: keras.Model) -> Iterator[None]:
    """Let a model that is compiled in here compute in half precision, if there is a GPU.

    Its weights stay float32, and so do the probabilities, whose sum would not be 1.
    """
    if not has_gpu():
        yield
        return
    with _policy(model, MIXED):
        yield


@contextlib.contextmanager
def full_precision(model: keras.Model) -> Iterator[None]:
    """Let a model be saved in here as one that computes in float32, which every machine and TFLite can."""
    with _policy(model, FULL):
        yield


@contextlib.contextmanager
def _policy(model: keras.Model, name: str) -> Iterator[None]:
    layers = [layer for layer in model._flatten_layers() if layer.name != "probabilities"]
    changed = [(layer, layer.dtype_policy) for layer in layers if layer.dtype_policy.name != name]
    for layer, _ in changed:
        layer.dtype_policy = name
    try:
        yield
    finally:
        for layer, policy in changed:
            layer.dtype_policy = policy
