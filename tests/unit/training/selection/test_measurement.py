import random

import keras
import pytest

from shutterless.export import Precision
from shutterless.novelty.fit import MAX_BYTES
from shutterless.training.backbones.catalogue import BACKBONES, Backbone
from shutterless.training.recipe import HeadConfig
from shutterless.training.selection.measurement import measure, measure_peak

pytestmark = pytest.mark.slow

TINY = BACKBONES["tiny"]


def test_a_converted_model_is_measured_in_each_precision_once():
    both = (Precision.INT8_MIXED, Precision.FLOAT16)
    state = random.getstate()
    measurements = measure(TINY, both, image_size=64, head=HeadConfig())
    assert measure(TINY, both, image_size=64, head=HeadConfig()) is measurements
    assert random.getstate() == state  # the caller's generator
    quantized, half = measurements
    assert (quantized.precision, half.precision) == both
    assert quantized.milliseconds > 0
    assert half.milliseconds > 0
    # Of 16 features in each of 128 channels, the head has 10 scores.
    weights = TINY.parameters + 4 * 4 * 128 * 10
    assert 2 * weights < half.bytes - MAX_BYTES < 2.2 * weights
    assert quantized.bytes < half.bytes


def test_the_biases_of_each_layer_take_their_place():
    channels, layers = 2048, 4

    def build(shape, weights):
        inputs = keras.Input(shape)
        x = keras.layers.Conv2D(channels, 1)(inputs)
        for _ in range(layers):
            x = keras.layers.DepthwiseConv2D(3, use_bias=False, padding="same")(x)
            x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
        return keras.Model(inputs, x)

    backbone = Backbone("wide", "wide", build, 4, 4, "tf")
    (half,) = measure(backbone, (Precision.FLOAT16,), image_size=4, head=HeadConfig())
    weights = layers * (9 + 1) * channels + (3 + 1) * channels + 10 * channels
    assert half.bytes - MAX_BYTES > 2 * weights


def test_the_machine_computes_a_billion_products_a_second_or_more():
    assert measure_peak(Precision.FLOAT16) > 1
