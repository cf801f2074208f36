"""The catalogue of backbones: all of keras.applications, EfficientNet-Lite, MobileNetV4, and `tiny`.

It is data, in catalogue.csv. Sizes, scalings and files of keras.applications are from the source of Keras
3.15, top-1 is from https://keras.io/api/applications/, that of MobileNetV3 from its docstring in Keras; for
EfficientNet-Lite, both are from https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite,
for MobileNetV4 from https://arxiv.org/abs/2404.10518. Multiply-adds for one photo of that size, in billions,
are those that the networks' authors publish. The precisions are those that `convert` was measured to take
with the recipe `quick`, the likeliest first, and float16 where nothing was measured. The cuts are the last
layer with a name before the strides 16 and 32, and the end.
"""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import resources
from typing import Literal, cast

import keras

from shutterless.errors import RecipeError
from shutterless.training.backbones.efficientnet_lite import build_efficientnet_lite
from shutterless.training.backbones.mobilenet_v4 import build_mobilenet_v4
from shutterless.training.backbones.scaling import Scaling
from shutterless.training.backbones.weights import (
    KerasWeights,
    OwnWeights,
    PackageWeights,
    PublishedWeights,
    load_file,
)

END = "end"
Shape = tuple[int, int, int]
Build = Callable[[Shape, str | None], keras.Model]


@dataclass(frozen=True)
class Backbone:
    """A convolutional network without its top, and the input that it expects.

    Attributes:
        name: Its name in `--backbone`.
        family: The module of keras.applications that it is from, or its own name.
        build: Builds it from `(input_shape, weights)`, for scaled pixels.
        image_size: Side of the input that its published weights were trained with, in pixels.
        smallest: Smallest side that its strides allow, in pixels.
        scaling: How the pixels that its weights were trained on were scaled, see `backbones.scaling`.
        parameters: Number of its weights; None if it is not known.
        cuts: Layers that are good places to cut it at, from front to back. `end` is the whole backbone, for
            networks whose last layer has no fixed name.
        top1: Accuracy with its top on ImageNet's validation photos, in percent, as its authors state it.
        multiply_adds: Billions of them for one photo of `image_size`; None if it is not known.
        precisions: What `convert` takes for it if only its head was trained, the likeliest first.
        weights: Its published weights, for `image_size`; None if there are none.
        pooling: How its feature map becomes a vector: `average` over all places, or `flatten`, which keeps
            where in the picture a feature is.
    """

    name: str
    family: str
    build: Build
    image_size: int
    smallest: int
    scaling: Scaling
    parameters: int | None = None
    cuts: tuple[str, ...] = (END,)
    top1: float | None = None
    multiply_adds: float | None = None
    precisions: tuple[str, ...] = ("float16",)
    weights: PublishedWeights | None = None
    pooling: Literal["average", "flatten"] = "average"

    @property
    def pretrained(self) -> bool:
        """Whether there are published weights for it."""
        return self.weights is not None


def build_with_weights(
    architecture: Callable[[Shape], object],
    published: OwnWeights | None,
    shape: Shape,
    weights: str | None,
) -> keras.Model:
    """Build a network and load its weights, as the functions of keras.applications do.

    Args:
        architecture: Builds the network with random weights.
        published: What `imagenet` stands for.
        shape: Height, width and channels of the input.
        weights: `imagenet`, a file of weights, see `load_file`, or None for random weights.

    Raises:
        RecipeError: What was built is no network whose output is a feature map (`no-backbone`).
    """
    model = architecture(shape)
    if isinstance(model, keras.Sequential) and model.built:
        model = keras.Model(
            model.inputs[0], model.outputs[0], name=model.name
        )  # a Sequential has no `output`
    if not isinstance(model, keras.Model) or len(model.output_shape) != 4:
        raise RecipeError(
            "no-backbone",
            f"The network for {shape} is no Keras model with one feature map as its output",
            "Build a model of Keras's functional API without a top: its output has height, width, channels.",
        )
    if weights == "imagenet" and published is not None:
        published.load(model)
    elif weights is not None:
        load_file(model, weights)
    return model


def _build_tiny(shape: Shape) -> keras.Model:
    """Build four convolutions with batch normalization, which train from scratch in a minute."""
    inputs = x = keras.Input(shape)
    for stage, filters in enumerate((16, 32, 64, 128), start=1):
        x = keras.layers.Conv2D(filters, 3, 2 if stage == 1 else 1, "same", use_bias=False)(x)
        x = keras.layers.BatchNormalization(momentum=0.9)(x)
        x = keras.layers.ReLU(name=f"stage{stage}")(x)
        if stage < 4:
            x = keras.layers.MaxPooling2D()(x)
    return keras.Model(inputs, x, name="tiny")


TINY = Backbone(
    "tiny",
    "tiny",
    partial(build_with_weights, _build_tiny, None),
    image_size=96,
    smallest=32,
    scaling="tf",
    parameters=98_160,
    cuts=("stage3", "stage4"),
    # Each feature of so few layers covers a small part of the picture. Averaged over all places, features
    # tell that there are sleeves, but not how long they are.
    pooling="flatten",
)


def _build_application(network: str, shape: Shape, weights: str | None) -> keras.Model:
    return getattr(keras.applications, network)(input_shape=shape, include_top=False, weights=weights)


def _read_catalogue() -> Iterator[Backbone]:
    table = resources.files(__package__).joinpath("catalogue.csv").read_text("utf-8")
    for row in csv.DictReader(table.splitlines()):
        weights, build = _weights_and_build(row)
        yield Backbone(
            name=row["network"].lower(),
            family=row["family"],
            build=build,
            image_size=int(row["image_size"]),
            smallest=int(row["smallest"]),
            scaling=cast(Scaling, row["scaling"]),
            parameters=int(row["parameters"]),
            cuts=tuple(row["cuts"].split()),
            top1=float(row["top1"]),
            multiply_adds=float(row["multiply_adds"]),
            precisions=tuple(row["precisions"].split()),
            weights=weights,
        )


def _weights_and_build(row: dict[str, str]) -> tuple[PublishedWeights | None, Build]:
    if row["family"] == "mobilenet_v4":
        variant = row["network"].removeprefix("MobileNetV4Conv").lower()
        return None, partial(build_with_weights, partial(build_mobilenet_v4, variant), None)
    if row["family"] != "efficientnet_lite":
        return KerasWeights(row["weights"]), partial(_build_application, row["network"])
    package, _, file = row["weights"].partition("/")
    weights = PackageWeights(package, file, row["sha256"], extra="lite") if file else None
    architecture = partial(build_efficientnet_lite, int(row["network"][-1]))
    return weights, partial(build_with_weights, architecture, weights)


BACKBONES = {backbone.name: backbone for backbone in (*_read_catalogue(), TINY)}
