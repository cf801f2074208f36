import json
from math import prod

import numpy as np
import pytest

from shutterless.errors import RecipeError
from shutterless.training.backbones.builder import build_backbone
from shutterless.training.backbones.mobilenet_v4 import build_mobilenet_v4
from shutterless.training.backbones.registry import find_backbone

pytestmark = pytest.mark.slow

TOP = 960 * 1280 + 2 * 1280 + 1281 * 1000  # the convolution behind the pooling, and ImageNet's 1,000 labels
TORCH_NAMES = {"beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}


def torch_shapes(model):
    """Return the shapes of timm's arrays by their names."""
    shapes = {}
    for layer in model.layers:
        for weight in layer.weights:
            shape = tuple(weight.shape)
            if len(shape) == 4:  # a depthwise kernel has the shape (height, width, channels, 1)
                depthwise = "Depthwise" in type(layer).__name__
                shape = tuple(shape[axis] for axis in ((2, 3, 0, 1) if depthwise else (3, 2, 0, 1)))
            shapes[f"{layer.name}.{TORCH_NAMES.get(weight.name, 'weight')}"] = shape
    return shapes


def draw(shapes):
    """Return weights that follow from the names and shapes alone."""
    rng, arrays = np.random.default_rng(0), {}
    for name in sorted(shapes):
        shape = shapes[name]
        if len(shape) == 4:
            array = rng.normal(0, prod(shape[1:]) ** -0.5, shape)
        elif name.endswith(("running_mean", "bias")):
            array = rng.normal(0, 0.1, shape)
        else:
            array = rng.uniform(0.5, 1.5, shape)
        arrays[name] = array.astype("<f4")
    return arrays


def write(file, arrays):
    header, offset = {}, 0
    for name, array in arrays.items():
        header[name] = {
            "dtype": "F32",
            "shape": list(array.shape),
            "data_offsets": [offset, offset := offset + array.nbytes],
        }
    text = json.dumps(header).encode()
    content = b"".join(array.tobytes() for array in arrays.values())
    file.write_bytes(len(text).to_bytes(8, "little") + text + content)
    return str(file)


@pytest.fixture(scope="module")
def small():
    return build_mobilenet_v4("small", (64, 64, 3))


# Features of timm 1.0.31 with the same weights and pixels: [0, 0, 0, 3:6], [0, 1, 1, -5:-2] and their mean.
@pytest.mark.parametrize(
    ("variant", "published", "features"),
    [
        (
            "small",
            3_774_024,
            (0.328216, 0.359782, 0.066021, 1.428321, 0.096433, 0.659692, 0.353725),
        ),
        ("medium", 9_715_512, (1.479463, 0.095632, 0.0, 0.289314, 0.0, 1.888215, 0.866036)),
    ],
)
def test_it_has_timms_weights_and_with_them_its_features(variant, published, features, tmp_path):
    backbone = find_backbone(f"mobilenetv4conv{variant}")
    shapes = torch_shapes(build_mobilenet_v4(variant, (64, 64, 3)))
    arrays = draw(shapes) | {"classifier.bias": np.zeros(1000, "<f4")}  # which the top has
    model = build_backbone(backbone, image_size=64, weights=write(tmp_path / "timm.safetensors", arrays))
    assert sum(prod(weight.shape) for weight in model.trainable_weights) + TOP == published
    assert model.count_params() == backbone.parameters
    pixels = np.random.default_rng(1).normal(size=(1, 64, 64, 3)).astype(np.float32)
    result = np.asarray(model(pixels, training=False))
    chosen = [*result[0, 0, 0, 3:6], *result[0, 1, 1, -5:-2], result.mean()]
    np.testing.assert_allclose(chosen, features, atol=2e-5)


@pytest.mark.parametrize("change", ["missing", "shape", "other network"])
def test_weights_of_another_network_are_refused(change, small, tmp_path):
    arrays = draw(torch_shapes(small))
    if change == "missing":
        del arrays["blocks.3.0.pw_exp.bn.running_var"]
    elif change == "shape":
        arrays["conv_stem.weight"] = arrays["conv_stem.weight"][:16]
    else:
        arrays = {"features.0.weight": np.zeros(3, "<f4")}
    backbone = find_backbone("mobilenetv4convsmall")
    with pytest.raises(RecipeError) as caught:
        build_backbone(backbone, image_size=64, weights=write(tmp_path / "timm.safetensors", arrays))
    assert caught.value.code == "unfitting-weights"


def test_a_damaged_file_is_refused(tmp_path):
    (file := tmp_path / "timm.safetensors").write_bytes(b"damaged")
    with pytest.raises(RecipeError) as caught:
        build_backbone(find_backbone("mobilenetv4convsmall"), image_size=64, weights=str(file))
    assert caught.value.code == "unreadable-weights"
