import numpy as np
import pytest
from keras.src.legacy.preprocessing.image import apply_affine_transform

from shutterless.training.augmentation import (
    affine_matrices,
    augment,
    augmented_copies,
    cutmix,
    jitter_colours,
    mixup,
    sample_affine_params,
)
from shutterless.training.recipe import Augmentation, load_recipe


@pytest.fixture
def photos():
    return np.random.default_rng(3).integers(0, 256, (6, 16, 20, 3), dtype=np.uint8)


def matrices_of(n, height, width, augmentation, seed=0):
    params = sample_affine_params(n, height, width, augmentation, np.random.default_rng(seed))
    return affine_matrices(params, height, width)


def test_no_augmentation_changes_nothing(photos):
    np.testing.assert_array_equal(augment(photos, Augmentation(), np.random.default_rng(0)), photos)


def test_a_flip_gives_the_photo_or_its_mirror_image_and_both_occur(photos):
    flipped = augment(photos, Augmentation(flip=True), np.random.default_rng(0))
    mirrored = [np.array_equal(after, before[:, ::-1]) for before, after in zip(photos, flipped, strict=True)]
    kept = [np.array_equal(after, before) for before, after in zip(photos, flipped, strict=True)]
    assert any(mirrored) and any(kept)
    assert all(one or other for one, other in zip(mirrored, kept, strict=True))


def test_the_same_generator_gives_the_same_photos(photos):
    everything = Augmentation(flip=True, rotation=20, zoom=0.2, aspect=0.1, shift=0.1, shear=5, hue=30)
    first, again, other = (augment(photos, everything, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert (first.shape, first.dtype) == (photos.shape, np.uint8)


def test_turning_shearing_and_zooming_leave_the_middle_where_it_is():
    matrices = matrices_of(50, 11, 21, Augmentation(flip=True, rotation=90, zoom=0.5, shear=30))
    a0, a1, a2, b0, b1, b2 = matrices[:, :6].T
    np.testing.assert_allclose(a0 * 10 + a1 * 5 + a2, 10)
    np.testing.assert_allclose(b0 * 10 + b1 * 5 + b2, 5)


def test_a_shift_stays_within_its_share_of_the_side():
    matrices = matrices_of(200, 100, 50, Augmentation(shift=0.1))
    assert 4 < np.abs(matrices[:, 2]).max() <= 5
    assert 8 < np.abs(matrices[:, 5]).max() <= 10


def test_only_like_keras_zooms_height_and_width_apart():
    alike, apart = (
        sample_affine_params(9, 10, 10, Augmentation(zoom=0.2, like_keras=like), np.random.default_rng(0))
        for like in (False, True)
    )
    np.testing.assert_array_equal(alike.zoom_x, alike.zoom_y)
    assert not np.array_equal(apart.zoom_x, apart.zoom_y)
    assert all(0.8 <= zoom <= 1.2 for zoom in (*apart.zoom_x, *apart.zoom_y))


def test_aspect_draws_height_and_width_apart_and_keeps_the_area():
    params = sample_affine_params(200, 10, 10, Augmentation(aspect=0.2), np.random.default_rng(0))
    np.testing.assert_allclose(params.zoom_x * params.zoom_y, 1)
    ratios = params.zoom_x / params.zoom_y
    assert 0.8 <= ratios.min() < 0.85 and 1.15 < ratios.max() <= 1.2


def jittered(pixels, **ranges):
    return jitter_colours(np.asarray(pixels, np.float32), Augmentation(**ranges), np.random.default_rng(0))


def test_brightness_multiplies_each_photo_by_one_figure(photos):
    factors = jittered(1.0 + photos, brightness=0.3) / (1.0 + photos)
    assert np.ptp(factors, axis=(1, 2, 3)).max() < 1e-5
    assert 0.7 <= factors.min() < 1 < factors.max() <= 1.3


def test_contrast_leaves_the_mean_of_a_photo_and_changes_its_spread(photos):
    after = jittered(photos, contrast=0.3)
    np.testing.assert_allclose(after.mean((1, 2, 3)), photos.mean((1, 2, 3)), rtol=1e-4)
    ratio = after.std((1, 2, 3)) / photos.std((1, 2, 3))
    assert 0.7 <= ratio.min() < 1 < ratio.max() <= 1.3


def test_saturation_and_hue_leave_grey_as_it_is(photos):
    grey = np.repeat(photos[..., :1], 3, axis=3)
    np.testing.assert_allclose(jittered(grey, saturation=0.8, hue=90), grey, atol=1e-3)
    coloured = jittered(photos, saturation=0.8, hue=90)
    np.testing.assert_allclose(coloured.mean(3), photos.mean(3), atol=1e-3)
    assert np.abs(coloured - photos).max() > 20


def test_a_third_of_a_turn_exchanges_the_primaries():
    red = np.broadcast_to(np.float32([200, 0, 0]), (50, 2, 2, 3))
    turned = jittered(red, hue=120)[:, 0, 0]
    np.testing.assert_allclose(np.linalg.norm(turned, axis=1), 200, rtol=1e-4)
    greenest = turned[turned[:, 1].argmax()]
    np.testing.assert_allclose(greenest, [0, 200, 0], atol=25)


@pytest.mark.filterwarnings("ignore:Please import `affine_transform`:DeprecationWarning")  # Keras's import
def test_like_keras_transforms_photos_as_its_image_data_generator_does(photos):
    augmentation = load_recipe("tutorial").frozen_training.augmentation.model_copy(update={"shear": 12})
    photos = photos[:, :, :16]  # it takes height for width where they differ
    params = sample_affine_params(len(photos), 16, 16, augmentation, np.random.default_rng(5))
    ours = augment(photos, augmentation, np.random.default_rng(5))
    for number, photo in enumerate(photos):
        theirs = apply_affine_transform(
            photo.astype("float32"),
            theta=np.degrees(params.angle[number]),
            tx=params.shift_x[number],
            ty=params.shift_y[number],
            shear=np.degrees(params.shear[number]),
            zx=params.zoom_x[number],
            zy=params.zoom_y[number],
            row_axis=0,
            col_axis=1,
            channel_axis=2,
            fill_mode="nearest",
            order=1,
        )
        theirs = theirs if params.mirror[number] == 1 else theirs[:, ::-1]
        assert np.abs(theirs - ours[number]).max() < 1.5  # rounded to whole levels, in float32


def test_copies_of_one_photo_differ_and_the_seed_gives_the_same_ones(photos):
    augmentation = Augmentation(rotation=20, zoom=0.2)
    copies = augmented_copies(photos[0], augmentation, seed=4)
    assert (copies.shape, copies.dtype) == ((10, 16, 20, 3), np.uint8)
    assert len({copy.tobytes() for copy in copies}) == 10
    np.testing.assert_array_equal(copies, augmented_copies(photos[0], augmentation, seed=4))


@pytest.mark.parametrize("mix", [mixup, cutmix])
def test_mixing_blends_targets_as_it_blends_photos(mix):
    """Black photos of the first label and white ones of the second: the brightness is the second's share."""
    white = np.arange(8) % 2
    pixels = np.broadcast_to(255 * white[:, None, None, None], (8, 20, 20, 3)).astype(np.uint8)
    mixed, targets = mix(pixels, np.eye(2, dtype=np.float32)[white], 1.0, np.random.default_rng(0))
    assert (mixed.dtype, mixed.shape, targets.dtype) == (np.uint8, pixels.shape, np.float32)
    np.testing.assert_allclose(mixed.mean(axis=(1, 2, 3)) / 255, targets[:, 1], atol=0.002)
    np.testing.assert_allclose(targets.sum(axis=1), 1, rtol=1e-6)
    assert ((targets > 0.05) & (targets < 0.95)).any()


def test_cutmix_pastes_whole_pixels_and_mixup_lays_them_over_each_other():
    pixels = np.broadcast_to(np.array([0, 200])[:, None, None, None], (2, 20, 20, 3)).astype(np.uint8)
    for mix, whole in ((cutmix, True), (mixup, False)):
        values = {
            value
            for seed in range(9)
            for value in np.unique(mix(pixels, np.eye(2), 1.0, np.random.default_rng(seed))[0])
        }
        assert (values == {0, 200}) is whole
