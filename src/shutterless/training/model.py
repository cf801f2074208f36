"""Build the model: uint8 pixels → scaling → backbone → pooling → head → softmax."""

from dataclasses import dataclass

import keras

from shutterless.training.backbones.builder import build_backbone
from shutterless.training.backbones.catalogue import Backbone
from shutterless.training.backbones.scaling import Scaling, scale
from shutterless.training.recipe import HeadConfig

# Names of layers that are looked for in a saved model.
POOLING, HEAD, PROBABILITIES = "pooling", "head", "probabilities"
_POOLING = {"average": keras.layers.GlobalAveragePooling2D, "flatten": keras.layers.Flatten}


@dataclass(frozen=True)
class TransferModel:
    """A classifier on a backbone, as a whole and as its two halves, which share its weights.

    Attributes:
        full: uint8[n, size, size, 3] → probabilities float32[n, labels]. This one is saved and served.
        features: uint8[n, size, size, 3] → pooled features float32[n, channels].
        head: Pooled features → probabilities.
    """

    full: keras.Model
    features: keras.Model
    head: keras.Model


def build_model(
    backbone: Backbone,
    head: HeadConfig,
    *,
    labels: int,
    image_size: int,
    weights: str,
    cut: str | None,
    scaling: Scaling | None = None,
) -> TransferModel:
    """Put a new head on a backbone.

    Args:
        backbone: Entry of the catalogue.
        head: Pooling, hidden layer and dropout of the head.
        labels: Number of labels.
        image_size: Side of the square input, in pixels.
        weights: `imagenet`, `none`, or a file of Keras weights.
        cut: Name of the layer that the backbone ends at; None for all of it.
        scaling: How pixels are scaled, inside the model; as the backbone was trained by default.

    Returns:
        The model, not compiled. Random weights follow from Python's `random` generator.

    Raises:
        RecipeError: The backbone cannot be built, see `build_backbone`.
    """
    base_model = build_backbone(backbone, image_size=image_size, weights=weights, cut=cut)
    pixels = keras.Input((image_size, image_size, 3), dtype="uint8", name="pixels")
    pooling = _POOLING[head.pooling or backbone.pooling](name=POOLING)
    features = pooling(base_model(scale(pixels, scaling or backbone.scaling)))
    return add_head(keras.Model(pixels, features, name="features"), head, labels)


def add_head(features: keras.Model, head: HeadConfig, labels: int) -> TransferModel:
    """Put a new head on a model that ends with pooled features.

    Args:
        features: uint8[n, size, size, 3] → pooled features float32[n, channels].
        head: Hidden layer and dropout of the head.
        labels: Number of labels.
    """
    layers = [keras.Input(features.output.shape[1:]), *_head_layers(head, labels)]
    top = keras.Sequential(layers, name=HEAD)
    full = keras.Model(features.inputs[0], top(features.output), name="classifier")
    return TransferModel(full, features, top)


def _head_layers(head: HeadConfig, labels: int) -> list[keras.layers.Layer]:
    layers: list[keras.layers.Layer] = []
    if head.hidden:
        before = head.dropout if head.dropout_before_hidden is None else head.dropout_before_hidden
        layers += [*_dropout(before), keras.layers.Dense(head.hidden, activation="relu")]
    layers += _dropout(head.dropout)
    return [*layers, keras.layers.Dense(labels, activation="softmax", name=PROBABILITIES)]


def _dropout(rate: float) -> list[keras.layers.Layer]:
    return [keras.layers.Dropout(rate)] if rate else []


def freeze_first(features: keras.Model, share: float) -> None:
    """Freeze the first layers of the backbone in a model's `features` half.

    The first layers detect edges, colours and textures, which any photo has, and they work on most of the
    pixels: without their gradients a training step takes a fraction of the time. Batch normalization in
    frozen layers keeps its pretrained statistics.

    Args:
        features: The half of the model that holds the backbone.
        share: Share of the backbone's layers to freeze, from 0 to 1.
    """
    backbone = find_backbone_layer(features)
    for layer in backbone.layers[: round(share * len(backbone.layers))]:
        layer.trainable = False


def find_backbone_layer(model: keras.Model) -> keras.Model:
    """Return the backbone in a model that `build_model` built: its first layer that is a model itself."""
    return next(layer for layer in model.layers if isinstance(layer, keras.Model))


def set_batch_norm_momentum(model: keras.Model, momentum: float) -> None:
    """Set the momentum of the moving averages of every batch normalization, also in nested models."""
    for layer in model._flatten_layers(include_self=False):
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = momentum
