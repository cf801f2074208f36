"""Cut a model in two behind its frozen layers, so that their output can be computed once and stored."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import keras

from shutterless.training.model import TransferModel, find_backbone_layer

# Within this share of the layers behind the first possible boundary, the smallest one is taken: a block of a
# MobileNet widens its tensor sixfold inside.
SEARCH_SHARE = 0.05
MAX_SHIFT = 0.2  # share of the layers by which the boundary may be further behind than was asked for


@dataclass(frozen=True)
class SplitModel:
    """A model in two parts, which share its layers: `trained(frozen(pixels))` equals `full(pixels)`.

    Attributes:
        frozen: uint8[n, size, size, 3] → the output float32[n, h, w, c] of the last frozen layer.
        trained: That output → probabilities float32[n, labels].
        layer: Name of the last frozen layer.
    """

    frozen: keras.Model
    trained: keras.Model
    layer: str


def split_model(model: TransferModel, share: float) -> SplitModel | None:
    """Cut a model behind the first layers of its backbone.

    Args:
        model: The model.
        share: Share of the backbone's layers that the frozen part has at least; 1 for all of them.

    Returns:
        The two parts, or None if the backbone cannot be cut there, see `find_boundary`.
    """
    backbone, layers = find_backbone_layer(model.features), model.features.layers
    boundary = find_boundary(backbone, share)
    if boundary is None:
        return None
    first = keras.Model(backbone.input, boundary, name="first")
    rest = [] if boundary is backbone.output else [keras.Model(boundary, backbone.output, name="rest")]
    number = layers.index(backbone)
    return SplitModel(
        _chain(keras.Input(layers[0].batch_shape[1:], dtype="uint8"), [*layers[1:number], first], "frozen"),
        _chain(keras.Input(boundary.shape[1:]), [*rest, *layers[number + 1 :], model.head], "trained"),
        boundary._keras_history.operation.name,
    )


def _chain(inputs: keras.KerasTensor, layers: Sequence[keras.layers.Layer], name: str) -> keras.Model:
    x = inputs
    for layer in layers:
        x = layer(x)
    return keras.Model(inputs, x, name=name)


def find_boundary(backbone: keras.Model, share: float) -> keras.KerasTensor | None:
    """Find where a backbone can be cut in two, behind a share of its layers.

    It can be cut where only one tensor crosses. Inside a residual block, two of them do, and behind a layer
    that the head reads besides the last one, there is always another.

    Args:
        backbone: A functional model.
        share: Share of its layers, from 0 to 1.

    Returns:
        The tensor that crosses, or None if there is no such place within `MAX_SHIFT` behind `share`.
    """
    nodes = [node for _, level in sorted(backbone._nodes_by_depth.items(), reverse=True) for node in level]
    uses = Counter(id(tensor) for node in nodes for tensor in node.input_tensors)
    uses.update(map(id, backbone.outputs))
    crossing: dict[int, keras.KerasTensor] = {}
    boundaries: list[tuple[int, keras.KerasTensor]] = []
    for number, node in enumerate(nodes, start=1):
        uses.subtract(map(id, node.input_tensors))
        crossing = {key: tensor for key, tensor in crossing.items() if uses[key]}
        crossing |= {id(tensor): tensor for tensor in node.output_tensors if uses[id(tensor)]}
        if number >= max(1, round(share * len(nodes))) and len(crossing) == 1:
            boundaries.append((number, *crossing.values()))
    if not boundaries or boundaries[0][0] > (share + MAX_SHIFT) * len(nodes):
        return None
    last = boundaries[0][0] + round(SEARCH_SHARE * len(nodes))
    return min(
        (tensor for number, tensor in boundaries if number <= last),
        key=lambda tensor: math.prod(tensor.shape[1:]),
    )
