import random

import pytest

from shutterless.export import Precision
from shutterless.novelty.fit import MAX_BYTES
from shutterless.training.backbones.catalogue import BACKBONES
from shutterless.training.recipe import HeadConfig
from shutterless.training.selection.measurement import measure, measure_peak

pytestmark = pytest.mark.slow

TINY = BACKBONES["tiny"]


def test_a_converted_model_is_measured_in_each_precision():
    both = (Precision.INT8_MIXED, Precision.FLOAT16)
    quantized, half = measure(TINY, both, image_size=64, head=HeadConfig())
    assert (quantized.precision, half.precision) == both
    assert quantized.milliseconds > 0
    assert half.milliseconds > 0
    # Of 16 features in each of 128 channels, the head has 10 scores.
    weights = TINY.parameters + 4 * 4 * 128 * 10
    assert 2 * weights < half.bytes - MAX_BYTES < 2.2 * weights
    assert quantized.bytes < half.bytes


def test_a_backbone_is_measured_once_and_no_generator_of_the_caller_is_touched():
    state = random.getstate()
    first = measure(TINY, (Precision.FLOAT16,), image_size=32, head=HeadConfig())
    assert measure(TINY, (Precision.FLOAT16,), image_size=32, head=HeadConfig()) is first
    assert random.getstate() == state


def test_the_machine_computes_a_billion_products_a_second_or_more():
    assert measure_peak(Precision.FLOAT16) > 1
