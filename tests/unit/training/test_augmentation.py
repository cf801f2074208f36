import numpy as np
import pytest

from shutterless.training.augmentation import affine_maps, augment
from shutterless.training.recipe import Augmentation


@pytest.fixture
def photos():
    return np.random.default_rng(3).integers(0, 256, (6, 16, 20, 3), dtype=np.uint8)


def test_no_augmentation_changes_nothing(photos):
    np.testing.assert_array_equal(augment(photos, Augmentation(), np.random.default_rng(0)), photos)


def test_a_flip_gives_the_photo_or_its_mirror_image_and_both_occur(photos):
    flipped = augment(photos, Augmentation(flip=True), np.random.default_rng(0))
    mirrored = [np.array_equal(after, before[:, ::-1]) for before, after in zip(photos, flipped, strict=True)]
    kept = [np.array_equal(after, before) for before, after in zip(photos, flipped, strict=True)]
    assert any(mirrored) and any(kept)
    assert all(one or other for one, other in zip(mirrored, kept, strict=True))


def test_the_same_generator_gives_the_same_photos(photos):
    everything = Augmentation(flip=True, rotation=20, zoom=0.2, shift=0.1)
    first, again, other = (augment(photos, everything, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert (first.shape, first.dtype) == (photos.shape, np.uint8)


def test_turning_and_zooming_leave_the_middle_where_it_is():
    maps = affine_maps(50, 11, 21, Augmentation(flip=True, rotation=90, zoom=0.5), np.random.default_rng(0))
    a0, a1, a2, b0, b1, b2 = maps[:, :6].T
    np.testing.assert_allclose(a0 * 10 + a1 * 5 + a2, 10)
    np.testing.assert_allclose(b0 * 10 + b1 * 5 + b2, 5)


def test_a_shift_stays_within_its_share_of_the_side():
    maps = affine_maps(200, 100, 50, Augmentation(shift=0.1), np.random.default_rng(0))
    assert 4 < np.abs(maps[:, 2]).max() <= 5
    assert 8 < np.abs(maps[:, 5]).max() <= 10
