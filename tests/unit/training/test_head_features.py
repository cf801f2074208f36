"""The features that a head is trained on come from the cache."""

import csv

import numpy as np
import pytest

from shutterless.curation.networks import load_network
from shutterless.dataset import load_dataset
from shutterless.features.embedding import embed
from shutterless.features.network import Network
from shutterless.training import load_run, train

pytestmark = pytest.mark.slow

# Of 36 training photos and their mirror images, and of 18 validation photos. The saved model is measured on
# the pixels of the latter, and of 9 test photos.
FEATURES = 2 * 36 + 18 + 18 + 9
RECIPE = """
name = "head"
description = ""

[head_training]
epochs = 3
batch_size = 8
learning_rate = 1e-2
mirrored = true
"""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    file = tmp_path_factory.mktemp("recipe") / "head.toml"
    file.write_text(RECIPE)
    return file


@pytest.fixture
def computed(monkeypatch):
    """Return the numbers of photos that networks have computed the features of, without those of noise."""
    numbers, features = [], Network.features

    def count(self, pixels):
        if len(pixels) > 1:
            numbers.append(len(pixels))
        return features(self, pixels)

    monkeypatch.setattr(Network, "features", count)
    return numbers


@pytest.fixture
def train_head(colour_photos, recipe, tmp_path):
    def run(name, **options):
        return train(
            colour_photos,
            tmp_path / name,
            recipe=recipe,
            backbone="tiny",
            image_size=32,
            report=False,
            **options,
        )

    return run


def losses(run):
    with (run.path / "history.csv").open() as stream:
        return [[line["loss"], line["val_loss"]] for line in csv.DictReader(stream)]


def test_a_second_training_computes_no_features_and_is_equal_to_the_bit(
    train_head, computed, monkeypatch, tmp_path, colour_photos
):
    monkeypatch.setattr("shutterless.features.cache.cache_folder", lambda name: tmp_path / "cache")
    first = train_head("first")
    assert sum(computed) == FEATURES
    second = train_head("second")
    assert sum(computed) == FEATURES
    assert losses(first) == losses(second)
    for one, other in zip(first.model.get_weights(), second.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    embed(colour_photos, load_dataset(colour_photos).of("train"), load_network(first.path))
    assert sum(computed) == FEATURES  # `dataset inspect --features` finds them, too


def test_the_head_on_cached_features_answers_as_the_model_does(train_head):
    run = train_head("run")
    pixels = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), np.uint8)
    assert run.predictor.input == run.input
    np.testing.assert_allclose(run.predictor.probabilities(pixels), run.probabilities(pixels), atol=1e-6)


def test_a_trained_network_answers_itself(colour_run):
    run = load_run(colour_run)
    assert run.predictor is run


def test_without_a_cache_the_result_is_the_same(train_head, monkeypatch, tmp_path):
    monkeypatch.setattr("shutterless.features.cache.cache_folder", lambda name: tmp_path / "cache")
    cached = [train_head(name) for name in ("computed", "cached")][1]
    monkeypatch.setattr("shutterless.features.embedding.default_file", lambda: None)
    assert losses(train_head("without")) == losses(load_run(cached.path))
