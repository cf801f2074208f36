"""Find the layers within a backbone whose features help the head beside those of the last layer."""

from collections.abc import Sequence

import keras

# Layers in front of it detect edges and colours, which tell little about labels.
FIRST_PLACE = 1 / 4
# Beyond it the deepest are taken, so that the head of a deep network stays small: the features of 10,000
# photos then take 0.7 GB.
MAX_FEATURES = 16_384
_ELEMENTWISE = (keras.layers.BatchNormalization, keras.layers.Activation, keras.layers.ReLU)


def find_expansions(backbone: keras.Model) -> list[keras.KerasTensor]:
    """Return the feature maps in the middle of a backbone that have the most channels.

    A residual block widens its tensor by a 1 × 1 convolution. Averaged over all places, these wide tensors
    tell a linear head more than the last layer alone (Evci et al., "Head2Toe: Utilizing Intermediate
    Representations for Better Transfer Learning", 2022).

    Args:
        backbone: A functional model.

    Returns:
        The outputs of such convolutions behind the first quarter of the layers, after their normalization and
        activation, from the first to the last; float32[n, h, w, c] each. Without those of which there are
        more than `MAX_FEATURES` channels together, and without the output of the backbone itself. A
        network without such layers, such as VGG, has none.
    """
    layers = backbone.layers[round(FIRST_PLACE * len(backbone.layers)) :]
    tensors = [_activated(layer) for layer in layers if _widens(layer)]
    return _deepest([tensor for tensor in tensors if tensor is not backbone.output])


def _widens(layer: keras.layers.Layer) -> bool:
    """Tell whether a layer is a 1 × 1 convolution of a feature map, to more channels."""
    if not isinstance(layer, keras.layers.Conv2D) or len(layer._inbound_nodes) != 1:
        return False
    places = layer.output.shape[1:3]
    return layer.kernel_size == (1, 1) and places != (1, 1) and layer.filters > layer.input.shape[-1]


def _activated(layer: keras.layers.Layer) -> keras.KerasTensor:
    """Return the output of a layer after the normalization and the activation that follow it."""
    consumers = [node.operation for node in layer._outbound_nodes]
    if len(consumers) == 1 and isinstance(consumers[0], _ELEMENTWISE):
        return _activated(consumers[0])
    return layer.output


def _deepest(tensors: Sequence[keras.KerasTensor]) -> list[keras.KerasTensor]:
    """Return the last tensors that have at most `MAX_FEATURES` channels together."""
    channels, deepest = 0, []
    for tensor in reversed(tensors):
        channels += tensor.shape[-1]
        if channels > MAX_FEATURES:
            break
        deepest.append(tensor)
    return deepest[::-1]
