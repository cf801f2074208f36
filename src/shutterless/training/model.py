"""Build the model: uint8 pixels → scaling → backbone → pooling → head → softmax."""

from dataclasses import dataclass
from functools import reduce

import keras
import numpy as np

from shutterless.training.backbones.builder import build_backbone
from shutterless.training.backbones.catalogue import Backbone
from shutterless.training.backbones.expansions import find_expansions
from shutterless.training.backbones.scaling import Scaling, scale
from shutterless.training.recipe import HeadConfig

# Names of layers that are looked for in a saved model.
POOLING, HEAD, STANDARDIZATION, PROBABILITIES = "pooling", "head", "standardization", "probabilities"
# Added to the variance of each feature, so that one that hardly varies is not magnified.
EPSILON = 1e-4
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
    pooling: keras.layers.Layer = _POOLING[head.pooling or backbone.pooling](name=POOLING)
    expansions = find_expansions(base_model) if head.features == "multi-level" else []
    if expansions:
        base_model = keras.Model(base_model.input, [base_model.output, *expansions], name=base_model.name)
        pooling = _pool_all(pooling, base_model.outputs)
    features = pooling(base_model(scale(pixels, scaling or backbone.scaling)))
    return add_head(keras.Model(pixels, features, name="features"), head, labels)


def _pool_all(pooling: keras.layers.Layer, maps: list[keras.KerasTensor]) -> keras.Model:
    """Return a layer that pools the first feature map by `pooling`, and averages the others."""
    inputs = [keras.Input(each.shape[1:]) for each in maps]
    averages = [keras.layers.GlobalAveragePooling2D()(each) for each in inputs[1:]]
    features = keras.layers.Concatenate()([pooling(inputs[0]), *averages])
    return keras.Model(inputs, features, name=POOLING)


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
    if head.features == "multi-level":
        # Subtracts a mean and divides by a deviation, which are saved but not trained.
        layers.append(
            keras.layers.BatchNormalization(
                center=False, scale=False, epsilon=EPSILON, trainable=False, name=STANDARDIZATION
            )
        )
    if head.hidden:
        before = head.dropout if head.dropout_before_hidden is None else head.dropout_before_hidden
        layers += [*_dropout(before), keras.layers.Dense(head.hidden, activation="relu")]
    layers += _dropout(head.dropout)
    return [*layers, keras.layers.Dense(labels, activation="softmax", name=PROBABILITIES)]


def _dropout(rate: float) -> list[keras.layers.Layer]:
    return [keras.layers.Dropout(rate)] if rate else []


def standardize(head: keras.Model, features: np.ndarray) -> None:
    """Let a head that standardizes its input do so with the mean and the variance of these features.

    A head that continues an earlier run keeps those of that run, which its weights fit.

    Args:
        head: The head; any other is left as it is.
        features: Pooled features float32[n, channels] of the training photos.
    """
    layer = next((layer for layer in head.layers if layer.name == STANDARDIZATION), None)
    if layer is not None and not np.any(layer.moving_mean):
        layer.set_weights([features.mean(axis=0), features.var(axis=0)])


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


def feature_maps(model: keras.Model) -> list[keras.KerasTensor]:
    """Return the outputs of the backbone in a model that `build_model` built, perhaps saved and loaded since.

    Returns:
        Feature maps float32[n, h, w, c]: the last one, and then those that the head reads besides. They share
        the weights of the model, and belong to the graph of its input.
    """
    maps = find_backbone_layer(model)(scaled_pixels(model))
    return list(keras.tree.flatten(maps))


def scaled_pixels(model: keras.Model) -> keras.KerasTensor:
    """Return the input of the backbone in a model that `build_model` built, in the graph of its input."""
    operations = model.operations
    scaling = operations[1 : operations.index(find_backbone_layer(model))]
    return reduce(lambda tensor, operation: operation(tensor), scaling, model.inputs[0])


def pool(model: keras.Model, maps: list[keras.KerasTensor]) -> keras.KerasTensor:
    """Return the features that a model's head reads, from the outputs of its backbone, see `feature_maps`."""
    return model.get_layer(POOLING)(maps if len(maps) > 1 else maps[0])


def set_batch_norm_momentum(model: keras.Model, momentum: float) -> None:
    """Set the momentum of the moving averages of every batch normalization, also in nested models."""
    for layer in model._flatten_layers(include_self=False):
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = momentum
