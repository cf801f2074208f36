import keras
import numpy as np
import pytest

from shutterless.training.activations.split import find_boundary, split_model
from shutterless.training.backbones.registry import find_backbone
from shutterless.training.model import build_model
from shutterless.training.recipe import HeadConfig


def name_of(tensor):
    return tensor._keras_history.operation.name


@pytest.fixture(scope="module")
def residual():
    """Return a network of eight layers: input, a, b, and a residual block c, d, e, add, then f."""
    inputs = keras.Input((8, 8, 4))
    x = keras.layers.Conv2D(4, 1, name="a")(inputs)
    x = start = keras.layers.Conv2D(4, 1, name="b")(x)
    for name in ("c", "d", "e"):
        x = keras.layers.Conv2D(4, 1, name=name)(x)
    x = keras.layers.Add(name="add")([start, x])
    return keras.Model(inputs, keras.layers.Conv2D(4, 1, name="f")(x))


@pytest.mark.parametrize(
    ("share", "name"), [(0.2, "a"), (0.35, "b"), (0.75, "add"), (0.875, "add"), (1, "f")]
)
def test_a_residual_block_is_not_cut(residual, share, name):
    assert name_of(find_boundary(residual, share)) == name


def test_a_boundary_too_far_behind_is_none(residual):
    assert find_boundary(residual, 0.45) is None  # three more layers of eight


def test_of_the_next_boundaries_the_one_with_the_smallest_tensor_is_taken():
    inputs = x = keras.Input((8, 8, 4))
    for number in range(40):
        x = keras.layers.Conv2D(2 if number == 20 else 4, 1, name=f"layer_{number}")(x)
    assert name_of(find_boundary(keras.Model(inputs, x), 0.5)) == "layer_20"


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_both_parts_together_give_the_answers_of_the_whole_model(share):
    model = build_model(
        find_backbone("tiny"), HeadConfig(), labels=3, image_size=32, weights="none", cut=None
    )
    parts = split_model(model, share)
    pixels = np.random.default_rng(1).integers(0, 256, (4, 32, 32, 3), np.uint8)
    np.testing.assert_array_equal(parts.trained(parts.frozen(pixels)), model.full(pixels))
    shared = {id(variable) for variable in model.full.variables}
    assert {id(variable) for variable in (*parts.frozen.variables, *parts.trained.variables)} == shared
