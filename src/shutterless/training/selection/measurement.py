"""Measure the .tflite file that a backbone leads to, before anything is trained."""

import functools
import tempfile
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from shutterless.evaluation.timing import time_models
from shutterless.export import Exporter, Precision
from shutterless.novelty.fit import MAX_BYTES
from shutterless.runtime.image.decoder import InputSpec
from shutterless.runtime.model.bundle import Bundle, write_bundle
from shutterless.runtime.model.classifier import Classifier
from shutterless.training.backbones.catalogue import Backbone, Shape
from shutterless.training.model import build_model
from shutterless.training.optimization.seeding import seeded
from shutterless.training.recipe import HeadConfig

# Neither the time nor the size depends on the values of the weights, and little on the number of labels.
LABELS, SEED = 10, 0
# Of the largest matrix product in the network that measures how quick the machine is at its quickest.
CHANNELS, SIDE, PRODUCTS = 512, 28, 4


@dataclass(frozen=True)
class Measurement:
    """How quick and how large a converted model is.

    Attributes:
        precision: How its weights are stored.
        milliseconds: Processor time for one photo on one core: the median of several rounds.
        bytes: Size of model.tflite, with the largest part that `convert` adds for novelty.
    """

    precision: Precision
    milliseconds: float
    bytes: int


@functools.cache  # measured once in a process, so that several trainings choose the same
def measure(
    backbone: Backbone,
    precisions: tuple[Precision, ...],
    *,
    image_size: int,
    head: HeadConfig,
) -> tuple[Measurement, ...]:
    """Convert a model with random weights, and measure its time on this machine and its size.

    It is converted and timed by what `convert` uses.

    Args:
        backbone: Entry of the catalogue.
        precisions: In which precisions; they are timed in turn.
        image_size: Side of the input, in pixels.
        head: The head on the backbone.

    Raises:
        RecipeError: The backbone cannot be built, see `build_backbone`.
        ConversionError: TensorFlow cannot convert the model (`conversion-failed`).
    """
    rng = np.random.default_rng(SEED)
    pixels = rng.integers(0, 256, (1, image_size, image_size, 3), dtype=np.uint8)
    with seeded(SEED), tempfile.TemporaryDirectory(prefix="shutterless-") as folder:
        model = build_model(backbone, head, labels=LABELS, image_size=image_size, weights="none", cut=None)
        _vary_biases(model.full, rng)
        with Exporter(model.full, pixels) as exporter:
            classifiers = [
                _load(exporter.export(precision), image_size, Path(folder, precision))
                for precision in precisions
            ]
        times = np.median(time_models(classifiers, [pixels] * len(classifiers)), axis=0)
    return tuple(
        Measurement(precision, float(time), len(classifier.bundle.model) + MAX_BYTES)
        for precision, time, classifier in zip(precisions, times, classifiers, strict=True)
    )


def _vary_biases(model: keras.Model, rng: np.random.Generator) -> None:
    """Give biases and normalizations different values: a file stores layers' equal arrays only once."""
    for weight in model.weights:
        if len(weight.shape) == 1:
            weight.assign(rng.uniform(0.9, 1.1, weight.shape))


def _load(content: bytes, image_size: int, folder: Path) -> Classifier:
    labels = tuple(str(number) for number in range(LABELS))
    description = Bundle(folder.name, labels, InputSpec(image_size, image_size), folder.name, "", "", "", "")
    return Classifier(write_bundle(folder, content, description), threads=1)


def measure_peak(precision: Precision) -> float:
    """Return how many billion multiply-adds a second one core does at most, in matrix products."""
    probe = Backbone("products", "products", _build_products, SIDE, SIDE, "tf")
    milliseconds = measure(probe, (precision,), image_size=SIDE, head=HeadConfig())[0].milliseconds
    return PRODUCTS * (SIDE * CHANNELS) ** 2 / milliseconds / 1e6


def _build_products(shape: Shape, weights: str | None) -> keras.Model:
    inputs = x = keras.Input(shape)
    for _ in range(1 + PRODUCTS):  # the first one only makes the channels
        x = keras.layers.Conv2D(CHANNELS, 1, activation="relu")(x)
    return keras.Model(inputs, x, name="products")
