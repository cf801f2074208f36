"""EfficientNet-Lite 0 to 4: EfficientNet for phones, without squeeze-and-excitation and with ReLU6.

The architecture is that of TensorFlow's `efficientnet_lite_builder.py` (tensorflow/tpu, 2020), the names of
the layers are those of EfficientNet in keras.applications.
"""

from dataclasses import dataclass
from math import ceil

import keras
from keras import layers

STEM_FILTERS, TOP_FILTERS = 32, 1280  # the same in all five networks
EPSILON, MOMENTUM = 1e-3, 0.99  # of batch normalization, as in TensorFlow's


@dataclass(frozen=True)
class _Stage:
    """Blocks of one resolution, as in EfficientNet-B0."""

    blocks: int
    kernel: int
    stride: int
    expansion: int
    filters: int


_STAGES = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)
# How much wider and deeper than EfficientNet-B0 each network is.
_WIDTHS, _DEPTHS = (1.0, 1.0, 1.1, 1.2, 1.4), (1.0, 1.1, 1.2, 1.4, 1.8)


def build_efficientnet_lite(variant: int, shape: tuple[int, int, int]) -> keras.Model:
    """Build an EfficientNet-Lite without its top, with random weights.

    Args:
        variant: From 0 to 4.
        shape: Height, width and channels of the input.

    Returns:
        A model that maps scaled pixels float32[n, height, width, 3] to features float32[n, h, w, 1280].
    """
    pixels = keras.Input(shape)
    x = _convolve(pixels, STEM_FILTERS, 3, 2, "stem")
    for number, stage in enumerate(_STAGES, start=1):
        is_outer = number in (1, len(_STAGES))  # the first and the last stage are never deepened
        blocks = stage.blocks if is_outer else ceil(stage.blocks * _DEPTHS[variant])
        filters = _round_filters(stage.filters * _WIDTHS[variant])
        for block in range(blocks):
            stride = stage.stride if block == 0 else 1
            x = _inverted_residual(x, stage, filters, stride, f"block{number}{chr(ord('a') + block)}_")
    x = _convolve(x, TOP_FILTERS, 1, 1, "top")
    return keras.Model(pixels, x, name=f"efficientnetlite{variant}")


def _round_filters(filters: float) -> int:
    """Round to the nearest multiple of 8 that is not more than 10 % less."""
    rounded = max(8, int(filters + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * filters else rounded + 8


def _inverted_residual(
    inputs: keras.KerasTensor, stage: _Stage, filters: int, stride: int, name: str
) -> keras.KerasTensor:
    """Expand, filter by depth and project; add the input where it has the same shape."""
    x, channels = inputs, inputs.shape[-1]
    if stage.expansion > 1:
        x = _convolve(x, channels * stage.expansion, 1, 1, f"{name}expand")
    x = layers.DepthwiseConv2D(stage.kernel, stride, padding="same", use_bias=False, name=f"{name}dwconv")(x)
    x = _normalize(x, f"{name}bn")
    x = layers.ReLU(6.0, name=f"{name}activation")(x)
    x = layers.Conv2D(filters, 1, padding="same", use_bias=False, name=f"{name}project_conv")(x)
    x = _normalize(x, f"{name}project_bn")
    if stride == 1 and channels == filters:
        return layers.Add(name=f"{name}add")([x, inputs])
    return x


def _convolve(x: keras.KerasTensor, filters: int, kernel: int, stride: int, name: str) -> keras.KerasTensor:
    x = layers.Conv2D(filters, kernel, stride, padding="same", use_bias=False, name=f"{name}_conv")(x)
    return layers.ReLU(6.0, name=f"{name}_activation")(_normalize(x, f"{name}_bn"))


def _normalize(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return layers.BatchNormalization(momentum=MOMENTUM, epsilon=EPSILON, name=name)(x)
