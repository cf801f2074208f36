"""Where in a photo a network sees the reason for a label."""

import keras
import numpy as np
import tensorflow as tf


class GradCam:
    """Heat maps of a network that `build_network` built: `heat_map(pixels, label_index)`.

    HiResCAM (Draelos and Carin, "Use HiResCAM instead of Grad-CAM for faithful explanations of
    convolutional neural networks", 2020): each value of the backbone's feature map times the gradient
    of the label's score before the softmax there, summed over the channels, positive sums only. Behind
    average pooling that is Grad-CAM (Selvaraju et al., 2017) itself. Behind a flattened feature map
    Grad-CAM averages gradients that cancel out, and a third of its maps are empty.
    """

    def __init__(self, model: keras.Model) -> None:
        self._pooling, self._head = model.get_layer("pooling"), model.get_layer("head")
        self._features = keras.Model(model.input, self._pooling.input)

    def __call__(self, pixels: np.ndarray, label_index: int) -> np.ndarray:
        """Return the heat float32[h, w], 0 to 1, of one photo uint8[height, width, 3] for one label.

        h and w are those of the feature map. All 0 if nothing in the photo speaks for the label.
        """
        maps = self._features(pixels[np.newaxis], training=False)
        with tf.GradientTape() as tape:
            tape.watch(maps)
            score = self._score(maps, label_index)
        gradient = np.asarray(tape.gradient(score, maps), np.float32)
        heat = np.maximum(np.sum(gradient * np.asarray(maps, np.float32), axis=-1)[0], 0)
        return heat / heat.max() if heat.max() > 0 else heat

    def _score(self, maps: tf.Tensor, label_index: int) -> tf.Tensor:
        x = self._pooling(maps)
        *before, last = self._head.layers
        for layer in before:
            x = layer(x, training=False)
        return keras.ops.matmul(x, last.kernel)[0, label_index] + last.bias[label_index]
