import keras
import numpy as np
import pytest

from shutterless.conversion.features import END, choose_layers, feature_model, inner_layer
from shutterless.training import load_run
from shutterless.training.backbones.catalogue import BACKBONES
from shutterless.training.model import build_model
from shutterless.training.recipe import HeadConfig

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def mobilenet():
    return keras.applications.MobileNetV2(input_shape=(32, 32, 3), include_top=False, weights=None)


@pytest.mark.parametrize(
    ("share", "layer"),
    [(0.35, "block_5_add"), (0.5, "block_7_add"), (0.55, "block_8_add"), (0.999, "out_relu")],
)
def test_the_inner_layer_is_the_end_of_the_last_block_within_a_share(mobilenet, share, layer):
    assert inner_layer(mobilenet, share) == layer


def test_a_layer_that_others_bypass_is_no_end_of_a_block():
    pixels = keras.Input((8, 8, 3))
    first = keras.layers.ReLU(name="first")(pixels)
    bypassed = keras.layers.ReLU(name="bypassed")(first)
    last = keras.layers.Add(name="last")([first, bypassed])
    backbone = keras.Model(pixels, last)
    assert inner_layer(backbone, 0.75) == "first"
    assert inner_layer(backbone, 1) == "last"


def test_without_an_end_in_the_second_half_the_last_feature_map_is_taken():
    pixels = keras.Input((8, 8, 3))
    chain = [pixels]
    for number in range(6):
        chain.append(keras.layers.ReLU(name=f"relu{number}")(chain[-1]))
    backbone = keras.Model(pixels, keras.layers.Add(name="sum")([chain[1], chain[-1]]))
    assert inner_layer(backbone, 6 / 8) == "relu4"


def test_a_head_only_run_is_tapped_at_its_end_and_half_way(colour_run):
    assert choose_layers(load_run(colour_run)) == (END, "stage2")


@pytest.mark.parametrize("scaling", ["tf", "caffe", "torch"])
@pytest.mark.parametrize("pooling", ["average", "flatten"])
def test_features_are_the_averages_of_the_layers_that_the_model_computes(scaling, pooling):
    model = build_model(
        BACKBONES["tiny"],
        HeadConfig(pooling=pooling, hidden=4),
        labels=2,
        image_size=32,
        weights="none",
        cut="stage4",
        scaling=scaling,
    ).full
    pixels = np.random.default_rng(3).integers(0, 256, (2, 32, 32, 3)).astype(np.uint8)
    end, inner = feature_model(model, [END, "stage2"])(pixels)
    feature_map = keras.Model(model.input, model.get_layer("pooling").input)(pixels)
    np.testing.assert_allclose(end, np.mean(feature_map, axis=(1, 2)), rtol=1e-5, atol=1e-6)
    assert inner.shape == (2, 32)
