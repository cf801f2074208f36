"""Half precision and XLA on a GPU; a CPU is slower with either."""

import contextlib
from collections.abc import Iterator

import keras
import tensorflow as tf

from shutterless.training.distillation.loss import OUTPUTS, PROJECTION
from shutterless.training.model import PROBABILITIES

FULL, MIXED = "float32", "mixed_float16"
# Layers that always compute in float32: in half precision, the sum of the probabilities would not be 1.
FULL_LAYERS = {PROBABILITIES, PROJECTION, OUTPUTS}


def has_gpu() -> bool:
    """Tell whether TensorFlow sees a GPU."""
    return bool(tf.config.list_physical_devices("GPU"))


def xla() -> str | bool:
    """Return the value of Keras's `jit_compile`: on a CPU, XLA makes a step of MobileNetV2 8 times slower."""
    return "auto" if has_gpu() else False


@contextlib.contextmanager
def mixed_precision(model: keras.Model) -> Iterator[None]:
    """Let a model that is compiled inside the block compute in half precision, if there is a GPU.

    Its weights stay float32, and so does what `FULL_LAYERS` compute.
    """
    if not has_gpu():
        yield
        return
    with _policy(model, MIXED):
        yield


@contextlib.contextmanager
def full_precision(model: keras.Model) -> Iterator[None]:
    """Let a model be saved inside the block as one that computes in float32, as TFLite and CPUs need."""
    with _policy(model, FULL):
        yield


@contextlib.contextmanager
def _policy(model: keras.Model, name: str) -> Iterator[None]:
    layers = [layer for layer in model._flatten_layers() if layer.name not in FULL_LAYERS]
    previous = [(layer, layer.dtype_policy) for layer in layers if layer.dtype_policy.name != name]
    for layer, _ in previous:
        layer.dtype_policy = name
    try:
        yield
    finally:
        for layer, policy in previous:
            layer.dtype_policy = policy
