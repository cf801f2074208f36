"""Data augmentation: random changes of geometry, in one resampling, and of colour; mixup and cutmix."""

from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import numpy.typing as npt

from shutterless.dataset import Photo, read_pixels
from shutterless.training.recipe import Augmentation
from shutterless.training.run import Run


def augment(pixels: np.ndarray, augmentation: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """Flip, rotate, shear, zoom, shift and recolour each photo by random amounts.

    All geometric changes are combined into one affine map, so that a photo is interpolated once and not
    five times. Outside the photo is its mirror image or, with `like_keras`, its repeated edge.

    Args:
        pixels: uint8[n, height, width, 3].
        augmentation: The ranges of the changes.
        rng: Where the random numbers come from.

    Returns:
        The changed photos, uint8[n, height, width, 3].
    """
    n, height, width, _ = pixels.shape
    matrices = affine_matrices(sample_affine_params(n, height, width, augmentation, rng), height, width)
    photos = keras.ops.image.affine_transform(
        pixels.astype("float32"),
        matrices.astype("float32"),
        interpolation="bilinear",
        fill_mode="nearest" if augmentation.like_keras else "reflect",
    )
    colours = jitter_colours(keras.ops.convert_to_numpy(photos), augmentation, rng)
    return np.rint(colours).clip(0, 255).astype(np.uint8)


def augmented_copies(
    pixels: npt.NDArray[np.uint8], augmentation: Augmentation, count: int = 10, seed: int = 42
) -> npt.NDArray[np.uint8]:
    """Augment one photo several times, as training does.

    Args:
        pixels: The photo, uint8[height, width, 3].
        augmentation: The ranges of the changes.
        count: Number of copies.
        seed: The same seed gives the same copies.

    Returns:
        uint8[count, height, width, 3].
    """
    copies = np.repeat(pixels[np.newaxis], count, axis=0)
    return augment(copies, augmentation, np.random.default_rng(seed))


def augmented_example(run: Run, root: Path, photo: Photo) -> list[np.ndarray]:
    """Augment a photo ten times as the last phase of a run did.

    Args:
        run: The run.
        root: The folder that the photo's path is relative to.
        photo: The photo.

    Returns:
        Ten copies, uint8[height, width, 3] each; none if that phase used no augmentation.
    """
    *_, last = run.recipe.phases(pretrained=run.settings.weights != "none").values()
    augmentation = getattr(last, "augmentation", None)
    if augmentation is None:
        return []
    (pixels,) = read_pixels(root, [photo], run.input)
    return list(augmented_copies(pixels, augmentation))


class AffineParams(NamedTuple):
    """The parameters of n random affine maps, one for each photo.

    Attributes:
        angle: Rotation in radians, float64[n].
        shear: Shear in radians, float64[n].
        zoom_x: Share of the width that is visible, float64[n].
        zoom_y: Share of the height that is visible, float64[n].
        shift_x: In pixels, float64[n].
        shift_y: In pixels, float64[n].
        mirror: -1 to exchange left and right, otherwise 1, float64[n].
        shift_first: Shift before the rotation instead of after it.
    """

    angle: np.ndarray
    shear: np.ndarray
    zoom_x: np.ndarray
    zoom_y: np.ndarray
    shift_x: np.ndarray
    shift_y: np.ndarray
    mirror: np.ndarray
    shift_first: bool = False


def sample_affine_params(
    n: int, height: int, width: int, augmentation: Augmentation, rng: np.random.Generator
) -> AffineParams:
    """Draw the parameters for `n` photos of `height` × `width` pixels, uniformly from their ranges."""
    angle = np.radians(rng.uniform(-augmentation.rotation, augmentation.rotation, n))
    zoom_x = zoom_y = 1 + rng.uniform(-augmentation.zoom, augmentation.zoom, n)
    shift_x = rng.uniform(-augmentation.shift, augmentation.shift, n) * width
    shift_y = rng.uniform(-augmentation.shift, augmentation.shift, n) * height
    mirror = np.where(augmentation.flip & (rng.random(n) < 0.5), -1.0, 1.0)
    shear = np.radians(rng.uniform(-augmentation.shear, augmentation.shear, n))
    if augmentation.aspect:
        ratio = np.sqrt(1 + rng.uniform(-augmentation.aspect, augmentation.aspect, n))
        zoom_x, zoom_y = zoom_x * ratio, zoom_y / ratio
    if augmentation.like_keras:
        zoom_y = 1 + rng.uniform(-augmentation.zoom, augmentation.zoom, n)
    return AffineParams(angle, shear, zoom_x, zoom_y, shift_x, shift_y, mirror, augmentation.like_keras)


def affine_matrices(params: AffineParams, height: int, width: int) -> np.ndarray:
    """Combine mirror, zoom, shear, rotation and shift into one affine map for each photo.

    They are multiplied in this order, as in `apply_affine_transform` of Keras's ImageDataGenerator. All
    except the shift keep the centre of the photo in place.

    Args:
        params: The parameters of n photos.
        height: Of the photos, in pixels.
        width: Of the photos, in pixels.

    Returns:
        float64[n, 8], as `keras.ops.image.affine_transform` takes them: in (a0, a1, a2, b0, b1, b2, 0, 0)
        the output point (x, y) shows the input point (a0 x + a1 y + a2, b0 x + b1 y + b2).
    """
    # The shear rotates the y axis further than the x axis.
    sin, cos, y_angle = np.sin(params.angle), np.cos(params.angle), params.angle + params.shear
    a0, b0 = params.mirror * params.zoom_x * cos, params.mirror * params.zoom_x * sin
    a1, b1 = -params.zoom_y * np.sin(y_angle), params.zoom_y * np.cos(y_angle)
    shift_x, shift_y = params.shift_x, params.shift_y
    if params.shift_first:
        shift_x, shift_y = cos * shift_x - sin * shift_y, sin * shift_x + cos * shift_y
    centre_x, centre_y = (width - 1) / 2, (height - 1) / 2
    a2 = centre_x - a0 * centre_x - a1 * centre_y + shift_x
    b2 = centre_y - b0 * centre_x - b1 * centre_y + shift_y
    zero = np.zeros_like(a0)
    return np.stack([a0, a1, a2, b0, b1, b2, zero, zero], axis=1)


def jitter_colours(pixels: np.ndarray, augmentation: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """Change brightness, contrast, saturation and hue of each photo by random amounts.

    All of it is one linear map of red, green and blue. Saturation moves a colour away from its grey or
    towards it. Hue rotates it about the grey axis (1, 1, 1), by Rodrigues' formula. Contrast moves it away
    from the photo's mean grey or towards it.

    Args:
        pixels: float32[n, height, width, 3], 0 to 255.
        augmentation: The ranges of the changes.
        rng: Where the random numbers come from.

    Returns:
        float32[n, height, width, 3], not clipped to 0 to 255.
    """
    if not (augmentation.brightness or augmentation.contrast or augmentation.saturation or augmentation.hue):
        return pixels
    n = len(pixels)
    brightness, contrast, saturation = (
        1 + rng.uniform(-share, share, (n, 1, 1)).astype(np.float32)
        for share in (augmentation.brightness, augmentation.contrast, augmentation.saturation)
    )
    angles = np.radians(rng.uniform(-augmentation.hue, augmentation.hue, n))[:, None, None]
    cross_product = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / np.sqrt(3)
    rotations = np.cos(angles) * np.eye(3) + np.sin(angles) * cross_product + (1 - np.cos(angles)) / 3
    grey = np.full((3, 3), 1 / 3, np.float32)
    maps = brightness * contrast * (saturation * rotations.astype(np.float32) + (1 - saturation) * grey)
    mean = pixels.mean(axis=(1, 2, 3))[:, None, None]
    colours = pixels.reshape(n, -1, 3) @ maps.transpose(0, 2, 1) + brightness * (1 - contrast) * mean
    return colours.reshape(pixels.shape)


def mixup(
    pixels: np.ndarray, targets: np.ndarray, alpha: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Blend each photo, or its activations, and its target with another one of the batch.

    The shares follow Beta(alpha, alpha), one for each photo (Zhang et al., "mixup: Beyond Empirical Risk
    Minimization", 2018).

    Args:
        pixels: uint8[n, height, width, 3].
        targets: float32[n, labels].
        alpha: The larger, the stronger the photos are blended.
        rng: Where the random numbers come from.

    Returns:
        The blended photos and targets, with the same shapes and types.
    """
    other = rng.permutation(len(pixels))
    share = rng.beta(alpha, alpha, len(pixels)).astype(np.float32)
    blend = share[:, None, None, None] * pixels + (1 - share)[:, None, None, None] * pixels[other]
    rounded = np.rint(blend) if pixels.dtype == np.uint8 else blend
    return rounded.astype(pixels.dtype), _blend(targets, other, share)


def cutmix(
    pixels: np.ndarray, targets: np.ndarray, alpha: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Paste a rectangle of another photo of the batch into each photo, and blend the targets by its area.

    The shares that are not pasted over follow Beta(alpha, alpha), one for each photo (Yun et al., "CutMix:
    Regularization Strategy to Train Strong Classifiers with Localizable Features", 2019).

    Args:
        pixels: uint8[n, height, width, 3].
        targets: float32[n, labels].
        alpha: 1 makes all areas equally likely.
        rng: Where the random numbers come from.

    Returns:
        The photos and the blended targets, with the same shapes and types.
    """
    n, height, width, _ = pixels.shape
    other, side = rng.permutation(n), np.sqrt(1 - rng.beta(alpha, alpha, n))
    inside = (
        _sample_intervals(height, side, rng)[:, :, None] & _sample_intervals(width, side, rng)[:, None, :]
    )
    share = 1 - inside.mean(axis=(1, 2), dtype=np.float32)
    return np.where(inside[..., None], pixels[other], pixels), _blend(targets, other, share)


def _sample_intervals(length: int, shares: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return bool[n, length], True on an interval of the given share about a random centre."""
    centre, half = rng.integers(length, size=len(shares)), np.rint(shares * length / 2).astype(int)
    places = np.arange(length)
    return (places >= (centre - half)[:, None]) & (places < (centre + half)[:, None])


def _blend(targets: np.ndarray, other: np.ndarray, share: np.ndarray) -> np.ndarray:
    return (share[:, None] * targets + (1 - share)[:, None] * targets[other]).astype(np.float32)
