"""The backbones that a classifier can be built on, as data."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import keras

from shutterless.errors import ShutterlessError


class Scaling(NamedTuple):
    """A uint8 pixel p enters the network as `p * scale + offset`."""

    scale: float
    offset: float


@dataclass(frozen=True)
class Backbone:
    """One convolutional network, without its top, and what it expects of its input.

    build: makes the network from `(input_shape, weights)`; its input is already scaled.
    image_size: the side, in pixels, that its published weights were trained at.
    smallest: the smallest side, in pixels, that its strides allow.
    scaling: what its weights were trained on, see `Scaling`.
    cuts: layers that are good places to cut at, the last one being the whole backbone.
    pooling: how its feature map becomes a vector: `average` over all places, or `flatten`, which keeps
    where in the picture a feature is.
    pretrained: whether Keras publishes ImageNet weights for it.
    """

    name: str
    build: Callable[[tuple[int, int, int], str | None], keras.Model]
    image_size: int
    smallest: int
    scaling: Scaling
    cuts: tuple[str, ...]
    pooling: Literal["average", "flatten"] = "average"
    pretrained: bool = True


def _mobilenet_v2(shape: tuple[int, int, int], weights: str | None) -> keras.Model:
    return keras.applications.MobileNetV2(input_shape=shape, include_top=False, weights=weights)


def _mobilenet(shape: tuple[int, int, int], weights: str | None) -> keras.Model:
    return keras.applications.MobileNet(input_shape=shape, include_top=False, weights=weights)


def _inception_v3(shape: tuple[int, int, int], weights: str | None) -> keras.Model:
    return keras.applications.InceptionV3(input_shape=shape, include_top=False, weights=weights)


def _tiny(shape: tuple[int, int, int], weights: str | None) -> keras.Model:
    """Four convolutions with batch norm: 0.1 million weights, learnt from nothing in a minute."""
    inputs = x = keras.Input(shape)
    for stage, filters in enumerate((16, 32, 64, 128), start=1):
        x = keras.layers.Conv2D(filters, 3, 2 if stage == 1 else 1, "same", use_bias=False)(x)
        x = keras.layers.BatchNormalization(momentum=0.9)(x)
        x = keras.layers.ReLU(name=f"stage{stage}")(x)
        if stage < 4:
            x = keras.layers.MaxPooling2D()(x)
    model = keras.Model(inputs, x, name="tiny")
    if weights is not None:
        model.load_weights(weights)
    return model


# What each backbone expects is stated in its keras.applications page: MobileNet, MobileNetV2 and
# InceptionV3 all want -1 … 1 ("tf" mode of imagenet_utils.preprocess_input).
MINUS_ONE_TO_ONE = Scaling(1 / 127.5, -1.0)

BACKBONES = {
    backbone.name: backbone
    for backbone in (
        Backbone(
            "mobilenetv2",
            _mobilenet_v2,
            image_size=224,
            smallest=32,
            scaling=MINUS_ONE_TO_ONE,
            cuts=("block_6_expand_relu", "block_13_expand_relu", "block_16_expand_relu", "out_relu"),
        ),
        Backbone(
            "mobilenet",
            _mobilenet,
            image_size=224,
            smallest=32,
            scaling=MINUS_ONE_TO_ONE,
            cuts=("conv_pw_5_relu", "conv_pw_11_relu", "conv_pw_13_relu"),
        ),
        Backbone(
            "inceptionv3",
            _inception_v3,
            image_size=299,
            smallest=75,
            scaling=MINUS_ONE_TO_ONE,
            cuts=("mixed2", "mixed7", "mixed10"),
        ),
        Backbone(
            "tiny",
            _tiny,
            image_size=96,
            smallest=32,
            scaling=MINUS_ONE_TO_ONE,
            cuts=("stage3", "stage4"),
            # So few layers see but a part of the picture: averaged, they know sleeves but not how long.
            pooling="flatten",
            pretrained=False,
        ),
    )
}


def find_backbone(name: str) -> Backbone:
    """Return the backbone called `name`; raises `ShutterlessError` that lists the known ones."""
    try:
        return BACKBONES[name.lower()]
    except KeyError:
        raise ShutterlessError(
            f"There is no backbone called {name!r}", f"Choose one of: {', '.join(BACKBONES)}."
        ) from None


def build_backbone(
    backbone: Backbone, *, image_size: int, weights: str = "imagenet", cut: str | None = None
) -> keras.Model:
    """Build `backbone` for square images, load its weights and cut it behind the layer `cut`.

    weights: `imagenet` (from Keras's cache or its web address), `none`, or a file of Keras weights.
    The result maps scaled float32[n, image_size, image_size, 3] to a feature map float32[n, h, w, c].
    Raises `ShutterlessError` for a size that is too small, weights that do not load or an unknown layer.
    """
    if image_size < backbone.smallest:
        raise ShutterlessError(
            f"{backbone.name} cannot take images of {image_size} px",
            f"Choose an image size of {backbone.smallest} or more; {backbone.image_size} is its usual one.",
        )
    shape, source = (image_size, image_size, 3), _weights_argument(backbone, weights)
    try:
        model = backbone.build(shape, source)
    except Exception as error:  # Keras raises whatever its download and its file formats raise
        raise _weights_error(backbone, weights, error) from error
    return model if cut is None else _cut_at(model, cut, backbone.cuts)


def _weights_argument(backbone: Backbone, weights: str) -> str | None:
    if weights == "none":
        return None
    if weights == "imagenet":
        if not backbone.pretrained:
            raise ShutterlessError(
                f"There are no ImageNet weights for {backbone.name}", "Train it with --weights none."
            )
        return weights
    if not Path(weights).is_file():
        raise ShutterlessError(
            f"There is no weights file {weights}", "Give imagenet, none, or the path of a Keras .h5 file."
        )
    return weights


def _weights_error(backbone: Backbone, weights: str, error: Exception) -> ShutterlessError:
    reason = str(error).strip().partition("\n")[0]
    if weights == "imagenet":
        return ShutterlessError(
            f"The ImageNet weights of {backbone.name} could not be loaded: {reason}",
            "Check the network, or give a file with --weights FILE.",
        )
    return ShutterlessError(
        f"The weights in {weights} do not fit {backbone.name}: {reason}",
        "Give the file of this very backbone, without its top.",
    )


def _cut_at(model: keras.Model, cut: str, usual: tuple[str, ...]) -> keras.Model:
    layers = {layer.name: layer for layer in model.layers}
    if cut not in layers:
        listing = "\n".join(f"  {name}  {_shape(layer)}" for name, layer in layers.items() if _is_map(layer))
        raise ShutterlessError(
            f"{model.name} has no layer called {cut!r}",
            f"Cut at {' or '.join(usual)}, the usual places, or at any of these:\n{listing}",
        )
    if not _is_map(layers[cut]):
        raise ShutterlessError(
            f"The layer {cut!r} gives no feature map",
            "Cut at a layer whose output has height, width and channels.",
        )
    return keras.Model(model.input, layers[cut].output, name=model.name)


def _is_map(layer: keras.layers.Layer) -> bool:
    return isinstance(layer.output, keras.KerasTensor) and len(layer.output.shape) == 4


def _shape(layer: keras.layers.Layer) -> str:
    return "×".join(str(side) for side in layer.output.shape[1:])
