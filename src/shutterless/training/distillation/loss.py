"""The loss of a model that learns from labels and from a teacher's scores and features."""

import keras
import tensorflow as tf
from keras import ops

from shutterless.training.recipe import TeacherConfig

PROJECTION, OUTPUTS = "teacher_projection", "teacher_outputs"
SEED = 0  # of the projection's first weights, which don't depend on whether the training was resumed


class DistillationLoss(keras.losses.Loss):
    """Cross-entropy with the labels, divergence from the teacher's scores, and distance from its features.

    The loss of a photo is (1 - a) H(label, p) + a T² KL(q_T || p_T) + w (1 - cos(f, g)). p are the model's
    probabilities and q the teacher's scores; p_T and q_T are both at temperature T, that is proportional to
    p^(1/T) and q^(1/T). T² keeps the size of the gradients (Hinton et al., "Distilling the Knowledge in a
    Neural Network", 2015). f are the model's features, projected linearly, and g the teacher's.

    Targets are float32[n, labels + labels + components]: one-hot label, teacher's scores, teacher's
    features. Targets with the label alone, as for validation, get the cross-entropy alone. Outputs are
    float32[n, labels + components], or float32[n, labels] without a projection.

    Args:
        labels: Number of labels.
        teacher: The weights and the temperature.
        label_smoothing: Share of the label that is spread over all of them.
    """

    def __init__(self, labels: int, teacher: TeacherConfig, label_smoothing: float) -> None:
        super().__init__(name="distillation")
        self._labels, self._teacher, self._label_smoothing = labels, teacher, label_smoothing

    def call(self, targets: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """Return the loss of each photo, float32[n]."""
        labels, teacher = self._labels, self._teacher
        probabilities, features = outputs[:, :labels], outputs[:, labels:]
        loss = keras.losses.categorical_crossentropy(
            targets[:, :labels], probabilities, label_smoothing=self._label_smoothing
        )
        if targets.shape[-1] == labels:
            return loss
        scores, teacher_features = targets[:, labels : 2 * labels], targets[:, 2 * labels :]
        divergence = soft_divergence(scores, probabilities, teacher.temperature)
        loss = (1 - teacher.scores_weight) * loss + teacher.scores_weight * divergence
        if features.shape[-1]:
            distance = 1 + keras.losses.cosine_similarity(teacher_features, features)  # Keras's is negative
            loss += teacher.features_weight * distance
        return loss


def soft_divergence(scores: tf.Tensor, probabilities: tf.Tensor, temperature: float) -> tf.Tensor:
    """Return T² KL(scores_T || probabilities_T) of each row, float32[n].

    Args:
        scores: The teacher's probabilities, float32[n, labels].
        probabilities: The model's, likewise.
        temperature: T.
    """
    epsilon = keras.backend.epsilon()
    teacher, model = (
        ops.log_softmax(ops.log(ops.clip(values, epsilon, 1.0)) / temperature)
        for values in (scores, probabilities)
    )
    return temperature**2 * ops.sum(ops.exp(teacher) * (teacher - model), axis=-1)


def label_metrics(labels: int) -> list[keras.metrics.Metric]:
    """Return accuracy and log loss by the labels alone, for the targets and outputs of `DistillationLoss`."""
    functions = {
        "accuracy": keras.metrics.categorical_accuracy,
        "log_loss": keras.losses.categorical_crossentropy,
    }
    return [
        keras.metrics.MeanMetricWrapper(
            lambda targets, outputs, measure=measure: measure(targets[:, :labels], outputs[:, :labels]),
            name=name,
        )
        for name, measure in functions.items()
    ]


def with_projection(model: keras.Model, components: int) -> keras.Model:
    """Return a model for training whose outputs also have a linear projection of its pooled features.

    Args:
        model: A functional model whose last layer is the head. Its layers are shared.
        components: Width of the projection, which is that of the teacher's features.

    Returns:
        A model with outputs float32[n, labels + components].
    """
    initializer = keras.initializers.GlorotUniform(SEED)
    layer = keras.layers.Dense(components, kernel_initializer=initializer, name=PROJECTION)
    projection = layer(pooled_features(model))
    outputs = keras.layers.Concatenate(name=OUTPUTS)([model.outputs[0], projection])
    return keras.Model(model.inputs, outputs)


def pooled_features(model: keras.Model) -> keras.KerasTensor:
    """Return the input of the head, which is the last layer of a model, in the graph of the model's input."""
    head, node, _ = model.outputs[0]._keras_history
    (features,) = head._inbound_nodes[node].input_tensors
    return features
