"""Sharpness-aware minimization (SAM): train weights whose whole neighbourhood has a low loss."""

from typing import TypeAlias

import keras
import tensorflow as tf

Batch: TypeAlias = tuple[tf.Tensor, tf.Tensor, tf.Tensor | None]


class SharpnessAware(keras.Model):
    """A model that is trained by sharpness-aware minimization.

    Each step computes the gradient at the point within `radius` of the weights where the loss is highest,
    to first order, so it takes two passes. The minimum that is found is flat, which generalizes better,
    most of all with doubtful labels (Foret et al., "Sharpness-Aware Minimization for Efficiently Improving
    Generalization", 2021).

    Args:
        model: A functional model, whose layers and weights are shared. This one is only for training, and
            is not saved.
        radius: Distance from the weights, as the Euclidean norm over all of them.
        share: Share of each batch that the first pass computes, from 0 to 1. Where the loss rises can be
            estimated on fewer photos than how to lower it.
    """

    def __init__(self, model: keras.Model, radius: float, share: float = 1.0) -> None:
        super().__init__(inputs=model.inputs, outputs=model.outputs)
        self._radius, self._share = radius, share

    def train_step(self, data: tuple[tf.Tensor, ...]) -> dict[str, tf.Tensor]:
        """Update the weights once.

        Args:
            data: Pixels, targets and, optionally, sample weights of one batch.

        Returns:
            The loss and the metrics of the photos in the first pass.
        """
        batch = keras.utils.unpack_x_y_sample_weight(data)
        first = self._first_photos(batch)
        gradients, loss, probabilities = self._compute_gradients(*first)
        # All variables are restored after the second pass: batch normalization and dropout must count the
        # batch once, and Keras skips a step that overflows in half precision.
        variables = [*self.trainable_variables, *self.non_trainable_variables]
        values = [tf.identity(variable.value) for variable in variables]
        length = self._radius / (tf.linalg.global_norm(gradients) + 1e-12)
        for variable, gradient in zip(self.trainable_variables, gradients, strict=True):
            variable.assign_add(gradient * length)
        gradients, _, _ = self._compute_gradients(*batch)
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return self._measure(first, loss, probabilities)

    def _first_photos(self, batch: Batch) -> Batch:
        photos = tf.shape(batch[0])[0]
        count = tf.cast(tf.math.ceil(self._share * tf.cast(photos, tf.float32)), tf.int32)
        pixels, targets, weights = (None if part is None else part[:count] for part in batch)
        return pixels, targets, weights

    def _compute_gradients(
        self, pixels: tf.Tensor, targets: tf.Tensor, weights: tf.Tensor | None
    ) -> tuple[list[tf.Tensor], tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            probabilities = self(pixels, training=True)
            loss = self.compute_loss(pixels, targets, probabilities, weights, training=True)
            scaled_loss = self.optimizer.scale_loss(loss)
        return tape.gradient(scaled_loss, self.trainable_variables), loss, probabilities

    def _measure(self, batch: Batch, loss: tf.Tensor, probabilities: tf.Tensor) -> dict[str, tf.Tensor]:
        pixels, targets, weights = batch
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss, sample_weight=tf.shape(pixels)[0])
        return dict(self.compute_metrics(pixels, targets, probabilities, weights))
