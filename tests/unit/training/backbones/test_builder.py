from pathlib import Path

import keras
import numpy as np
import pytest

from shutterless.errors import RecipeError
from shutterless.training.backbones.builder import build_backbone, is_cached
from shutterless.training.backbones.registry import find_backbone

pytestmark = pytest.mark.slow

SHARED = Path(__file__).parents[5] / "shared" / "keras"


def test_a_cut_gives_the_named_layers_feature_map():
    model = build_backbone(find_backbone("tiny"), image_size=32, weights="none", cut="stage3")
    assert model.output.shape == (None, 4, 4, 64)


@pytest.mark.parametrize("cut", [None, "end"])
def test_without_a_cut_or_cut_at_its_end_it_is_whole(cut):
    model = build_backbone(find_backbone("tiny"), image_size=32, weights="none", cut=cut)
    assert model.output.shape == (None, 2, 2, 128)


def test_a_wrong_cut_lists_the_layers_with_their_shapes():
    with pytest.raises(RecipeError) as caught:
        build_backbone(find_backbone("tiny"), image_size=32, weights="none", cut="mixed7")
    assert caught.value.code == "unknown-layer"
    assert "stage3  4×4×64" in caught.value.hint


def test_a_misspelt_cut_is_answered_with_the_closest_layers_first():
    with pytest.raises(RecipeError) as caught:
        build_backbone(find_backbone("tiny"), image_size=32, weights="none", cut="stag3")
    assert caught.value.hint.startswith("Did you mean stage3")


def test_the_tutorials_cut_has_the_tutorials_shape():
    model = build_backbone(find_backbone("inceptionv3"), image_size=150, weights="none", cut="mixed7")
    assert model.output.shape == (None, 7, 7, 768)


def test_a_size_below_what_the_strides_allow_is_refused():
    with pytest.raises(RecipeError) as caught:
        build_backbone(find_backbone("inceptionv3"), image_size=74, weights="none")
    assert caught.value.code == "invalid-image-size"


def test_weights_come_from_a_file_of_the_users(tmp_path):
    tiny = find_backbone("tiny")
    original = build_backbone(tiny, image_size=32, weights="none")
    original.save_weights(file := tmp_path / "tiny.weights.h5")
    loaded = build_backbone(tiny, image_size=32, weights=str(file))
    pixels = np.random.default_rng(0).random((1, 32, 32, 3), np.float32)
    np.testing.assert_array_equal(original(pixels), loaded(pixels))


def test_a_missing_weights_file_is_named(tmp_path):
    with pytest.raises(RecipeError) as caught:
        build_backbone(find_backbone("tiny"), image_size=32, weights=str(tmp_path / "none.h5"))
    assert caught.value.code == "weights-not-found"


def test_weights_of_another_network_are_refused_in_words(tmp_path):
    other = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    other.save_weights(file := tmp_path / "other.weights.h5")
    with pytest.raises(RecipeError) as caught:
        build_backbone(find_backbone("tiny"), image_size=32, weights=str(file))
    assert caught.value.code == "unfitting-weights"


def test_weights_are_cached_where_keras_would_find_them(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert not is_cached(find_backbone("vgg16"))
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5").touch()
    assert is_cached(find_backbone("vgg16"))
    assert not is_cached(find_backbone("vgg19"))
    assert not is_cached(find_backbone("tiny"))


def test_without_a_setting_the_cache_is_in_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("KERAS_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".keras" / "models").mkdir(parents=True)
    (tmp_path / ".keras" / "models" / "nasnet_mobile_no_top.h5").touch()
    assert is_cached(find_backbone("NASNetMobile"))


def test_tiny_has_no_imagenet_weights():
    with pytest.raises(RecipeError) as caught:
        build_backbone(find_backbone("tiny"), image_size=32)
    assert caught.value.code == "no-imagenet-weights"


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the ImageNet weights in ../shared/keras")
@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("mobilenetv2", "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"),
        ("mobilenet", "mobilenet_1_0_224_tf_no_top.h5"),
    ],
)
def test_imagenet_weights_load_and_tell_two_pictures_apart(name, file):
    model = build_backbone(find_backbone(name), image_size=224, weights=str(SHARED / "models" / file))
    black, white = (np.full((1, 224, 224, 3), value, np.float32) for value in (-1, 1))
    assert np.abs(np.asarray(model(black)) - np.asarray(model(white))).max() > 0.5
