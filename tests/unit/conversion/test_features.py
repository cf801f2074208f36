import keras
import numpy as np
import pytest

from shutterless.conversion.features import END, feature_model
from shutterless.training.backbones.catalogue import BACKBONES
from shutterless.training.model import build_model
from shutterless.training.recipe import HeadConfig

pytestmark = pytest.mark.slow


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
    features = feature_model(model, [END, "stage2"])(pixels)
    feature_map = keras.Model(model.input, model.get_layer("pooling").input)(pixels)
    np.testing.assert_allclose(features[END], np.mean(feature_map, axis=(1, 2)), rtol=1e-5, atol=1e-6)
    assert features["stage2"].shape == (2, 32)
