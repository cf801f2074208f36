import keras
import numpy as np
import pytest

from shutterless.training.backbones.registry import find_backbone
from shutterless.training.callbacks.best_model import save_model
from shutterless.training.callbacks.weight_average import averaged
from shutterless.training.model import build_model
from shutterless.training.optimization import precision
from shutterless.training.recipe import HeadConfig

pytestmark = pytest.mark.slow


@pytest.fixture
def model():
    keras.utils.set_random_seed(1)
    return build_model(find_backbone("tiny"), HeadConfig(), labels=2, image_size=32, weights="none", cut=None)


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)


def test_a_cpu_computes_in_full_precision_without_xla(model, monkeypatch):
    monkeypatch.setattr(precision, "has_gpu", lambda: False)
    with precision.mixed_precision(model.full):
        assert model.full.dtype_policy.name == "float32"
    assert precision.xla() is False


def test_a_gpu_is_given_half_precision_and_what_is_saved_meanwhile_is_in_full(
    model, pixels, monkeypatch, tmp_path
):
    """As far as a machine without a GPU can show it."""
    monkeypatch.setattr(precision, "has_gpu", lambda: True)
    with precision.mixed_precision(model.full):
        assert precision.xla() == "auto"
        assert model.features(pixels).dtype == "float16"
        assert model.full(pixels).dtype == "float32"
        model.full.compile(keras.optimizers.Adam(use_ema=True), "categorical_crossentropy", jit_compile=False)
        model.full.train_on_batch(pixels, np.eye(2)[[0, 1, 0, 1]])
        assert {variable.dtype for variable in model.full.trainable_variables} == {"float32"}
        with averaged(model.full):
            save_model(model.full, tmp_path / "model.keras")
    saved = keras.models.load_model(tmp_path / "model.keras", compile=False)
    assert {layer.dtype_policy.name for layer in saved._flatten_layers()} == {"float32"}
    assert model.features(pixels).dtype == "float32"
