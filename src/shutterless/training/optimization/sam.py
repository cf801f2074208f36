"""Sharpness-aware minimization: learn weights whose whole neighbourhood has a low loss."""

from typing import Any

import keras
import tensorflow as tf


class SharpnessAware(keras.Model):
    """A model, to be trained so that its loss stays low when its weights are moved a little uphill.

    Each step takes its gradient where the loss is highest within `radius` of the weights, to first order,
    and so takes two passes. A network that has learned its photos by heart sits in a narrow valley, this
    one in a wide one, which helps most where labels are doubtful (Foret and others, "Sharpness-Aware
    Minimization for Efficiently Improving Generalization", 2021).

    model: a functional model, whose layers and weights are shared. This one is for training alone and is
    not saved.
    """

    def __init__(self, model: keras.Model, radius: float) -> None:
        super().__init__(inputs=model.inputs, outputs=model.outputs)
        self._radius = radius

    def train_step(self, data: Any) -> dict[str, Any]:
        """Change the weights once, and return the loss and the metrics of the batch."""
        batch = keras.utils.unpack_x_y_sample_weight(data)
        gradients, loss, probabilities = self._gradients(*batch)
        # Batch norm and dropout count a batch once, and a step that overflows in half precision is skipped.
        variables = [*self.trainable_variables, *self.non_trainable_variables]
        values = [tf.identity(variable.value) for variable in variables]
        length = self._radius / (tf.linalg.global_norm(gradients) + 1e-12)
        for variable, gradient in zip(self.trainable_variables, gradients, strict=True):
            variable.assign_add(gradient * length)
        gradients, _, _ = self._gradients(*batch)
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return self._measure(batch, loss, probabilities)

    def _gradients(
        self, pixels: tf.Tensor, targets: tf.Tensor, weights: tf.Tensor | None
    ) -> tuple[list[tf.Tensor], tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            probabilities = self(pixels, training=True)
            loss = self.compute_loss(pixels, targets, probabilities, weights, training=True)
            scaled = self.optimizer.scale_loss(loss)
        return tape.gradient(scaled, self.trainable_variables), loss, probabilities

    def _measure(self, batch: tuple[Any, ...], loss: tf.Tensor, probabilities: tf.Tensor) -> dict[str, Any]:
        pixels, targets, weights = batch
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss, sample_weight=tf.shape(pixels)[0])
        return self.compute_metrics(pixels, targets, probabilities, weights)
