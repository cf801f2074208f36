"""Draw a data set of ten kinds of garments, so that all of shutterless can be tried without a network."""

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
from shutterless.dataset.synthetic.textures import Floats, background, cloth, colour, grid, scaled
from shutterless.files import atomic_directory, ensure_empty
from shutterless.utils.progress import Progress, automatic

# Photos for validation and test, each, as a part of those for training.
HELD_OUT = 0.25
# Shapes are drawn this much larger and shrunk, which smooths their edges.
OVERSAMPLING = 2


def draw_sample(
    folder: str | Path,
    *,
    per_label: int = 120,
    size: int = 128,
    seed: int = 42,
    progress: Progress = automatic,
) -> Path:
    """Draw `per_label` training photos of each garment and a quarter as many for validation and for test.

    They lie in train/, validation/ and test/ as <label>/<label>-0001.jpg, `size` pixels square; the
    number runs on over the splits. The same arguments give the same bytes. Returns `folder`.

    Raises ShutterlessError if the folder holds anything or cannot be written; nothing half-written
    is left.
    """
    folder = Path(folder)
    ensure_empty(folder)
    with atomic_directory(folder, "the sample") as fresh:
        _draw_all(fresh, per_label, size, seed, progress)
    return folder


def _draw_all(folder: Path, per_label: int, size: int, seed: int, progress: Progress) -> None:
    held_out = max(1, round(per_label * HELD_OUT))
    splits = ["train"] * per_label + ["validation"] * held_out + ["test"] * held_out
    total = len(GARMENTS) * len(splits)
    for row, label in enumerate(GARMENTS):
        for number, split in enumerate(splits, start=1):
            file = folder / split / label / f"{label}-{number:04}.jpg"
            file.parent.mkdir(parents=True, exist_ok=True)
            rng = Random(f"{seed}/{label}/{number}")
            draw_garment(label, size, rng).save(file, quality=rng.randint(82, 94))
            progress("drawing garments", row * len(splits) + number, total)


def draw_garment(label: str, size: int, rng: Random) -> Image.Image:
    """Return one picture, RGB and `size` pixels square, of the garment that `label` names."""
    angle = rng.gauss(0, math.radians(9))
    layer, mask = _draw(GARMENTS[label](rng), size * OVERSAMPLING, angle, rng)
    garment = np.asarray(layer.reduce(OVERSAMPLING), np.float32)
    alpha = np.asarray(mask.reduce(OVERSAMPLING), np.float32)[..., None] / 255
    ground = background(rng, size) * (1 - rng.uniform(0.2, 0.5) * _shadow(mask, size, rng))
    picture = ground * (1 - alpha) + garment * _creases(rng, size) * alpha
    picture = picture * _light(rng, size)
    noise = np.random.default_rng(rng.getrandbits(64))
    picture += rng.uniform(1, 7) * noise.standard_normal(picture.shape, np.float32)
    return Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))


def _draw(garment: Garment, size: int, angle: float, rng: Random) -> tuple[Image.Image, Image.Image]:
    """Return the garment's colours, RGB, and where it is, L, placed at random and turned by `angle`."""
    base, second = colour(rng), colour(rng)
    inside = scaled(second, 0.45) if rng.random() < 0.5 else scaled(base, 0.4)
    tones = {TRIM: second, SHADE: scaled(base, 0.6), LIGHT: scaled(base, 1.7), INSIDE: inside}
    inks = {tone: (round(red), round(green), round(blue)) for tone, (red, green, blue) in tones.items()}
    fabric = Image.fromarray(cloth(rng, size, angle, base, second).astype(np.uint8))
    layer, mask = fabric.copy(), Image.new("L", (size, size))
    for shape in _placed(garment, size, angle, rng):
        _fill(mask, shape, 255)
        if shape.tone == FABRIC:
            area = Image.new("L", (size, size))
            _fill(area, shape, 255)
            layer.paste(fabric, mask=area)
            shape = Shape([*shape.points, shape.points[0]], SHADE, 0.006 * size)
        _fill(layer, shape, inks[shape.tone])
    return layer, mask


def _placed(garment: Garment, size: int, angle: float, rng: Random) -> Garment:
    """Return the garment in pixels, turned, its longer side 65 to 92 % of `size`, near the middle."""
    xs, ys = zip(*(point for shape in garment for point in shape.points), strict=True)
    scale = rng.uniform(0.65, 0.92) * size / max(max(xs) - min(xs), max(ys) - min(ys))
    middle_x, middle_y = (max(xs) + min(xs)) / 2, (max(ys) + min(ys)) / 2
    to_x, to_y = size * rng.uniform(0.46, 0.54), size * rng.uniform(0.46, 0.54)
    cos, sin = scale * math.cos(angle), scale * math.sin(angle)

    def place(x: float, y: float) -> Point:
        x, y = x - middle_x, y - middle_y
        return to_x + cos * x - sin * y, to_y + sin * x + cos * y

    return [
        Shape([place(*point) for point in shape.points], shape.tone, shape.width * scale) for shape in garment
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
    """Return the garment's soft shadow, float32[size, size, 1] from 0 to 1, fallen to one side."""
    reach = rng.uniform(0.01, 0.03) * size
    soft = mask.reduce(OVERSAMPLING).filter(ImageFilter.BoxBlur(reach))
    dx, dy = rng.uniform(-reach, reach), rng.uniform(0, reach)
    fallen = soft.transform((size, size), Image.Transform.AFFINE, (1, 0, -dx, 0, 1, -dy))
    return np.asarray(fallen, np.float32)[..., None] / 255


def _creases(rng: Random, size: int) -> Floats:
    """Return a factor of brightness, float32[size, size, 1], of cloth that does not lie quite flat."""
    x, y = grid(size, rng.uniform(0, math.pi))
    waves = np.sin(rng.uniform(10, 30) * x + 4 * np.sin(rng.uniform(3, 8) * y + rng.uniform(0, 6)))
    return np.asarray(1 + rng.uniform(0.02, 0.12) * waves, np.float32)[..., None]


def _light(rng: Random, size: int) -> Floats:
    """Return a factor of brightness, float32[size, size, 1], of light that comes from one side."""
    x, _ = grid(size, rng.uniform(0, 2 * math.pi))
    return np.asarray(rng.uniform(0.75, 1.15) * (1 + rng.uniform(0, 0.6) * x), np.float32)[..., None]
