import keras
import numpy as np
import pytest

from shutterless.training.backbones import find_backbone
from shutterless.training.network import build_network, set_batch_norm_momentum
from shutterless.training.recipe import Head


@pytest.fixture(scope="module")
def network():
    head = Head(hidden=8, dropout=0.5)
    return build_network(find_backbone("tiny"), head, labels=3, image_size=32, weights="none", cut=None)


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)


def test_pixels_go_in_as_bytes_and_probabilities_come_out(network, pixels):
    assert network.whole.input.dtype == "uint8"
    probabilities = np.asarray(network.whole(pixels))
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


def test_the_halves_make_the_whole(network, pixels):
    halves = network.head(network.features(pixels))
    np.testing.assert_allclose(halves, network.whole(pixels), rtol=1e-5)


def test_pixels_are_scaled_once_to_what_the_backbone_expects(network):
    scaling = network.features.get_layer("scaling")
    scaled = np.asarray(scaling(np.array([0, 127.5, 255], np.float32)))
    np.testing.assert_allclose(scaled, [-1, 0, 1], atol=1e-6)


def test_the_momentum_reaches_every_batch_norm_of_the_nested_backbone(network):
    set_batch_norm_momentum(network.features, 0.77)
    layers = [
        layer
        for layer in network.features._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    assert [layer.momentum for layer in layers] == [0.77] * 4


@pytest.mark.parametrize(("pooling", "features"), [("average", 128), ("flatten", 2 * 2 * 128), (None, 512)])
def test_the_head_pools_as_the_recipe_or_else_the_backbone_says(pooling, features):
    network = build_network(
        find_backbone("tiny"), Head(pooling=pooling), labels=2, image_size=32, weights="none", cut=None
    )
    assert network.head.input.shape == (None, features)
