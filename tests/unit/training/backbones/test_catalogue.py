"""Each family by its smallest member at its smallest size, cut early where that is enough."""

import dataclasses
import importlib
import inspect
import warnings

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from shutterless.export import Exporter, Precision
from shutterless.training.backbones.catalogue import BACKBONES, END
from shutterless.training.backbones.registry import OURS
from shutterless.training.backbones.weights import KerasWeights
from shutterless.training.model import build_model
from shutterless.training.recipe import HeadConfig

pytestmark = pytest.mark.slow

OWN_SCALING = (keras.layers.Rescaling, keras.layers.Normalization)


def smallest_members():
    families = {}
    for backbone in sorted(BACKBONES.values(), key=lambda backbone: backbone.parameters, reverse=True):
        families[backbone.family] = backbone
    return families


@pytest.fixture(scope="module", params=smallest_members().values(), ids=smallest_members())
def member(request):
    return request.param


@pytest.fixture(scope="module")
def built(member):
    """Return the whole backbone and the file that Keras asked for; its weights stay random."""
    asked = []

    def stand_in(name, *arguments, **options):
        asked.append(name)
        return name

    keras.utils.set_random_seed(1)
    shape = (member.smallest, member.smallest, 3)
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MobileNets say that 32 px are not those of their weights
        patch.setattr("keras.src.utils.file_utils.get_file", stand_in)
        patch.setattr(keras.Model, "load_weights", lambda model, file: None)
        model = member.build(shape, "imagenet" if member.pretrained else None)
    return model, asked


@pytest.fixture(scope="module")
def whole_backbone(built):
    return built[0]


@pytest.fixture(scope="module")
def early(member, whole_backbone):
    """Return a classifier on the first layers of that very backbone, those that could scale among them."""
    first = keras.Model(whole_backbone.input, whole_backbone.layers[6].output)
    return build_model(
        dataclasses.replace(member, build=lambda shape, weights: first),
        HeadConfig(pooling="average"),
        labels=3,
        image_size=member.smallest,
        weights="none",
        cut=None,
    )


@pytest.fixture(scope="module")
def pixels(member):
    return np.random.default_rng(0).integers(0, 256, (3, member.smallest, member.smallest, 3), dtype=np.uint8)


def test_every_classifier_of_keras_applications_is_there():
    offered = {
        name.lower()
        for name, thing in vars(keras.applications).items()
        if inspect.isfunction(thing) and "include_top" in inspect.signature(thing).parameters
    }
    lite = {f"efficientnetlite{variant}" for variant in range(5)}
    others = {"tiny", "mobilenetv4convsmall", "mobilenetv4convmedium"}
    assert offered | lite | others == OURS


def test_the_figures_are_those_of_the_network(member, whole_backbone):
    assert whole_backbone.count_params() == member.parameters
    assert len(whole_backbone.output.shape) == 4


def test_it_is_cut_at_each_layer_it_names_and_the_last_is_its_end(member, whole_backbone):
    *cuts, last = member.cuts
    sides = [whole_backbone.get_layer(cut).output.shape[1] for cut in cuts]
    assert len(sides) >= 1
    assert sides == sorted(sides, reverse=True)
    assert last == END or whole_backbone.get_layer(last).output.shape == whole_backbone.output.shape


def test_pixels_are_scaled_exactly_once_and_as_keras_documents_it(member, whole_backbone, early, pixels):
    """Either in front of the backbone or in its own graph; together it is what `preprocess_input` gives."""
    if member.name == "tiny":
        expected = pixels / np.float32(127.5) - 1
    elif member.family == "efficientnet_lite":
        expected = (pixels - np.float32(127)) / 128
    elif member.family == "mobilenet_v4":
        expected = (pixels / np.float32(255) - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    else:
        module = importlib.import_module(f"keras.applications.{member.family}")
        expected = module.preprocess_input(pixels.astype("float32"))
    scaled = keras.Model(early.features.input, early.features.get_layer("scaling").output)(pixels)
    np.testing.assert_allclose(scaled, expected, atol=1e-4)
    scales_itself = any(isinstance(layer, OWN_SCALING) for layer in whole_backbone.layers[:3])
    assert scales_itself is (member.scaling == "none")


def test_what_is_converted_agrees_with_keras(early, pixels):
    with Exporter(early.full) as exporter:
        interpreter = Interpreter(model_content=exporter.export(Precision.FLOAT32))
    interpreter.allocate_tensors()
    for photo, expected in zip(pixels, early.full.predict_on_batch(pixels), strict=True):
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], photo[np.newaxis])
        interpreter.invoke()
        found = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0]
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_keras_looks_for_its_weights_where_the_catalogue_says(member, built):
    assert built[1] == ([member.weights.file] if isinstance(member.weights, KerasWeights) else [])
