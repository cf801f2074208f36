"""Colours, patterned cloth, backgrounds and light of the drawn sample."""

import colorsys
import math
from random import Random

import numpy as np
import numpy.typing as npt
from PIL import Image

Floats = npt.NDArray[np.floating]
Colour = tuple[float, float, float]


def grid(size: int, angle: float = 0.0) -> tuple[Floats, Floats]:
    """Return the coordinates of a square turned by `angle` radians: x and y, float32[size, size], ±0.5."""
    line = (np.arange(size, dtype=np.float32) + 0.5) / size - 0.5
    x, y = np.meshgrid(line, line)
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return cos * x + sin * y, cos * y - sin * x


def colour(rng: Random, *, lightness: tuple[float, float] = (0.15, 0.85)) -> Colour:
    """Return a random colour as red, green and blue from 0 to 255; a third of all are nearly grey."""
    saturation = rng.uniform(0.0, 0.15) if rng.random() < 0.33 else rng.uniform(0.3, 0.9)
    red, green, blue = colorsys.hls_to_rgb(rng.random(), rng.uniform(*lightness), saturation)
    return 255 * red, 255 * green, 255 * blue


def scaled(base: Colour, factor: float) -> Colour:
    """Return a colour darkened (factor below 1) or brought closer to white (above 1)."""
    if factor <= 1:
        return base[0] * factor, base[1] * factor, base[2] * factor
    lift = factor - 1
    return (
        base[0] + (255 - base[0]) * lift,
        base[1] + (255 - base[1]) * lift,
        base[2] + (255 - base[2]) * lift,
    )


def cloth(rng: Random, size: int, angle: float, base: Colour, second: Colour) -> Floats:
    """Return cloth, float32[size, size, 3], plain, striped, checked or dotted along `angle`."""
    x, y = grid(size, angle)
    pattern = rng.choice(("plain", "plain", "plain", "stripes", "checks", "dots"))
    number, share = rng.uniform(8, 18), rng.uniform(0.25, 0.5)
    across, along = (x * number) % 1, (y * number) % 1
    weight: Floats
    if pattern == "plain":
        weight = np.zeros_like(x)
    elif pattern == "stripes":
        weight = ((across if rng.random() < 0.5 else along) < share).astype(np.float32)
    elif pattern == "checks":
        weight = (across < share) * np.float32(0.5) + (along < share) * np.float32(0.5)
    else:
        weight = ((across - 0.5) ** 2 + (along - 0.5) ** 2 < (share / 1.6) ** 2).astype(np.float32)
    return blend(base, second, weight)


def background(rng: Random, size: int) -> Floats:
    """Return a background, float32[size, size, 3]: plain, a gradient, boards, or a rough weave."""
    x, y = grid(size, rng.uniform(0, 6.283))
    base = colour(rng, lightness=(0.3, 0.95))
    kind = rng.choice(("plain", "plain", "gradient", "gradient", "wood", "rough"))
    if kind == "plain":
        return blend(base, base, x)
    if kind == "gradient":
        return blend(base, colour(rng, lightness=(0.3, 0.95)), np.clip(x + 0.5, 0, 1))
    if kind == "wood":
        brown = scaled((196.0, 150.0, 105.0), rng.uniform(0.6, 1.3))
        grain = 0.5 + 0.5 * np.sin(45 * x + 3 * np.sin(4 * y + rng.uniform(0, 6)))
        boards = (x * rng.uniform(3, 6)) % 1 < 0.03
        return blend(brown, scaled(brown, 0.6), np.maximum(grain * np.float32(0.25), boards))
    cells = rng.choice((8, 16, 32))
    coarse = Image.frombytes("L", (cells, cells), rng.randbytes(cells * cells))
    smooth = np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC), np.float32) / 255
    return blend(base, scaled(base, 0.6), smooth)


def blend(first: Colour, second: Colour, weight: Floats) -> Floats:
    """Return float32[…, 3]: `first` where `weight` is 0, `second` where it is 1, mixed in between."""
    start, end = np.array(first, np.float32), np.array(second, np.float32)
    return start + weight[..., None].astype(np.float32) * (end - start)


def creases(rng: Random, size: int) -> Floats:
    """Return the brightness of slightly creased cloth, float32[size, size, 1], about 1."""
    x, y = grid(size, rng.uniform(0, math.pi))
    waves = np.sin(rng.uniform(10, 30) * x + 4 * np.sin(rng.uniform(3, 8) * y + rng.uniform(0, 6)))
    return np.asarray(1 + rng.uniform(0.02, 0.12) * waves, np.float32)[..., None]


def side_light(rng: Random, size: int) -> Floats:
    """Return the brightness of light from one side, float32[size, size, 1], about 1."""
    x, _ = grid(size, rng.uniform(0, 2 * math.pi))
    return np.asarray(rng.uniform(0.75, 1.15) * (1 + rng.uniform(0, 0.6) * x), np.float32)[..., None]
