import keras
import numpy as np
import pytest
from keras.applications.imagenet_utils import preprocess_input

from shutterless.training.backbones.scaling import scale


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(0).integers(0, 256, (2, 6, 8, 3), dtype=np.uint8)


def scaled(scaling):
    inputs = keras.Input((6, 8, 3), dtype="uint8")
    return keras.Model(inputs, scale(inputs, scaling))


@pytest.mark.parametrize("mode", ["tf", "torch", "caffe"])
def test_a_mode_of_keras_is_scaled_as_keras_does(mode, pixels):
    np.testing.assert_allclose(
        scaled(mode)(pixels), preprocess_input(pixels.astype("float32"), mode=mode), atol=1e-5
    )


def test_none_only_changes_the_type_and_unit_divides_by_255(pixels):
    assert scaled("none").output.dtype == "float32"
    np.testing.assert_array_equal(scaled("none")(pixels), pixels)
    np.testing.assert_allclose(scaled("unit")(pixels), pixels / 255, atol=1e-6)


@pytest.mark.parametrize("mode", ["none", "unit", "tf", "torch", "caffe"])
def test_a_saved_network_scales_alike_and_loads_without_code_of_ours(mode, pixels, tmp_path):
    (model := scaled(mode)).save(file := tmp_path / "model.keras")
    np.testing.assert_array_equal(keras.models.load_model(file, safe_mode=True)(pixels), model(pixels))
