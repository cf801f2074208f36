import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from shutterless.dataset import Photo
from shutterless.evaluation import Predictions
from shutterless.evaluation.robustness import (
    BLUR,
    CONDITIONS,
    DARKNESS,
    NOISE,
    UNCHANGED,
    choose_photos,
    measure_robustness,
    perturb,
)
from shutterless.runtime.image.decoder import InputSpec

LABELS = ("dark", "bright")
GREY = np.full((64, 64, 3), 128, np.uint8)
EDGE = np.where(np.arange(200)[None, :, None] < 100, 0, 255).repeat(200, 0).repeat(3, 2).astype(np.uint8)


@settings(max_examples=60, deadline=None)
@given(
    condition=st.sampled_from(sorted(CONDITIONS)),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    seed=st.integers(0, 2**32),
    number=st.integers(0, 1000),
)
def test_every_condition_keeps_size_and_type_and_repeats_itself(condition, height, width, seed, number):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    before = pixels.copy()
    result = perturb(pixels, condition, seed, number)
    assert (result.shape, result.dtype) == (pixels.shape, np.uint8)
    np.testing.assert_array_equal(result, perturb(pixels, condition, seed, number))
    np.testing.assert_array_equal(pixels, before)


def test_noise_has_its_deviation_and_is_another_for_each_photo():
    noise = perturb(GREY, "noise", number=1).astype(float) - 128
    assert abs(noise.std() - NOISE) < 1 and abs(noise.mean()) < 1
    assert not np.array_equal(perturb(GREY, "noise", number=1), perturb(GREY, "noise", number=2))


def test_darkness_is_an_eighth_of_the_light():
    assert (perturb(GREY, "darkness") == round(128 * DARKNESS)).all()
    assert pytest.approx(1 / 8) == DARKNESS**2.2


def test_blur_widens_an_edge_by_its_deviation():
    step = np.diff(perturb(EDGE, "blur")[100, :, 0].astype(float)) / 255
    centre = np.sum(step * np.arange(len(step)))
    deviation = np.sqrt(np.sum(step * (np.arange(len(step)) - centre) ** 2))
    assert deviation == pytest.approx(BLUR * 200, rel=0.1)


def test_jpeg_loses_detail():
    noisy = perturb(GREY, "noise")
    assert perturb(noisy, "JPEG").std() < 0.8 * noisy.std()


def test_a_rotation_turns_the_edge_and_shows_no_black_corners():
    turned = perturb(EDGE, "rotation")
    top, bottom = (np.argmax(turned[row, :, 0] > 127) for row in (50, 150))
    assert abs(abs(top - bottom) / 100 - np.tan(np.radians(15))) < 0.03
    assert perturb(GREY, "rotation").min() == 128


def test_both_directions_of_rotation_occur():
    tops = {np.argmax(perturb(EDGE, "rotation", number=number)[0, :, 0] > 127) for number in range(20)}
    assert len(tops) == 2


def test_a_crop_enlarges_what_it_keeps():
    stripes = np.where(np.arange(200)[None, :, None] % 20 < 10, 0, 255).repeat(200, 0).repeat(3, 2)
    edges = np.count_nonzero(
        np.diff((perturb(stripes.astype(np.uint8), "crop")[100, :, 0] > 127).astype(int))
    )
    assert 14 <= edges <= 17  # of 19


def test_photos_are_chosen_evenly_over_the_labels_as_far_as_there_are_enough():
    truth = np.repeat([0, 1, 2], [50, 5, 50])
    chosen = choose_photos(truth, 30, seed=1)
    assert np.bincount(truth[chosen]).tolist() in ([12, 5, 13], [13, 5, 12])
    assert (np.diff(chosen) > 0).all()
    assert not np.array_equal(chosen, choose_photos(truth, 30, seed=2))
    assert choose_photos(truth, 1000, seed=1).tolist() == list(range(105))


class BrightnessModel:
    """Calls a picture bright if its mean is above 100."""

    labels, input = LABELS, InputSpec(16, 16)

    def probabilities(self, pixels):
        is_bright = (pixels.mean(axis=(1, 2, 3)) > 100).astype(np.float32)
        return np.stack([1 - is_bright, is_bright], axis=1)


@pytest.fixture
def predictions(tmp_path):
    photos = []
    for label, shade in zip(LABELS, (50, 200), strict=True):
        (tmp_path / label).mkdir()
        for number in range(4):
            Image.new("RGB", (20, 20), (shade,) * 3).save(tmp_path / label / f"{number}.png")
            photos.append(Photo(f"{label}/{number}.png", label, "validation", f"group of {label}"))
    scores = np.eye(2, dtype=np.float32)[np.repeat([0, 1], 4)]
    return Predictions(tmp_path, tuple(photos), LABELS, BrightnessModel.input, scores)


def test_each_condition_has_the_accuracy_of_the_same_photos(predictions):
    steps = []
    conditions = measure_robustness(
        BrightnessModel(), predictions, max_photos=6, progress=lambda *step: steps.append(step)
    )
    assert list(conditions) == [UNCHANGED, *CONDITIONS]
    assert {name: figures.right for name, figures in conditions.items()} == {
        name: 3 if name == "darkness" else 6 for name in conditions
    }
    assert {figures.photos for figures in conditions.values()} == {6}
    assert conditions["darkness"].accuracy == 0.5
    assert steps[-1] == ("measuring robustness", 36, 36)


def test_photos_of_one_group_count_as_one_in_the_interval(predictions):
    (low, _) = measure_robustness(BrightnessModel(), predictions)[UNCHANGED].accuracy_interval
    assert low == pytest.approx(2 / (2 + 1.959964**2))  # of two groups, not of eight photos
