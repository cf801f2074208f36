"""Grad-CAM heat maps: which parts of a photo speak for a label."""

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from shutterless.training.model import HEAD, feature_maps, pool


class GradCam:
    """Computes heat maps of a model that `build_model` built.

    The method is HiResCAM (Draelos and Carin, "Use HiResCAM instead of Grad-CAM for faithful explanations
    of convolutional neural networks", 2020): the backbone's feature map times the gradient of the label's
    score before the softmax, summed over the channels, negative sums set to 0. With average pooling this
    equals Grad-CAM (Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
    Localization", 2017). With a flattened feature map, Grad-CAM averages gradients that cancel each other
    out, and a third of its maps are empty. If the head reads several feature maps, their products are added.

    Args:
        model: The full model.
    """

    def __init__(self, model: keras.Model) -> None:
        self._model, self._head = model, model.get_layer(HEAD)
        self._maps = keras.Model(model.input, feature_maps(model))

    def __call__(self, pixels: np.ndarray, label_index: int) -> np.ndarray:
        """Compute the heat map of one photo for one label.

        Args:
            pixels: uint8[height, width, 3].
            label_index: Place of the label in the model's output.

        Returns:
            float32[h, w], the size of the last feature map, with a maximum of 1; all 0 if nothing in the
            photo speaks for the label.
        """
        maps = keras.tree.flatten(self._maps(pixels[np.newaxis], training=False))
        with tf.GradientTape() as tape:
            tape.watch(maps)
            x = pool(self._model, maps)
            *layers, last = self._head.layers
            for layer in layers:
                x = layer(x, training=False)
            score = keras.ops.matmul(x, last.kernel)[0, label_index] + last.bias[label_index]
        products = [a * b for a, b in zip(maps, tape.gradient(score, maps), strict=True)]
        sums = [tf.reduce_sum(tf.cast(each, tf.float32), axis=-1, keepdims=True) for each in products]
        size = sums[0].shape[1:3]
        heat = np.maximum(sum(_add_up(each, size) for each in sums), 0)
        return heat / heat.max() if heat.max() > 0 else heat


def _add_up(places: tf.Tensor, size: tf.TensorShape) -> npt.NDArray[np.float32]:
    """Return values [1, h, w, 1] on a coarser grid, float32[size], with the same sum."""
    average = np.asarray(tf.image.resize(places, size, "area"), np.float32)[0, :, :, 0]
    return average * np.float32(np.prod(places.shape[1:3]) / np.prod(size))
