import keras
import numpy as np
import pytest

from shutterless.training import load_run
from shutterless.training.backbones.registry import find_backbone
from shutterless.training.gradcam import GradCam
from shutterless.training.model import build_model
from shutterless.training.recipe import HeadConfig


@pytest.fixture(scope="module", params=["average", "flatten"])
def model(request):
    keras.utils.set_random_seed(1)
    head = HeadConfig(pooling=request.param, hidden=8, dropout=0.5)
    return build_model(find_backbone("tiny"), head, labels=3, image_size=64, weights="none", cut=None).full


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)


def test_a_heat_map_has_the_size_of_the_feature_map_and_ends_at_1(model, pixels):
    heat = GradCam(model)(pixels, 0)
    assert (heat.shape, heat.dtype) == ((4, 4), np.float32)
    assert heat.min() >= 0
    assert heat.max() == pytest.approx(1) or not heat.any()


def test_labels_have_different_heat_and_the_same_photo_always_the_same(model, pixels):
    heat_map = GradCam(model)
    heats = [heat_map(pixels, label) for label in range(3)]
    np.testing.assert_array_equal(heat_map(pixels, 1), heats[1])
    assert not np.allclose(heats[0], heats[1]) or not np.allclose(heats[1], heats[2])


def _same(scaled):
    """Return the output of a backbone that changes nothing."""
    inputs = keras.Input(scaled.shape[1:])
    return keras.Model(inputs, keras.layers.Identity()(inputs))(scaled)


def test_heat_is_where_the_label_is():
    """A model whose only feature is redness is hot where the photo is red."""
    source = keras.Input((8, 8, 3), dtype="uint8", name="pixels")
    scaled = keras.layers.Rescaling(1 / 255, name="scaling")(source)
    pooled = keras.layers.GlobalAveragePooling2D(name="pooling")(_same(scaled))
    head = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, activation="softmax")], name="head")
    model = keras.Model(source, head(pooled))
    head.layers[0].set_weights([np.array([[5.0, 0], [0, 0], [0, 5]]), np.zeros(2)])
    photo = np.zeros((8, 8, 3), np.uint8)
    photo[2, 3], photo[6, 6] = (255, 0, 0), (0, 0, 255)
    heat = GradCam(model)(photo, 0)
    assert np.unravel_index(heat.argmax(), heat.shape) == (2, 3)
    assert heat[6, 6] == 0


def test_heat_is_found_where_the_weights_of_a_channel_cancel_out_over_the_photo():
    """Averaged over the places, as Grad-CAM does, the gradients of this model are 0."""
    source = keras.Input((2, 2, 3), dtype="uint8", name="pixels")
    scaled = keras.layers.Rescaling(1 / 255, name="scaling")(source)
    flat = keras.layers.Flatten(name="pooling")(_same(scaled))
    head = keras.Sequential([keras.Input((12,)), keras.layers.Dense(2, activation="softmax")], name="head")
    model = keras.Model(source, head(flat))
    red_above_and_not_below = np.zeros((2, 2, 3, 2))
    red_above_and_not_below[0, :, 0, 0], red_above_and_not_below[1, :, 0, 0] = 1, -1
    head.layers[0].set_weights([red_above_and_not_below.reshape(12, 2), np.zeros(2)])
    photo = np.zeros((2, 2, 3), np.uint8)
    photo[..., 0] = [[255, 51], [255, 255]]
    np.testing.assert_allclose(GradCam(model)(photo, 0), [[1, 0.2], [0, 0]], rtol=1e-6)


def test_a_run_that_was_saved_and_loaded_has_heat_maps_too(colour_run):
    heat = GradCam(load_run(colour_run).model)(np.full((32, 32, 3), (200, 50, 40), np.uint8), 2)
    assert heat.shape == (2, 2)
    assert heat.max() == pytest.approx(1)
