"""The network: uint8 pixels → scaling → backbone → pooling → head → softmax."""

from dataclasses import dataclass

import keras

from shutterless.training.backbones.builder import Backbone, build_backbone
from shutterless.training.backbones.scaling import Scaling, scale
from shutterless.training.recipe import Head

_POOLING = {"average": keras.layers.GlobalAveragePooling2D, "flatten": keras.layers.Flatten}


@dataclass(frozen=True)
class Network:
    """One network, seen whole and in its two halves, which share their weights.

    whole: uint8[n, size, size, 3] → probabilities float32[n, labels]. This is what is saved and served.
    features: uint8[n, size, size, 3] → pooled features float32[n, channels].
    head: pooled features → probabilities.
    """

    whole: keras.Model
    features: keras.Model
    head: keras.Model


def build_network(
    backbone: Backbone,
    head: Head,
    *,
    labels: int,
    image_size: int,
    weights: str,
    cut: str | None,
    scaling: Scaling | None = None,
) -> Network:
    """Put a new head for `labels` labels on `backbone`; scaling is inside the graph.

    scaling: what the backbone was trained on if it is not given.
    Raises what `build_backbone` raises.
    """
    trunk = build_backbone(backbone, image_size=image_size, weights=weights, cut=cut)
    pixels = keras.Input((image_size, image_size, 3), dtype="uint8", name="pixels")
    scaled = scale(pixels, scaling or backbone.scaling)
    pooling = _POOLING[head.pooling or backbone.pooling]
    pooled = pooling(name="pooling")(trunk(scaled))
    features = keras.Model(pixels, pooled, name="features")

    top = keras.Sequential([keras.Input(pooled.shape[1:]), *_head_layers(head, labels)], name="head")
    return Network(keras.Model(pixels, top(features.output), name="classifier"), features, top)


def _head_layers(head: Head, labels: int) -> list[keras.layers.Layer]:
    layers: list[keras.layers.Layer] = []
    if head.hidden:
        before = head.dropout if head.dropout_before_hidden is None else head.dropout_before_hidden
        layers += [*_dropout(before), keras.layers.Dense(head.hidden, activation="relu")]
    layers += _dropout(head.dropout)
    return [*layers, keras.layers.Dense(labels, activation="softmax", name="probabilities")]


def _dropout(rate: float) -> list[keras.layers.Layer]:
    return [keras.layers.Dropout(rate)] if rate else []


def freeze_first(features: keras.Model, share: float) -> None:
    """Keep the weights of the first `share` of the backbone's layers; the others are trained.

    What a network sees first (edges, colours, textures) serves any photo, and it is where most of the
    pixels are: a step without those gradients takes a fraction of the time. Frozen batch norm stays as
    it was pretrained.
    """
    trunk = next(layer for layer in features.layers if isinstance(layer, keras.Model))
    for layer in trunk.layers[: round(share * len(trunk.layers))]:
        layer.trainable = False


def set_batch_norm_momentum(model: keras.Model, momentum: float) -> None:
    """Set the momentum of every moving average in `model`, nested models included."""
    for layer in model._flatten_layers(include_self=False):
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = momentum
