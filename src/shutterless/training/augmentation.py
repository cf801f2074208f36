"""Random geometric changes of training photos, all of them in one resampling."""

import keras
import numpy as np

from shutterless.training.recipe import Augmentation


def augment(pixels: np.ndarray, augmentation: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """Flip, turn, zoom and shift each photo of uint8[n, height, width, 3]; the same shape comes back.

    The four are multiplied into one affine map, so that a photo is blurred by interpolation once and
    not four times. What comes in from outside is the photo's own mirror image.
    """
    n, height, width, _ = pixels.shape
    maps = affine_maps(n, height, width, augmentation, rng)
    moved = keras.ops.image.affine_transform(
        pixels.astype("float32"), maps.astype("float32"), interpolation="bilinear", fill_mode="reflect"
    )
    return np.rint(keras.ops.convert_to_numpy(moved)).clip(0, 255).astype(np.uint8)


def affine_maps(
    n: int, height: int, width: int, augmentation: Augmentation, rng: np.random.Generator
) -> np.ndarray:
    """Draw `n` maps float64[n, 8] from output to input coordinates, as `affine_transform` takes them.

    Each map is (a0, a1, a2, b0, b1, b2, 0, 0): the output point (x, y) shows the input point
    (a0 x + a1 y + a2, b0 x + b1 y + b2). Turning and zooming are about the middle of the photo.
    """
    angle = np.radians(rng.uniform(-augmentation.rotation, augmentation.rotation, n))
    zoom = 1 + rng.uniform(-augmentation.zoom, augmentation.zoom, n)
    shift_x = rng.uniform(-augmentation.shift, augmentation.shift, n) * width
    shift_y = rng.uniform(-augmentation.shift, augmentation.shift, n) * height
    mirror = np.where(augmentation.flip & (rng.random(n) < 0.5), -1.0, 1.0)

    a0, a1 = mirror * zoom * np.cos(angle), -zoom * np.sin(angle)
    b0, b1 = mirror * zoom * np.sin(angle), zoom * np.cos(angle)
    middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
    a2 = middle_x - a0 * middle_x - a1 * middle_y + shift_x
    b2 = middle_y - b0 * middle_x - b1 * middle_y + shift_y
    return np.stack([a0, a1, a2, b0, b1, b2, np.zeros(n), np.zeros(n)], axis=1)
