import keras
import numpy as np
import pytest

from shutterless.training.backbones.builder import find_backbone
from shutterless.training.model import build_network, freeze_first, set_batch_norm_momentum
from shutterless.training.recipe import Head, load_recipe


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


def test_the_recipe_can_scale_pixels_in_another_way():
    head, tiny = Head(), find_backbone("tiny")
    other = build_network(
        tiny, head, labels=2, image_size=32, weights="none", cut=None, scaling="unit"
    ).features
    scaled = np.asarray(other.get_layer("scaling")(np.array([0, 51, 255], np.uint8)))
    np.testing.assert_allclose(scaled, [0, 0.2, 1], atol=1e-6)


def test_the_momentum_reaches_every_batch_norm_of_the_nested_backbone(network):
    set_batch_norm_momentum(network.features, 0.77)
    layers = [
        layer
        for layer in network.features._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    assert [layer.momentum for layer in layers] == [0.77] * 4


@pytest.mark.parametrize(("share", "trained"), [(0, [0, 1, 2, 3]), (0.5, [2, 3]), (0.99, [])])
def test_the_first_layers_of_the_backbone_can_keep_their_weights(share, trained):
    network = build_network(find_backbone("tiny"), Head(), labels=2, image_size=32, weights="none", cut=None)
    freeze_first(network.features, share)
    trunk = next(layer for layer in network.features.layers if isinstance(layer, keras.Model))
    convolutions = [layer for layer in trunk.layers if isinstance(layer, keras.layers.Conv2D)]
    assert [number for number, layer in enumerate(convolutions) if layer.trainable] == trained
    assert network.head.trainable_weights


@pytest.mark.parametrize(("pooling", "features"), [("average", 128), ("flatten", 2 * 2 * 128), (None, 512)])
def test_the_head_pools_as_the_recipe_or_else_the_backbone_says(pooling, features):
    network = build_network(
        find_backbone("tiny"), Head(pooling=pooling), labels=2, image_size=32, weights="none", cut=None
    )
    assert network.head.input.shape == (None, features)


def test_dropout_in_front_of_the_hidden_layer_can_differ_from_the_last():
    def layers(head):
        made = build_network(
            find_backbone("tiny"), head, labels=2, image_size=32, weights="none", cut=None
        ).head.layers
        return [getattr(layer, "rate", None) or getattr(layer, "units", None) for layer in made]

    assert layers(Head(hidden=8, dropout=0.5)) == [0.5, 8, 0.5, 2]
    assert layers(Head(hidden=8, dropout=0.5, dropout_before_hidden=0.1)) == [0.1, 8, 0.5, 2]
    assert layers(Head(hidden=8, dropout=0.5, dropout_before_hidden=0)) == [8, 0.5, 2]
    assert layers(Head(dropout=0)) == [2]


def test_the_tutorials_network_has_its_parameters():
    """InceptionV3 up to mixed7, Flatten, Dense 1024, Dense 10: 47.5 million, 190 MB as float32."""
    recipe = load_recipe("tutorial")
    made = build_network(
        find_backbone(recipe.backbone.name),
        recipe.head,
        labels=10,
        image_size=recipe.image.size,
        weights="none",
        cut=recipe.backbone.cut,
        scaling=recipe.backbone.scaling,
    )
    assert made.whole.count_params() == 8_975_264 + (7 * 7 * 768 + 1) * 1024 + (1024 + 1) * 10 == 47_521_706
    assert made.features.output.shape == (None, 7 * 7 * 768)
