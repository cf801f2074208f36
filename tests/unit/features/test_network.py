import keras
import numpy as np
import pytest

from shutterless.features.network import Network
from shutterless.runtime.image.decoder import InputSpec

pytestmark = pytest.mark.slow


def make_network(scale=1 / 255, weight=1.0, pooling=keras.layers.GlobalAveragePooling2D, resize="stretch"):
    pixels = keras.Input((8, 8, 3), dtype="uint8")
    dense = keras.layers.Dense(2, kernel_initializer=keras.initializers.Constant(weight))
    model = keras.Model(pixels, pooling()(dense(keras.layers.Rescaling(scale)(pixels))))
    return Network("network", model, InputSpec(8, 8, resize))


def test_the_identity_is_the_same_for_the_same_network():
    assert make_network().identity == make_network().identity


@pytest.mark.parametrize(
    "change",
    [
        {"scale": 1 / 127},
        {"weight": 2.0},
        {"pooling": keras.layers.GlobalMaxPooling2D},
        {"resize": "pad"},
    ],
    ids=str,
)
def test_the_identity_changes_with_whatever_changes_the_features(change):
    assert make_network(**change).identity != make_network().identity


def test_features_do_not_depend_on_the_other_photos_of_a_batch():
    pixels = np.random.default_rng(1).integers(0, 256, (9, 8, 8, 3), np.uint8)
    network = make_network(weight=0.1)
    together = network.features(pixels)
    apart = np.concatenate([network.features(pixels[:2]), network.features(pixels[2:])])
    np.testing.assert_array_equal(together, apart)
