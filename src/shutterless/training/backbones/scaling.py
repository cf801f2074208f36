"""Scale pixels as a backbone was trained: the modes of Keras's `preprocess_input` and others, as layers."""

from typing import Literal

import keras

# `tf`, `torch` and `caffe` are modes of keras.applications.imagenet_utils.preprocess_input. `none` is for
# backbones that scale in their own layers. `unit` is 0 … 1, as in the tutorial; no published weights need it.
# `lite` is EfficientNet-Lite's.
Scaling = Literal["none", "unit", "tf", "torch", "caffe", "lite"]

# Mean and standard deviation of ImageNet's pixels from Keras: of 0 … 1 in RGB, of 0 … 255 in BGR.
RGB_MEAN, RGB_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
BGR_MEAN = (103.939, 116.779, 123.68)


def scale(pixels: keras.KerasTensor, scaling: Scaling) -> keras.KerasTensor:
    """Scale pixels by layers and operations of Keras only, so that a saved model loads without our code.

    Args:
        pixels: uint8[n, height, width, 3], RGB.
        scaling: The mode.

    Returns:
        float32[n, height, width, 3]; BGR with `caffe`.
    """
    if scaling == "caffe":
        pixels = keras.ops.flip(pixels, axis=-1)
    return _rescaling(scaling)(pixels)


def _rescaling(scaling: Scaling) -> keras.layers.Rescaling:
    scales: dict[Scaling, tuple[float | list[float], float | list[float]]] = {
        "none": (1.0, 0.0),
        "unit": (1 / 255, 0.0),
        "tf": (1 / 127.5, -1.0),
        "lite": (1 / 128, -127 / 128),
        "torch": (
            [1 / (255 * deviation) for deviation in RGB_DEVIATION],
            [-mean / deviation for mean, deviation in zip(RGB_MEAN, RGB_DEVIATION, strict=True)],
        ),
        "caffe": (1.0, [-mean for mean in BGR_MEAN]),
    }
    scale, offset = scales[scaling]
    return keras.layers.Rescaling(scale, offset, name="scaling")
