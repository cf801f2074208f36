import keras
import numpy as np
import pytest

from shutterless.training.backbones.registry import find_backbone
from shutterless.training.model import build_model, freeze_first, set_batch_norm_momentum
from shutterless.training.recipe import HeadConfig, load_recipe

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model():
    head = HeadConfig(hidden=8, dropout=0.5)
    return build_model(find_backbone("tiny"), head, labels=3, image_size=32, weights="none", cut=None)


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)


def test_pixels_go_in_as_bytes_and_probabilities_come_out(model, pixels):
    assert model.full.input.dtype == "uint8"
    probabilities = np.asarray(model.full(pixels))
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


def test_the_halves_make_the_whole(model, pixels):
    halves = model.head(model.features(pixels))
    np.testing.assert_allclose(halves, model.full(pixels), rtol=1e-5)


def test_the_recipe_can_scale_pixels_in_another_way():
    head, tiny = HeadConfig(), find_backbone("tiny")
    other = build_model(
        tiny, head, labels=2, image_size=32, weights="none", cut=None, scaling="unit"
    ).features
    scaled = np.asarray(other.get_layer("scaling")(np.array([0, 51, 255], np.uint8)))
    np.testing.assert_allclose(scaled, [0, 0.2, 1], atol=1e-6)


def test_the_momentum_reaches_every_batch_norm_of_the_nested_backbone(model):
    set_batch_norm_momentum(model.features, 0.77)
    layers = [
        layer
        for layer in model.features._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    assert [layer.momentum for layer in layers] == [0.77] * 4


@pytest.mark.parametrize(("share", "trained"), [(0, [0, 1, 2, 3]), (0.5, [2, 3]), (0.99, [])])
def test_the_first_layers_of_the_backbone_can_keep_their_weights(share, trained):
    model = build_model(
        find_backbone("tiny"), HeadConfig(), labels=2, image_size=32, weights="none", cut=None
    )
    freeze_first(model.features, share)
    backbone = next(layer for layer in model.features.layers if isinstance(layer, keras.Model))
    convolutions = [layer for layer in backbone.layers if isinstance(layer, keras.layers.Conv2D)]
    assert [number for number, layer in enumerate(convolutions) if layer.trainable] == trained
    assert model.head.trainable_weights


@pytest.mark.parametrize(("pooling", "features"), [("average", 128), ("flatten", 2 * 2 * 128), (None, 512)])
def test_the_head_pools_as_the_recipe_or_else_the_backbone_says(pooling, features):
    model = build_model(
        find_backbone("tiny"), HeadConfig(pooling=pooling), labels=2, image_size=32, weights="none", cut=None
    )
    assert model.head.input.shape == (None, features)


def test_dropout_in_front_of_the_hidden_layer_can_differ_from_the_last():
    def layers(head):
        made = build_model(
            find_backbone("tiny"), head, labels=2, image_size=32, weights="none", cut=None
        ).head.layers
        return [getattr(layer, "rate", None) or getattr(layer, "units", None) for layer in made]

    assert layers(HeadConfig(hidden=8, dropout=0.5)) == [0.5, 8, 0.5, 2]
    assert layers(HeadConfig(hidden=8, dropout=0.5, dropout_before_hidden=0.1)) == [0.1, 8, 0.5, 2]
    assert layers(HeadConfig(hidden=8, dropout=0.5, dropout_before_hidden=0)) == [8, 0.5, 2]
    assert layers(HeadConfig(dropout=0)) == [2]


def test_the_tutorials_network_has_its_parameters():
    """InceptionV3 up to mixed7, Flatten, Dense 1024, Dense 10: 47.5 million, 190 MB as float32."""
    recipe = load_recipe("tutorial")
    made = build_model(
        find_backbone(recipe.backbone.name),
        recipe.head,
        labels=10,
        image_size=recipe.image.size,
        weights="none",
        cut=recipe.backbone.cut,
        scaling=recipe.backbone.scaling,
    )
    assert made.full.count_params() == 8_975_264 + (7 * 7 * 768 + 1) * 1024 + (1024 + 1) * 10 == 47_521_706
    assert made.features.output.shape == (None, 7 * 7 * 768)
