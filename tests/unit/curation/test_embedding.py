import shutil

import numpy as np
import pytest

from shutterless.curation.embedding import embed
from shutterless.dataset.scan import load_dataset
from shutterless.errors import InputError
from shutterless.runtime.image.decoder import InputSpec


class MeanColour:
    """An embedder whose features are the mean colour; it counts the photos that it gets."""

    name, identity, input = "mean colour", "mean", InputSpec(8, 8)

    def __init__(self) -> None:
        self.photos = 0

    def features(self, pixels):
        self.photos += len(pixels)
        return pixels.mean(axis=(1, 2)).astype(np.float32)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "features.sqlite"


def test_each_photo_is_computed_once(colour_photos, file):
    dataset, embedder = load_dataset(colour_photos), MeanColour()
    first = embed(colour_photos, dataset.photos, embedder, cache_file=file)
    second = embed(colour_photos, dataset.photos[::-1], embedder, cache_file=file)
    assert first.shape == (63, 3) and np.array_equal(first, second[::-1])
    assert [dataset.photos[row].label for row in (0, -1)] == ["blue", "red"]
    assert first[0].argmax() == 2 and first[-1].argmax() == 0
    assert embedder.photos == 63


def test_a_copy_is_not_computed_again_and_a_new_photo_is(colour_photos, tmp_path, file):
    root = shutil.copytree(colour_photos, tmp_path / "photos")
    embedder = MeanColour()
    embed(root, load_dataset(root).photos, embedder, cache_file=file)
    shutil.copy(root / "train/red/00.png", root / "train/red/copy.png")
    shutil.copy(root / "train/red/00.png", root / "train/red/new.png")
    with (root / "train/red/new.png").open("ab") as stream:
        stream.write(b"another hash")
    features = embed(root, load_dataset(root).photos, embedder, cache_file=file)
    assert len(features) == 65 and embedder.photos == 64


def test_ctrl_c_loses_nothing_that_was_computed(colour_photos, file, monkeypatch):
    monkeypatch.setattr("shutterless.curation.embedding.CHUNK", 20)
    photos, embedder = load_dataset(colour_photos).photos, MeanColour()

    def press(what, number, total):
        if number >= 40:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        embed(colour_photos, photos, embedder, cache_file=file, progress=press)
    embed(colour_photos, photos, embedder, cache_file=file)
    assert embedder.photos == 63


def test_features_that_are_not_finite_are_refused(colour_photos, file):
    photos, embedder = load_dataset(colour_photos).photos, MeanColour()
    embedder.features = lambda pixels: np.full((len(pixels), 2), np.nan)
    with pytest.raises(InputError) as caught:
        embed(colour_photos, photos, embedder, cache_file=file)
    assert caught.value.code == "not-finite-features"
    assert photos[0].path in caught.value.message
