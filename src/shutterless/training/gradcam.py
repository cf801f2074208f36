"""Grad-CAM heat maps: which parts of a photo speak for a label."""

import keras
import numpy as np
import tensorflow as tf

from shutterless.training.model import HEAD, POOLING


class GradCam:
    """Computes heat maps of a model that `build_model` built.

    The method is HiResCAM (Draelos and Carin, "Use HiResCAM instead of Grad-CAM for faithful explanations
    of convolutional neural networks", 2020): the backbone's feature map times the gradient of the label's
    score before the softmax, summed over the channels, negative sums set to 0. With average pooling this
    equals Grad-CAM (Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
    Localization", 2017). With a flattened feature map, Grad-CAM averages gradients that cancel each other
    out, and a third of its maps are empty.

    Args:
        model: The full model.
    """

    def __init__(self, model: keras.Model) -> None:
        self._pooling, self._head = model.get_layer(POOLING), model.get_layer(HEAD)
        self._features = keras.Model(model.input, self._pooling.input)

    def __call__(self, pixels: np.ndarray, label_index: int) -> np.ndarray:
        """Compute the heat map of one photo for one label.

        Args:
            pixels: uint8[height, width, 3].
            label_index: Place of the label in the model's output.

        Returns:
            float32[h, w], the size of the feature map, with a maximum of 1; all 0 if nothing in the photo
            speaks for the label.
        """
        feature_map = self._features(pixels[np.newaxis], training=False)
        with tf.GradientTape() as tape:
            tape.watch(feature_map)
            x = self._pooling(feature_map)
            *layers, last = self._head.layers
            for layer in layers:
                x = layer(x, training=False)
            score = keras.ops.matmul(x, last.kernel)[0, label_index] + last.bias[label_index]
        gradient = np.asarray(tape.gradient(score, feature_map), np.float32)
        heat = np.maximum(np.sum(gradient * np.asarray(feature_map, np.float32), axis=-1)[0], 0)
        return heat / heat.max() if heat.max() > 0 else heat
