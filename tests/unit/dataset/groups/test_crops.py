import numpy as np
import pytest
from PIL import Image, ImageEnhance

from shutterless.dataset.groups.crops import find_crops
from shutterless.utils.progress import silent


def scene(seed: int) -> Image.Image:
    """Return a picture with detail of its own: coarse and fine random light."""
    rng = np.random.default_rng(seed)
    layers = [
        np.asarray(Image.fromarray(rng.integers(0, 256, (side, side), np.uint8)).resize((240, 240)), float)
        for side in (6, 12, 30)
    ]
    return Image.fromarray(np.mean(layers, axis=0).astype(np.uint8))


def grey(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.resize((64, 64), Image.Resampling.BILINEAR, reducing_gap=3))


def crops(pictures: list[Image.Image]) -> set[tuple[int, int]]:
    """Return the pairs found, each in order."""
    pairs = find_crops(np.stack([grey(picture) for picture in pictures]), silent)
    return {(min(pair), max(pair)) for pair in pairs}


STRANGERS = [scene(seed) for seed in range(100, 120)]


@pytest.mark.parametrize("box", [(0, 0, 200, 220), (30, 12, 232, 228), (10, 40, 236, 236)])
def test_a_crop_in_another_light_belongs_to_its_photo_and_strangers_do_not(box):
    crop = ImageEnhance.Brightness(scene(1).crop(box)).enhance(0.8)
    assert crops([scene(1), *STRANGERS, crop]) == {(0, 21)}


def test_two_crops_of_one_photo_belong_together_without_the_photo():
    first, second = (scene(1).crop(box) for box in ((0, 0, 222, 226), (10, 8, 240, 240)))
    assert crops([first, second, *STRANGERS]) == {(0, 1)}


def test_the_same_background_with_another_thing_is_no_crop():
    background = Image.linear_gradient("L").resize((240, 240))
    pictures = [background.copy() for _ in range(2)]
    for picture, seed in zip(pictures, (1, 2), strict=True):
        picture.paste(scene(seed).resize((120, 120)), (60, 60))
    assert crops([*pictures, *STRANGERS]) == set()


def test_two_photos_are_compared_without_others():
    assert crops([scene(1), scene(2)]) == set()
    assert crops([scene(1), scene(1)]) == {(0, 1)}
