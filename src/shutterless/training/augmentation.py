"""Random changes of training photos: of geometry, in one resampling, of colour, and mixtures of two."""

from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import numpy.typing as npt

from shutterless.dataset import Photo, read_pixels
from shutterless.training.recipe import Augmentation
from shutterless.training.run import Run


def augment(pixels: np.ndarray, augmentation: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """Flip, turn, shear, zoom, shift and recolour each photo of uint8[n, height, width, 3].

    The same shape comes back. All that moves is multiplied into one affine map, so that a photo is blurred
    by interpolation once and not five times. What comes in from outside is the photo's own mirror image,
    or its edge drawn out.
    """
    n, height, width, _ = pixels.shape
    maps = affine_maps(draw_moves(n, height, width, augmentation, rng), height, width)
    moved = keras.ops.image.affine_transform(
        pixels.astype("float32"),
        maps.astype("float32"),
        interpolation="bilinear",
        fill_mode="nearest" if augmentation.like_keras else "reflect",
    )
    recoloured = recolour(keras.ops.convert_to_numpy(moved), augmentation, rng)
    return np.rint(recoloured).clip(0, 255).astype(np.uint8)


def augmented_copies(
    pixels: npt.NDArray[np.uint8], augmentation: Augmentation, count: int = 10, seed: int = 42
) -> npt.NDArray[np.uint8]:
    """Return `count` copies uint8[count, height, width, 3] of one photo uint8[height, width, 3].

    They differ as the copies differ that training sees; the same seed gives the same ones.
    """
    copies = np.repeat(pixels[np.newaxis], count, axis=0)
    return augment(copies, augmentation, np.random.default_rng(seed))


def augmented_example(run: Run, root: Path, photo: Photo) -> list[np.ndarray]:
    """Return ten copies uint8[height, width, 3] of a photo below `root`, as the run's last phase changed it.

    None if that phase changed nothing.
    """
    *_, last = run.recipe.phases(pretrained=run.settings.weights != "none").values()
    augmentation = getattr(last, "augmentation", None)
    if augmentation is None:
        return []
    (pixels,) = read_pixels(root, [photo], run.input)
    return list(augmented_copies(pixels, augmentation))


class Moves(NamedTuple):
    """What is drawn for each of n photos, as float64[n] each.

    angle, shear: radians. zoom_x, zoom_y: how much of the photo is seen, 1 for all. shift_x, shift_y:
    pixels. mirror: 1, or -1 for left and right exchanged.
    shift_first: whether the shift is turned along with the photo.
    """

    angle: np.ndarray
    shear: np.ndarray
    zoom_x: np.ndarray
    zoom_y: np.ndarray
    shift_x: np.ndarray
    shift_y: np.ndarray
    mirror: np.ndarray
    shift_first: bool = False


def draw_moves(
    n: int, height: int, width: int, augmentation: Augmentation, rng: np.random.Generator
) -> Moves:
    """Draw the moves of `n` photos of `height` × `width` pixels."""
    angle = np.radians(rng.uniform(-augmentation.rotation, augmentation.rotation, n))
    zoom_x = zoom_y = 1 + rng.uniform(-augmentation.zoom, augmentation.zoom, n)
    shift_x = rng.uniform(-augmentation.shift, augmentation.shift, n) * width
    shift_y = rng.uniform(-augmentation.shift, augmentation.shift, n) * height
    mirror = np.where(augmentation.flip & (rng.random(n) < 0.5), -1.0, 1.0)
    shear = np.radians(rng.uniform(-augmentation.shear, augmentation.shear, n))
    if augmentation.aspect:
        apart = np.sqrt(1 + rng.uniform(-augmentation.aspect, augmentation.aspect, n))
        zoom_x, zoom_y = zoom_x * apart, zoom_y / apart
    if augmentation.like_keras:
        zoom_y = 1 + rng.uniform(-augmentation.zoom, augmentation.zoom, n)
    return Moves(angle, shear, zoom_x, zoom_y, shift_x, shift_y, mirror, augmentation.like_keras)


def affine_maps(moves: Moves, height: int, width: int) -> np.ndarray:
    """Return maps float64[n, 8] from output to input coordinates, as `affine_transform` takes them.

    Each map is (a0, a1, a2, b0, b1, b2, 0, 0): the output point (x, y) shows the input point
    (a0 x + a1 y + a2, b0 x + b1 y + b2). All but the shift leave the middle of the photo where it is.
    Mirror, zoom, shear and turn are multiplied in this order, as in Keras's `apply_affine_transform`:
    the shear turns the y axis further than the x axis.
    """
    sin, cos, steeper = np.sin(moves.angle), np.cos(moves.angle), moves.angle + moves.shear
    a0, b0 = moves.mirror * moves.zoom_x * cos, moves.mirror * moves.zoom_x * sin
    a1, b1 = -moves.zoom_y * np.sin(steeper), moves.zoom_y * np.cos(steeper)
    shift_x, shift_y = moves.shift_x, moves.shift_y
    if moves.shift_first:
        shift_x, shift_y = cos * shift_x - sin * shift_y, sin * shift_x + cos * shift_y
    middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
    a2 = middle_x - a0 * middle_x - a1 * middle_y + shift_x
    b2 = middle_y - b0 * middle_x - b1 * middle_y + shift_y
    nothing = np.zeros_like(a0)
    return np.stack([a0, a1, a2, b0, b1, b2, nothing, nothing], axis=1)


def recolour(pixels: np.ndarray, augmentation: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """Change brightness, contrast, saturation and hue of each photo of float32[n, height, width, 3].

    All of it is one linear map of red, green and blue. Saturation draws a colour away from its grey or
    towards it, hue turns it about the grey axis, contrast works about the photo's mean grey.
    """
    if not (augmentation.brightness or augmentation.contrast or augmentation.saturation or augmentation.hue):
        return pixels
    n = len(pixels)
    brightness, contrast, saturation = (
        1 + rng.uniform(-share, share, (n, 1, 1)).astype(np.float32)
        for share in (augmentation.brightness, augmentation.contrast, augmentation.saturation)
    )
    grey = np.full((3, 3), 1 / 3, np.float32)
    turns = _turns_about_grey(np.radians(rng.uniform(-augmentation.hue, augmentation.hue, n)))
    maps = brightness * contrast * (saturation * turns + (1 - saturation) * grey)
    mean = pixels.mean(axis=(1, 2, 3))[:, None, None]
    recoloured = pixels.reshape(n, -1, 3) @ maps.transpose(0, 2, 1) + brightness * (1 - contrast) * mean
    return recoloured.reshape(pixels.shape)


def _turns_about_grey(angles: np.ndarray) -> np.ndarray:
    """Return the rotations float32[n, 3, 3] by `angles`, in radians, about (1, 1, 1): Rodrigues' formula."""
    sin, cos = np.sin(angles)[:, None, None], np.cos(angles)[:, None, None]
    across = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / np.sqrt(3)
    return (cos * np.eye(3) + sin * across + (1 - cos) / 3).astype(np.float32)


def mixup(
    pixels: np.ndarray, targets: np.ndarray, alpha: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Lay another photo of the batch over each one, and its target over the target, by the same share.

    pixels: uint8[n, height, width, 3]. targets: float32[n, labels]. The share follows Beta(alpha, alpha)
    (Zhang and others, "mixup: Beyond Empirical Risk Minimization", 2018).
    """
    other = rng.permutation(len(pixels))
    share = rng.beta(alpha, alpha, len(pixels)).astype(np.float32)
    laid = share[:, None, None, None] * pixels + (1 - share)[:, None, None, None] * pixels[other]
    return np.rint(laid).astype(np.uint8), _blend(targets, other, share)


def cutmix(
    pixels: np.ndarray, targets: np.ndarray, alpha: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Paste a patch of another photo of the batch into each one; targets are blended by the patch's area.

    pixels: uint8[n, height, width, 3]. targets: float32[n, labels]. The area kept follows
    Beta(alpha, alpha) (Yun and others, "CutMix", 2019).
    """
    n, height, width, _ = pixels.shape
    other, side = rng.permutation(n), np.sqrt(1 - rng.beta(alpha, alpha, n))
    top, bottom = _patch(height, side, rng)
    left, right = _patch(width, side, rng)
    rows, columns = np.arange(height), np.arange(width)
    inside = ((rows >= top[:, None]) & (rows < bottom[:, None]))[:, :, None] & (
        (columns >= left[:, None]) & (columns < right[:, None])
    )[:, None, :]
    kept = 1 - inside.mean(axis=(1, 2), dtype=np.float32)
    return np.where(inside[..., None], pixels[other], pixels), _blend(targets, other, kept)


def _patch(length: int, side: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return where a patch of these shares of `length` begins and ends about a middle drawn at random."""
    middle, half = rng.integers(length, size=len(side)), np.rint(side * length / 2).astype(int)
    return (middle - half).clip(0, length), (middle + half).clip(0, length)


def _blend(targets: np.ndarray, other: np.ndarray, share: np.ndarray) -> np.ndarray:
    return (share[:, None] * targets + (1 - share)[:, None] * targets[other]).astype(np.float32)
