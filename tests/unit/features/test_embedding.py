import shutil
from dataclasses import replace

import numpy as np
import pytest

from shutterless.dataset.scan import load_dataset
from shutterless.errors import InputError
from shutterless.features.embedding import cached_share, embed, embed_pixels
from shutterless.runtime.image.decoder import InputSpec, decode


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


def test_mirror_images_have_features_of_their_own(colour_photos, file):
    class LeftColumn(MeanColour):
        def features(self, pixels):
            self.photos += len(pixels)
            return pixels[:, :, 0].mean(axis=1).astype(np.float32)

    photos, embedder = load_dataset(colour_photos).photos, LeftColumn()
    plain = embed(colour_photos, photos[:40], embedder, cache_file=file)
    both = embed(colour_photos, photos, embedder, mirrored=True, cache_file=file)
    assert both.shape == (126, 3) and embedder.photos == 126
    np.testing.assert_array_equal(both[:40], plain)
    right = [
        np.asarray(decode((colour_photos / photo.path).read_bytes(), embedder.input))[:, -1]
        for photo in photos
    ]
    np.testing.assert_allclose(both[63:], np.mean(right, axis=1), rtol=1e-6)


def test_photos_without_a_hash_are_not_cached(colour_photos, file):
    photos, embedder = (
        [replace(photo, sha256="") for photo in load_dataset(colour_photos).photos],
        MeanColour(),
    )
    features = [embed(colour_photos, photos, embedder, cache_file=file) for _ in range(2)]
    np.testing.assert_array_equal(*features)
    assert len(np.unique(features[0], axis=0)) == 63 and embedder.photos == 126
    assert not file.exists()


def test_the_share_that_is_cached_counts_mirror_images_too(colour_photos, file):
    photos, embedder = load_dataset(colour_photos).photos, MeanColour()
    assert cached_share(photos, embedder, cache_file=file) == 0
    embed(colour_photos, photos[:31], embedder, cache_file=file)
    assert 0.4 < cached_share(photos, embedder, cache_file=file) < 0.6
    assert cached_share(photos[:31], embedder, cache_file=file) == 1
    assert cached_share(photos[:31], embedder, mirrored=True, cache_file=file) == 0.5


def test_pixels_are_computed_once(file):
    pixels, embedder = np.random.default_rng(0).integers(0, 256, (100, 8, 8, 3), np.uint8), MeanColour()
    first = embed_pixels(pixels[:70], embedder, cache_file=file)
    both = embed_pixels(pixels[::-1], embedder, cache_file=file)
    assert embedder.photos == 100
    np.testing.assert_array_equal(both[::-1][:70], first)
    np.testing.assert_allclose(both[::-1], pixels.mean(axis=(1, 2)), rtol=1e-6)


def test_ctrl_c_loses_nothing_that_was_computed(colour_photos, file, monkeypatch):
    monkeypatch.setattr("shutterless.features.embedding.CHUNK", 20)
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
