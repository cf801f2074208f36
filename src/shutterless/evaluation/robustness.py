"""Measure how a model copes with worse photos: blurred, noisy, dark, compressed, rotated and cropped ones.

Each condition changes pixels of the model's input, after decoding and resizing, as the benchmark ImageNet-C
does (Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions and
Perturbations", 2019). So it means the same for a photo of 1 and of 12 megapixels.
"""

import io
import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from shutterless.dataset import read_pixels
from shutterless.evaluation.intervals import effective_photos, wilson_interval
from shutterless.evaluation.metrics import ConditionMetrics
from shutterless.evaluation.predict import CHUNK, Predictions, Predictor
from shutterless.utils.progress import Progress, silent

Pixels = npt.NDArray[np.uint8]
Perturbation = Callable[[Pixels, np.random.Generator], Pixels]

MAX_PHOTOS, SEED = 100, 42
UNCHANGED = "unchanged"
# Standard deviation of the blur as a share of the shorter side, and of the noise in values of 0 to 255.
BLUR, NOISE = 0.01, 30.0
# An eighth of the light: three stops underexposed, at a gamma of 2.2.
DARKNESS = 0.125 ** (1 / 2.2)
JPEG_QUALITY = 20
ROTATION = 15.0  # degrees
CROP = 0.8  # of each side


def blur(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Blur a picture, as if it were out of focus."""
    picture = Image.fromarray(pixels)
    return np.asarray(picture.filter(ImageFilter.GaussianBlur(BLUR * min(picture.size))))


def add_noise(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Add Gaussian noise, as a sensor has it in little light."""
    return np.rint(pixels + rng.normal(0, NOISE, pixels.shape)).clip(0, 255).astype(np.uint8)


def darken(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Darken a picture, as if it were underexposed."""
    return np.rint(pixels * DARKNESS).astype(np.uint8)


def compress(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Save a picture as a small JPEG and load it again."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=JPEG_QUALITY)
    return np.asarray(Image.open(file))


def rotate(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Rotate a picture to the left or to the right; its corners are filled with its mirror image."""
    height, width, _ = pixels.shape
    margin = math.ceil(max(height, width) * math.sin(math.radians(ROTATION)))
    padded = Image.fromarray(np.pad(pixels, ((margin, margin), (margin, margin), (0, 0)), "symmetric"))
    angle = float(rng.choice((-ROTATION, ROTATION)))
    rotated = padded.rotate(angle, Image.Resampling.BILINEAR)
    return np.asarray(rotated.crop((margin, margin, margin + width, margin + height)))


def crop(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Cut out a part of a picture at random, and enlarge it to the picture's size."""
    height, width, _ = pixels.shape
    rows, columns = max(1, round(CROP * height)), max(1, round(CROP * width))
    y, x = int(rng.integers(height - rows + 1)), int(rng.integers(width - columns + 1))
    box = (x, y, x + columns, y + rows)
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC, box))


class Condition(NamedTuple):
    """One way in which photos can be worse.

    Attributes:
        description: What is done to a photo.
        perturb: Does it to uint8[height, width, 3]; random numbers come from the generator alone.
    """

    description: str
    perturb: Perturbation


CONDITIONS = {
    "blur": Condition(f"Gaussian, σ = {BLUR:.0%} of the shorter side".replace("%", " %"), blur),
    "noise": Condition(f"Gaussian, σ = {NOISE:.0f} of 255", add_noise),
    "darkness": Condition("an eighth of the light", darken),
    "JPEG": Condition(f"saved at quality {JPEG_QUALITY}", compress),
    "rotation": Condition(f"by {ROTATION:.0f}° to the left or right", rotate),
    "crop": Condition(f"{CROP:.0%} of each side, enlarged".replace("%", " %"), crop),
}


def measure_robustness(
    model: Predictor,
    predictions: Predictions,
    *,
    max_photos: int = MAX_PHOTOS,
    seed: int = SEED,
    progress: Progress = silent,
) -> dict[str, ConditionMetrics]:
    """Measure a model's accuracy under each of `CONDITIONS`, on some of the photos that it was measured on.

    Args:
        model: The model.
        predictions: Its answers to the photos as they are.
        max_photos: Number of photos to measure, spread evenly over the labels.
        seed: Seed of the choice of photos and of all perturbations; equal seeds give equal pixels.
        progress: Called for each photo and condition.

    Returns:
        Condition → accuracy; the photos as they are come first, as "unchanged".

    Raises:
        DatasetError: A photo is gone or damaged since it was measured.
    """
    sample = choose_photos(predictions.truth, max_photos, seed)
    photos = [predictions.photos[index] for index in sample]
    groups = [photo.group or photo.path for photo in photos]
    truth = predictions.truth[sample]
    pixels = read_pixels(predictions.root, photos, predictions.input, progress)
    guesses = {UNCHANGED: predictions.probabilities[sample].argmax(axis=1)}
    perturbed = _guess(model, _perturb_all(pixels, seed), len(photos) * len(CONDITIONS), progress)
    guesses |= dict(zip(CONDITIONS, np.split(perturbed, len(CONDITIONS)), strict=True))
    return {name: _measure((guess == truth).tolist(), groups) for name, guess in guesses.items()}


def _measure(right: Sequence[bool], groups: Sequence[str]) -> ConditionMetrics:
    hits, photos, size = sum(right), len(right), effective_photos(right, groups)
    interval = wilson_interval(hits / photos * size, size)
    return ConditionMetrics(photos, hits, hits / photos, interval)


def choose_photos(truth: npt.NDArray[np.int64], count: int, seed: int) -> npt.NDArray[np.int64]:
    """Choose photos at random, equally many of each label as far as there are enough.

    Args:
        truth: Index of each photo's label, int64[photos].
        count: How many to choose at most.
        seed: Seed of the choice.

    Returns:
        Indices in ascending order, int64[chosen].
    """
    order = np.random.default_rng(seed).permutation(len(truth))
    rank = np.empty(len(truth), np.int64)  # of each photo among those of its label
    for label in np.unique(truth):
        of_label = order[truth[order] == label]
        rank[of_label] = np.arange(len(of_label))
    return np.sort(order[np.argsort(rank[order], kind="stable")][:count])


def perturb(pixels: Pixels, condition: str, seed: int = SEED, number: int = 0) -> Pixels:
    """Return a photo under a condition; equal arguments give equal pixels.

    Args:
        pixels: The model's input, uint8[height, width, 3].
        condition: One of `CONDITIONS`.
        seed: Seed of the random numbers.
        number: Number of the photo, so that each gets its own random numbers.

    Returns:
        uint8[height, width, 3].
    """
    return CONDITIONS[condition].perturb(pixels, np.random.default_rng((seed, number)))


def _perturb_all(pixels: Pixels, seed: int) -> Iterator[Pixels]:
    for condition in CONDITIONS:
        for number, photo in enumerate(pixels):
            yield perturb(photo, condition, seed, number)


def _guess(
    model: Predictor, pictures: Iterator[Pixels], total: int, progress: Progress
) -> npt.NDArray[np.int64]:
    """Return the most probable label of each picture, int64[pictures], a chunk at a time."""
    guesses: list[npt.NDArray[np.int64]] = []
    for start in range(0, total, CHUNK):
        chunk = [next(pictures) for _ in range(start, min(start + CHUNK, total))]
        guesses.append(model.probabilities(np.stack(chunk)).argmax(axis=1))
        progress("measuring robustness", start + len(chunk), total)
    return np.concatenate(guesses)
