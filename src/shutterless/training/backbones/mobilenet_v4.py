"""MobileNetV4-Conv, small and medium: universal inverted bottlenecks for phones.

The architecture is that of Qin et al., "MobileNetV4: Universal Models for the Mobile Ecosystem"
(https://arxiv.org/abs/2404.10518). Layers have the names of timm's `mobilenetv4_conv_small` and
`mobilenetv4_conv_medium`, whose weights fit. As in keras.applications' MobileNetV3, the convolution after the
pooling belongs to the top.
"""

from dataclasses import dataclass
from typing import Literal

import keras
from keras import layers

STEM_FILTERS = 32
EPSILON, MOMENTUM = 1e-5, 0.9  # of batch normalization, as in PyTorch


@dataclass(frozen=True)
class _Convolution:
    """Convolution, batch normalization and ReLU."""

    kernel: int
    stride: int
    filters: int


@dataclass(frozen=True)
class _Fused:
    """A fused inverted bottleneck: one convolution expands and filters, another one projects."""

    kernel: int
    stride: int
    expansion: int
    filters: int


@dataclass(frozen=True)
class _Universal:
    """A universal inverted bottleneck: depthwise convolutions before and after the expansion, 0 for none."""

    start: int
    middle: int
    stride: int
    expansion: int
    filters: int


_Block = _Convolution | _Fused | _Universal
_SMALL: tuple[tuple[_Block, ...], ...] = (
    (_Convolution(3, 2, 32), _Convolution(1, 1, 32)),
    (_Convolution(3, 2, 96), _Convolution(1, 1, 64)),
    (
        _Universal(5, 5, 2, 3, 96),
        *[_Universal(0, 3, 1, 2, 96)] * 4,
        _Universal(3, 0, 1, 4, 96),
    ),
    (
        _Universal(3, 3, 2, 6, 128),
        _Universal(5, 5, 1, 4, 128),
        _Universal(0, 5, 1, 4, 128),
        _Universal(0, 5, 1, 3, 128),
        *[_Universal(0, 3, 1, 4, 128)] * 2,
    ),
    (_Convolution(1, 1, 960),),
)
_MEDIUM: tuple[tuple[_Block, ...], ...] = (
    (_Fused(3, 2, 4, 48),),
    (_Universal(3, 5, 2, 4, 80), _Universal(3, 3, 1, 2, 80)),
    (
        _Universal(3, 5, 2, 6, 160),
        *[_Universal(3, 3, 1, 4, 160)] * 2,
        _Universal(3, 5, 1, 4, 160),
        _Universal(3, 3, 1, 4, 160),
        _Universal(3, 0, 1, 4, 160),
        _Universal(0, 0, 1, 2, 160),
        _Universal(3, 0, 1, 4, 160),
    ),
    (
        _Universal(5, 5, 2, 6, 256),
        _Universal(5, 5, 1, 4, 256),
        *[_Universal(3, 5, 1, 4, 256)] * 2,
        _Universal(0, 0, 1, 4, 256),
        _Universal(3, 0, 1, 4, 256),
        _Universal(3, 5, 1, 2, 256),
        _Universal(5, 5, 1, 4, 256),
        *[_Universal(0, 0, 1, 4, 256)] * 2,
        _Universal(5, 0, 1, 2, 256),
    ),
    (_Convolution(1, 1, 960),),
)
STAGES = {"small": _SMALL, "medium": _MEDIUM}


def build_mobilenet_v4(variant: str, shape: tuple[int, int, int]) -> keras.Model:
    """Build a MobileNetV4-Conv without its top, with random weights.

    Args:
        variant: `small` or `medium`.
        shape: Height, width and channels of the input.

    Returns:
        A model that maps scaled pixels float32[n, height, width, 3] to features float32[n, h, w, 960].
    """
    pixels = keras.Input(shape)
    x = _convolve(pixels, STEM_FILTERS, 3, 2, "conv_stem")
    x = layers.ReLU(name="bn1.act")(_normalize(x, "bn1"))
    for stage, blocks in enumerate(STAGES[variant]):
        for number, block in enumerate(blocks):
            x = _add_block(x, block, f"blocks.{stage}.{number}")
    return keras.Model(pixels, x, name=f"mobilenetv4conv{variant}")


def _add_block(x: keras.KerasTensor, block: _Block, name: str) -> keras.KerasTensor:
    match block:
        case _Convolution(kernel, stride, filters):
            x = _normalize(_convolve(x, filters, kernel, stride, f"{name}.conv"), f"{name}.bn1")
            return layers.ReLU(name=f"{name}.act")(x)
        case _Fused():
            return _fused(x, block, name)
        case _Universal():
            return _universal(x, block, name)


def _fused(inputs: keras.KerasTensor, block: _Fused, name: str) -> keras.KerasTensor:
    filters = inputs.shape[-1] * block.expansion
    x = _convolve(inputs, filters, block.kernel, block.stride, f"{name}.conv_exp")
    x = layers.ReLU(name=f"{name}.act")(_normalize(x, f"{name}.bn1"))
    return _normalize(_convolve(x, block.filters, 1, 1, f"{name}.conv_pwl"), f"{name}.bn2")


def _universal(inputs: keras.KerasTensor, block: _Universal, name: str) -> keras.KerasTensor:
    """Filter by depth, expand, filter by depth, project; add the input where it has the same shape."""
    x, channels = inputs, inputs.shape[-1]
    if block.start:
        stride = 1 if block.middle else block.stride
        x = _normalize(_filter(x, block.start, stride, f"{name}.dw_start.conv"), f"{name}.dw_start.bn")
    x = _normalize(_convolve(x, channels * block.expansion, 1, 1, f"{name}.pw_exp.conv"), f"{name}.pw_exp.bn")
    x = layers.ReLU(name=f"{name}.pw_exp.act")(x)
    if block.middle:
        x = _normalize(_filter(x, block.middle, block.stride, f"{name}.dw_mid.conv"), f"{name}.dw_mid.bn")
        x = layers.ReLU(name=f"{name}.dw_mid.act")(x)
    x = _normalize(_convolve(x, block.filters, 1, 1, f"{name}.pw_proj.conv"), f"{name}.pw_proj.bn")
    return layers.Add(name=f"{name}.add")([x, inputs]) if inputs.shape == x.shape else x


def _convolve(x: keras.KerasTensor, filters: int, kernel: int, stride: int, name: str) -> keras.KerasTensor:
    x, padding = _pad(x, kernel, stride, name)
    return layers.Conv2D(filters, kernel, stride, padding, use_bias=False, name=name)(x)


def _filter(x: keras.KerasTensor, kernel: int, stride: int, name: str) -> keras.KerasTensor:
    x, padding = _pad(x, kernel, stride, name)
    return layers.DepthwiseConv2D(kernel, stride, padding, use_bias=False, name=name)(x)


def _pad(
    x: keras.KerasTensor, kernel: int, stride: int, name: str
) -> tuple[keras.KerasTensor, Literal["same", "valid"]]:
    """Pad as PyTorch does: the same on all sides, where Keras would pad less at the top and on the left."""
    if stride == 1:
        return x, "same"
    return layers.ZeroPadding2D(kernel // 2, name=f"{name}.pad")(x), "valid"


def _normalize(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return layers.BatchNormalization(momentum=MOMENTUM, epsilon=EPSILON, name=name)(x)
