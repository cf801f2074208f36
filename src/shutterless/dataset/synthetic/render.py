"""Draw a data set of ten kinds of garments, to try everything without photos or a network connection."""

import math
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from shutterless.dataset.synthetic.clothing_shapes import (
    FABRIC,
    GARMENTS,
    INSIDE,
    LIGHT,
    SHADE,
    TRIM,
    Garment,
    Point,
    Shape,
)
from shutterless.dataset.synthetic.textures import (
    Floats,
    background,
    cloth,
    colour,
    creases,
    scaled,
    side_light,
)
from shutterless.files import atomic_directory, ensure_empty
from shutterless.utils.progress import Progress, automatic

# Photos for validation, and for test, as a part of those for training.
HOLDOUT_FRACTION = 0.25
# Shapes are drawn this much larger and then shrunk, which smooths their edges.
OVERSAMPLING = 2


def draw_sample(
    folder: str | Path,
    *,
    per_label: int = 120,
    size: int = 128,
    seed: int = 42,
    progress: Progress = automatic,
) -> Path:
    """Draw a data set of ten kinds of garments, divided into training, validation and test photos.

    The files are called train/<label>/<label>-0001.jpg; the number continues over the splits. The same
    arguments give the same bytes.

    Args:
        folder: A new or empty folder.
        per_label: Training photos of each label; a quarter as many each are for validation and for test.
        size: Width and height in pixels.
        seed: Decides what the photos look like.
        progress: Called for each photo.

    Returns:
        The folder.

    Raises:
        OutputError: The folder is not empty (`not-empty`) or cannot be written (`cannot-write`). Nothing is
            left behind.

    Example:
        >>> import shutterless
        >>> shutterless.draw_sample("draw-sample", per_label=10, size=32).name
        'draw-sample'
    """
    folder = Path(folder)
    ensure_empty(folder)
    with atomic_directory(folder, "the sample") as draft:
        _draw_all(draft, per_label, size, seed, progress)
    return folder


def _draw_all(folder: Path, per_label: int, size: int, seed: int, progress: Progress) -> None:
    holdout = max(1, round(per_label * HOLDOUT_FRACTION))
    splits = ["train"] * per_label + ["validation"] * holdout + ["test"] * holdout
    total = len(GARMENTS) * len(splits)
    for row, label in enumerate(GARMENTS):
        for number, split in enumerate(splits, start=1):
            file = folder / split / label / f"{label}-{number:04}.jpg"
            file.parent.mkdir(parents=True, exist_ok=True)
            rng = Random(f"{seed}/{label}/{number}")
            draw_garment(label, size, rng).save(file, quality=rng.randint(82, 94))
            progress("drawing garments", row * len(splits) + number, total)


def draw_garment(label: str, size: int, rng: Random) -> Image.Image:
    """Draw one picture of a garment.

    Args:
        label: A key of `GARMENTS`.
        size: Width and height in pixels.
        rng: Decides what it looks like.

    Returns:
        An RGB picture.
    """
    angle = rng.gauss(0, math.radians(9))
    layer, mask = _draw(GARMENTS[label](rng), size * OVERSAMPLING, angle, rng)
    garment = np.asarray(layer.reduce(OVERSAMPLING), np.float32)
    alpha = np.asarray(mask.reduce(OVERSAMPLING), np.float32)[..., None] / 255
    ground = background(rng, size) * (1 - rng.uniform(0.2, 0.5) * _shadow(mask, size, rng))
    picture = (ground * (1 - alpha) + garment * creases(rng, size) * alpha) * side_light(rng, size)
    noise = np.random.default_rng(rng.getrandbits(64))
    picture += rng.uniform(1, 7) * noise.standard_normal(picture.shape, np.float32)
    return Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))


def _draw(garment: Garment, size: int, angle: float, rng: Random) -> tuple[Image.Image, Image.Image]:
    """Return the garment at a random place, turned by `angle`: its colours, RGB, and its mask, L."""
    base, second = colour(rng), colour(rng)
    inside = scaled(second, 0.45) if rng.random() < 0.5 else scaled(base, 0.4)
    tones = {TRIM: second, SHADE: scaled(base, 0.6), LIGHT: scaled(base, 1.7), INSIDE: inside}
    inks = {tone: (round(red), round(green), round(blue)) for tone, (red, green, blue) in tones.items()}
    fabric = Image.fromarray(cloth(rng, size, angle, base, second).astype(np.uint8))
    layer, mask = fabric.copy(), Image.new("L", (size, size))
    for shape in _place(garment, size, angle, rng):
        _fill(mask, shape, 255)
        if shape.tone == FABRIC:
            area = Image.new("L", (size, size))
            _fill(area, shape, 255)
            layer.paste(fabric, mask=area)
            shape = Shape([*shape.points, shape.points[0]], SHADE, 0.006 * size)
        _fill(layer, shape, inks[shape.tone])
    return layer, mask


def _place(garment: Garment, size: int, angle: float, rng: Random) -> Garment:
    """Return the garment in pixels, turned, near the middle; its longer side is 65 to 92 % of `size`."""
    xs, ys = zip(*(point for shape in garment for point in shape.points), strict=True)
    scale = rng.uniform(0.65, 0.92) * size / max(max(xs) - min(xs), max(ys) - min(ys))
    middle_x, middle_y = (max(xs) + min(xs)) / 2, (max(ys) + min(ys)) / 2
    to_x, to_y = size * rng.uniform(0.46, 0.54), size * rng.uniform(0.46, 0.54)
    cos, sin = scale * math.cos(angle), scale * math.sin(angle)

    def transform(x: float, y: float) -> Point:
        x, y = x - middle_x, y - middle_y
        return to_x + cos * x - sin * y, to_y + sin * x + cos * y

    return [
        Shape([transform(*point) for point in shape.points], shape.tone, shape.width * scale)
        for shape in garment
    ]


def _fill(image: Image.Image, shape: Shape, ink: int | tuple[int, ...]) -> None:
    draw = ImageDraw.Draw(image)
    if not shape.width:
        draw.polygon(shape.points, fill=ink)
    elif len(shape.points) == 1:
        draw.circle(shape.points[0], shape.width / 2, fill=ink)
    else:
        draw.line(shape.points, fill=ink, width=max(1, round(shape.width)), joint="curve")


def _shadow(mask: Image.Image, size: int, rng: Random) -> Floats:
    """Return the garment's soft shadow to one side, float32[size, size, 1] from 0 to 1."""
    reach = rng.uniform(0.01, 0.03) * size
    soft = mask.reduce(OVERSAMPLING).filter(ImageFilter.BoxBlur(reach))
    dx, dy = rng.uniform(-reach, reach), rng.uniform(0, reach)
    shadow = soft.transform((size, size), Image.Transform.AFFINE, (1, 0, -dx, 0, 1, -dy))
    return np.asarray(shadow, np.float32)[..., None] / 255
