import hashlib
import re
import sys

import keras
import numpy as np
import pytest

from shutterless.errors import InputError, RecipeError
from shutterless.training.backbones.builder import build_backbone, is_cached
from shutterless.training.backbones.catalogue import BACKBONES
from shutterless.training.backbones.registry import find_backbone, import_backbone, register_backbone
from shutterless.training.config import make_config

pytestmark = pytest.mark.slow


def build(shape):
    return keras.Sequential([keras.Input(shape), keras.layers.Conv2D(4, 3, 4, activation="relu")])


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Forget what a test registers, and use a cache of its own."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    names = set(BACKBONES)
    yield tmp_path / "keras" / "models"
    for name in set(BACKBONES) - names:
        del BACKBONES[name]


@pytest.fixture
def weights(tmp_path):
    """Return a file of weights, its hash, and the network that has these weights."""
    model = build((32, 32, 3))
    model.save_weights(file := tmp_path / "mine.weights.h5")
    return file, hashlib.sha256(file.read_bytes()).hexdigest(), model


def test_a_misspelt_backbone_is_answered_with_the_closest_ones_and_not_with_all():
    with pytest.raises(RecipeError) as caught:
        find_backbone("mobilnetv2")
    assert "mobilenetv2" in caught.value.hint
    assert "--backbone list" in caught.value.hint
    assert "vgg16" not in caught.value.hint


def test_of_equally_close_backbones_the_smallest_are_suggested():
    with pytest.raises(RecipeError) as caught:
        find_backbone("efficientnetv2")
    names = [f"efficientnetv2{size}" for size in ("b0", "b1", "b2", "b3", "s", "m", "l")]
    suggestions = [name for name in re.findall(r"\w+", caught.value.hint) if name in names]
    assert suggestions[0] == min(suggestions, key=names.index)


def test_a_registered_backbone_is_found_and_configured_like_ours():
    backbone = register_backbone("mine", build, image_size=48, scaling="torch", pooling="flatten")
    config = make_config("quick", backbone="MINE")
    assert config.backbone is backbone
    assert (config.image_size, config.weights, backbone.scaling) == (48, "none", "torch")
    assert build_backbone(backbone, image_size=48, weights="none").output.shape == (None, 12, 12, 4)


@pytest.mark.parametrize(
    "network",
    [lambda shape: None, lambda shape: keras.Sequential([keras.Input(shape), keras.layers.Flatten()])],
)
def test_what_builds_no_feature_map_is_refused(network):
    backbone = register_backbone("mine", network, image_size=48)
    with pytest.raises(RecipeError) as caught:
        build_backbone(backbone, image_size=48, weights="none")
    assert caught.value.code == "no-backbone"


def test_a_second_registration_replaces_the_first_but_never_one_of_ours():
    register_backbone("mine", build, image_size=48)
    assert register_backbone("mine", build, image_size=64) is find_backbone("mine")
    for name in ("mobilenetv2", "tiny", "auto", "Mine", "a:b", ""):
        with pytest.raises(InputError) as caught:
            register_backbone(name, build, image_size=48)
        assert caught.value.code == "invalid-backbone"


def test_weights_are_downloaded_once_into_kerass_cache(weights, cache):
    file, sha256, original = weights
    backbone = register_backbone("mine", build, image_size=32, weights=file.as_uri(), sha256=sha256.upper())
    assert not is_cached(backbone)
    assert make_config("quick", backbone="mine").weights == "imagenet"
    build_backbone(backbone, image_size=32)
    assert is_cached(backbone)
    file.unlink()
    model = build_backbone(backbone, image_size=32)
    pixels = np.random.default_rng(0).random((1, 32, 32, 3), np.float32)
    np.testing.assert_array_equal(model(pixels), original(pixels))
    assert [each.name for each in cache.iterdir()] == [f"{sha256[:12]}-mine.weights.h5"]


def test_weights_with_another_hash_are_refused_and_not_kept(weights, cache):
    backbone = register_backbone("mine", build, image_size=32, weights=weights[0].as_uri(), sha256="0" * 64)
    with pytest.raises(RecipeError) as caught:
        build_backbone(backbone, image_size=32)
    assert caught.value.code == "wrong-weights"
    assert not list(cache.iterdir())


def test_a_damaged_file_in_the_cache_is_downloaded_again(weights, cache):
    file, sha256, _ = weights
    backbone = register_backbone("mine", build, image_size=32, weights=file.as_uri(), sha256=sha256)
    cache.mkdir(parents=True)
    (damaged := cache / f"{sha256[:12]}-{file.name}").write_bytes(b"damaged")
    build_backbone(backbone, image_size=32)
    assert damaged.read_bytes() == file.read_bytes()


def test_a_download_that_fails_is_an_error_in_words(tmp_path, cache):
    url = (tmp_path / "missing.h5").as_uri()
    backbone = register_backbone("mine", build, image_size=32, weights=url, sha256="0" * 64)
    with pytest.raises(RecipeError) as caught:
        build_backbone(backbone, image_size=32)
    assert caught.value.code == "weights-not-loaded"


@pytest.mark.parametrize(
    ("url", "sha256"),
    [
        ("https://example.com/mine.h5", None),
        (None, "0" * 64),
        ("https://example.com/mine.h5", "0" * 63),
        ("mine.h5", "0" * 64),
        ("https://example.com/mine.pkl", "0" * 64),
    ],
)
def test_an_address_needs_a_hash_and_a_format_of_keras(url, sha256):
    with pytest.raises(InputError) as caught:
        register_backbone("mine", build, image_size=32, weights=url, sha256=sha256)
    assert caught.value.code == "invalid-weights-address"


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Return the name of a module in the working folder that registers a backbone."""
    (tmp_path / "module_of_nets.py").write_text(
        "import keras, shutterless\n"
        "def build(shape):\n"
        "    return keras.Sequential([keras.Input(shape), keras.layers.Conv2D(4, 3, 4)])\n"
        "NET = shutterless.register_backbone('imported', build, image_size=40)\n"
        "OTHER = 1\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield "module_of_nets"
    sys.modules.pop("module_of_nets", None)


def test_the_command_line_names_a_backbone_by_module_and_variable(module):
    config = make_config("quick", backbone=f"{module}:NET")
    assert (config.backbone.name, config.image_size) == ("imported", 40)


@pytest.mark.parametrize("variable", ["OTHER", "MISSING", ""])
def test_what_is_no_backbone_is_refused(module, variable):
    with pytest.raises(RecipeError) as caught:
        import_backbone(f"{module}:{variable}")
    assert caught.value.code == "no-backbone"


def test_a_missing_module_is_refused():
    with pytest.raises(RecipeError) as caught:
        import_backbone("no_such_module:NET")
    assert caught.value.code == "no-backbone"


def test_a_recipe_cannot_name_a_module(module, tmp_path):
    (file := tmp_path / "mine.toml").write_text(
        f'name = "mine"\ndescription = ""\nbackbone.name = "{module}:NET"\n'
        "[head_training]\nepochs = 1\nlearning_rate = 0.1\n"
    )
    with pytest.raises(RecipeError) as caught:
        make_config(file)
    assert caught.value.code == "unknown-backbone"
    assert module not in sys.modules
