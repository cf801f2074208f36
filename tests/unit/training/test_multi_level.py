import keras
import numpy as np
import pytest

from shutterless.conversion import convert
from shutterless.conversion.features import END, feature_model
from shutterless.curation.networks import load_network
from shutterless.training import load_run, train
from shutterless.training.activations.split import split_model
from shutterless.training.backbones.catalogue import BACKBONES
from shutterless.training.backbones.expansions import MAX_FEATURES, find_expansions
from shutterless.training.backbones.registry import register_backbone
from shutterless.training.gradcam import GradCam
from shutterless.training.model import STANDARDIZATION, build_model, standardize
from shutterless.training.recipe import HeadConfig

pytestmark = pytest.mark.slow


def build(name, **options):
    head = HeadConfig(features="multi-level", **options)
    return build_model(BACKBONES[name], head, labels=3, image_size=64, weights="none", cut=None)


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(4)
    return build("mobilenetv2")


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3), dtype=np.uint8)


def inverted_residual(x, name, filters):
    y = keras.layers.Conv2D(6 * filters, 1, name=f"{name}_expand")(x)
    y = keras.layers.ReLU(6, name=f"{name}_relu")(keras.layers.BatchNormalization()(y))
    y = keras.layers.DepthwiseConv2D(3, padding="same")(y)
    return keras.layers.Add()([x, keras.layers.Conv2D(filters, 1)(y)])


def network(blocks, filters=4):
    inputs = x = keras.Input((8, 8, filters))
    for number in range(blocks):
        x = inverted_residual(x, f"block{number}", filters)
    return keras.Model(inputs, keras.layers.Conv2D(16, 1, name="top")(x))


def names(tensors):
    return [tensor._keras_history.operation.name for tensor in tensors]


def test_expansions_behind_the_first_quarter_are_taken_after_their_activation_without_the_last_layer():
    assert names(find_expansions(network(3))) == ["block1_relu", "block2_relu"]


def test_of_too_many_features_the_deepest_are_taken():
    expansions = find_expansions(network(6, filters=1000))
    assert names(expansions) == ["block4_relu", "block5_relu"]
    assert sum(tensor.shape[-1] for tensor in expansions) <= MAX_FEATURES


def test_squeeze_and_excitation_is_no_expansion():
    inputs = keras.Input((8, 8, 4))
    x = keras.layers.GlobalAveragePooling2D(keepdims=True)(keras.layers.Conv2D(4, 3)(inputs))
    assert find_expansions(keras.Model(inputs, keras.layers.Conv2D(16, 1)(x))) == []


def test_the_head_reads_the_last_layer_and_the_expansions(model, pixels):
    assert model.features.output.shape == (None, 1280 + 6528)
    np.testing.assert_allclose(model.head(model.features(pixels)), model.full(pixels), rtol=1e-5)
    last = feature_model(model.full, [END])(pixels)[END]
    np.testing.assert_allclose(model.features(pixels)[:, :1280], last, rtol=1e-5)


def test_without_expansions_the_head_reads_the_last_layer_only(pixels):
    assert build("tiny").features.output.shape == (None, 4 * 4 * 128)


def test_features_are_standardized_by_those_of_the_training_photos(model, pixels):
    features = np.asarray(model.features(pixels))
    standardize(model.head, features)
    layer = model.head.get_layer(STANDARDIZATION)
    values = np.asarray(layer(features, training=True))  # not trained, so the batch has no influence
    np.testing.assert_allclose(
        values, (features - features.mean(axis=0)) / np.sqrt(features.var(0) + 1e-4), atol=1e-4
    )
    assert not layer.trainable_variables
    standardize(model.head, 2 * features + 1)
    np.testing.assert_array_equal(layer.moving_mean, features.mean(axis=0))


def test_a_saved_model_answers_alike(model, pixels, tmp_path):
    model.full.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded(pixels), model.full(pixels), atol=1e-6)
    assert loaded.get_layer("head").get_layer(STANDARDIZATION).trainable is False


def test_heat_is_where_any_map_speaks_for_the_label():
    """One map speaks for the label at the upper left, a finer one at the lower right."""
    source = keras.Input((8, 8, 3), dtype="uint8", name="pixels")
    scaled = keras.layers.Rescaling(1 / 255, name="scaling")(source)
    inputs = keras.Input((8, 8, 3))
    maps = keras.Model(inputs, [keras.layers.AveragePooling2D(2)(inputs), keras.layers.Identity()(inputs)])
    pooled = [keras.Input((4, 4, 3)), keras.Input((8, 8, 3))]
    averages = [keras.layers.GlobalAveragePooling2D()(each) for each in pooled]
    pooling = keras.Model(pooled, keras.layers.Concatenate()(averages), name="pooling")
    head = keras.Sequential([keras.Input((6,)), keras.layers.Dense(2, activation="softmax")], name="head")
    model = keras.Model(source, head(pooling(maps(scaled))))
    red_in_the_coarse_map_blue_in_the_fine_one = np.zeros((6, 2))
    red_in_the_coarse_map_blue_in_the_fine_one[[0, 5], 0] = 1, 0.5
    head.layers[0].set_weights([red_in_the_coarse_map_blue_in_the_fine_one, np.zeros(2)])
    photo = np.zeros((8, 8, 3), np.uint8)
    photo[:2, :2, 0] = photo[6:, 6:, 2] = 255
    expected = np.zeros((4, 4))
    expected[0, 0], expected[3, 3] = 1, 0.5
    np.testing.assert_allclose(GradCam(model)(photo, 0), expected, atol=1e-6)


@pytest.mark.parametrize(("share", "can_be_stored"), [(0.2, True), (0.6, False), (1, False)])
def test_activations_can_be_stored_in_front_of_the_first_layer_that_the_head_reads(
    share, can_be_stored, model, pixels
):
    parts = split_model(model, share)
    assert (parts is not None) == can_be_stored
    if parts is not None:
        np.testing.assert_allclose(parts.trained(parts.frozen(pixels)), model.full(pixels), atol=1e-6)


@pytest.fixture(scope="module")
def run(colour_photos, tmp_path_factory):
    """Return a run of a network with three expansions, of which the head reads two."""

    def build_network(shape):
        inputs = keras.Input(shape)
        x = keras.layers.Conv2D(8, 3, 4, activation="relu")(inputs)
        for number in range(3):
            x = inverted_residual(x, f"block{number}", 8)
        return keras.Model(inputs, x)

    folder = tmp_path_factory.mktemp("multi-level")
    (folder / "recipe.toml").write_text(
        """
        name = "multi"
        description = "For this test"
        head.features = "multi-level"
        head_training = {epochs = 60, batch_size = 6, learning_rate = 1e-2, mirrored = false}
        """
    )
    register_backbone("net", build_network, image_size=32)
    train(colour_photos, folder / "run", recipe=folder / "recipe.toml", backbone="net")
    yield folder / "run"
    del BACKBONES["net"]


def test_a_run_is_reported_and_converted(run, colour_photos, tmp_path):
    assert (run / "report.html").is_file()  # with its heat maps
    assert load_run(run).model.get_layer("pooling").output_shape == (None, 8 + 48 + 48)
    conversion = convert(run, tmp_path / "bundle", precision="int8-mixed")
    assert conversion.comparison.keras.accuracy == 1
    assert conversion.comparison.agreement == 1
    assert load_network(run).model.output.shape == (None, 8 + 48 + 48)


def test_a_run_that_is_continued_keeps_the_statistics_of_its_features(run, colour_photos, tmp_path):
    before = load_run(run).model.get_layer("head").get_layer(STANDARDIZATION).get_weights()
    assert before[0].any()
    continued = train(colour_photos, tmp_path / "run2", from_run=run, report=False)
    after = continued.model.get_layer("head").get_layer(STANDARDIZATION).get_weights()
    np.testing.assert_array_equal(after, before)
