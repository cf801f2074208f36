"""Find crops of one photo, whatever they are called: align small grey pictures, and compare their details.

A perceptual hash changes with every shift: it finds 1 % of such pairs. Here each photo is compared with the
few that are most like it in coarse outline. The second picture of a pair is scaled and shifted onto the
first by the inverse compositional algorithm of Lucas and Kanade (Baker and Matthews, "Lucas-Kanade 20 years
on", 2004), from coarse to fine, and what does not agree is left out at each step.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from shutterless.utils.parallel import map_in_threads
from shutterless.utils.progress import Progress

Floats = npt.NDArray[np.float32]

# Pixels on a side of the pictures that are compared.
SIDE = 64
# Pixels on a side of the outline by which the photos most like one are chosen, and how many are chosen.
OUTLINE, CANDIDATES = 8, 8
# Photos whose outlines, and pairs whose pictures, are compared at once: 15 MB in each thread.
ROWS, PAIRS = 256, 64


class Stage(NamedTuple):
    """Compare at `side` pixels after so many steps; a pair that correlates less than `least` is left out.

    details: without what a blur of 7 pixels leaves, so that the same background and outline do not count.
    """

    side: int
    steps: int
    least: float
    details: bool


# Of the candidates that are crops of one photo, of 80 to 95 % of its sides, 94 % reach 0.9 in the end. Of the
# clothing photos two pairs do, which show one thing each. Pairs of two things reach 0.82, drawn ones 0.87.
STAGES = (Stage(16, 10, 0.9, False), Stage(32, 8, 0.7, True), Stage(64, 5, 0.9, True))


def find_crops(pictures: npt.NDArray[np.uint8], progress: Progress) -> Iterator[list[int]]:
    """Yield the pairs of places of those among the grey pictures uint8[n, 64, 64] that show the same."""
    pairs = _candidates(pictures)
    batches = [pairs[start : start + PAIRS] for start in range(0, len(pairs), PAIRS)]

    def compare(batch: npt.NDArray[np.intp]) -> list[list[int]]:
        return _same(pictures, batch)

    for same in map_in_threads(compare, batches, progress=progress, what="comparing photos"):
        yield from same


def _candidates(pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.intp]:
    """Return pairs of places, intp[n, 2]: each photo with those that are most like it in outline."""
    outlines = _normalized(_shrunk(pictures, OUTLINE)).reshape(len(pictures), -1)
    count = min(CANDIDATES, len(outlines) - 1)
    pairs = []
    for start in range(0, len(outlines), ROWS):
        likeness = outlines[start : start + ROWS] @ outlines.T
        rows = np.arange(len(likeness))
        likeness[rows, start + rows] = -np.inf
        best = np.argpartition(-likeness, count - 1, axis=1)[:, :count]
        pairs.append(np.stack([np.repeat(start + rows, count), best.ravel()], axis=1))
    return np.unique(np.sort(np.concatenate(pairs), axis=1), axis=0)


def _same(pictures: npt.NDArray[np.uint8], pairs: npt.NDArray[np.intp]) -> list[list[int]]:
    """Return those of the pairs that agree at every stage."""
    warps = np.tile(np.array([1, 0, 1, 0], np.float32), (len(pairs), 1))
    for stage in STAGES:
        first, second = (_prepared(pictures[places], stage) for places in pairs.T)
        warps = _aligned(first, second, warps, stage.steps)
        agree = _correlation(first, second, warps) >= stage.least
        pairs, warps = pairs[agree], warps[agree]
    return list(pairs.tolist())


def _aligned(first: Floats, second: Floats, warps: Floats, steps: int) -> Floats:
    """Return the warps, float32[n, 4] (scale and shift in x, then in y), that lay `second` on `first`."""
    side = first.shape[1]
    at = _positions(side)
    down, across = (slope * (side / 2) for slope in np.gradient(first, axis=(1, 2)))
    slopes = np.stack([across * at, across, down * at[:, None], down], axis=1).reshape(-1, 4, side**2)
    solve = np.linalg.inv(slopes @ slopes.transpose(0, 2, 1) + 0.01 * np.eye(4, dtype=np.float32))
    for _ in range(steps):
        warped, inside = _warped(second, warps)
        wrong = ((first - _normalized(warped, inside)) * inside).reshape(-1, side**2, 1)
        warps = warps + (solve @ (slopes @ wrong))[:, :, 0].clip(-0.1, 0.1)
        warps = warps.clip([0.75, -0.4, 0.75, -0.4], [1.34, 0.4, 1.34, 0.4]).astype(np.float32)
    return warps


def _correlation(first: Floats, second: Floats, warps: Floats) -> Floats:
    """Return how well the pictures agree where they overlap, float32[n], 1 at best."""
    warped, inside = _warped(second, warps)
    product = _normalized(first, inside) * _normalized(warped, inside) * inside
    return np.asarray(product.sum((1, 2)) / (inside.sum((1, 2)) + 1e-6), np.float32)


def _warped(pictures: Floats, warps: Floats) -> tuple[Floats, Floats]:
    """Return the pictures scaled and shifted, by linear interpolation, and 1 where they have pixels."""
    across, has_x = _sampling(warps[:, :2], pictures.shape[1])
    down, has_y = _sampling(warps[:, 2:], pictures.shape[1])
    warped = down @ pictures @ across.transpose(0, 2, 1)
    return np.asarray(warped, np.float32), has_y[:, :, None] * has_x[:, None, :]


def _sampling(warp: Floats, side: int) -> tuple[Floats, Floats]:
    """Return a row's weights for each new pixel, float32[n, side, side], and 1 where it lies in the row."""
    places = ((warp[:, :1] * _positions(side) + warp[:, 1:] + 1) * side - 1) / 2
    weights = np.maximum(1 - np.abs(places[:, :, None] - np.arange(side, dtype=np.float32)), 0)
    return weights.astype(np.float32), ((places >= 0) & (places <= side - 1)).astype(np.float32)


def _positions(side: int) -> Floats:
    """Return the middles of a row's pixels, from -1 to 1."""
    return ((np.arange(side, dtype=np.float32) + 0.5) / side * 2 - 1).astype(np.float32)


def _prepared(pictures: npt.NDArray[np.uint8], stage: Stage) -> Floats:
    small = _shrunk(pictures, stage.side)
    return _normalized(small - _blurred(small) if stage.details else small)


def _shrunk(pictures: npt.NDArray[np.uint8], side: int) -> Floats:
    """Return the means of squares of pixels, by a product of matrices, which is quicker than a mean."""
    means = np.kron(np.eye(side), np.full((1, SIDE // side), side / SIDE)).astype(np.float32)
    return np.asarray(means @ pictures.astype(np.float32) @ means.T)


def _blurred(pictures: Floats) -> Floats:
    side = pictures.shape[1]
    padded = np.pad(pictures, ((0, 0), (3, 3), (3, 3)), mode="edge")
    weights = np.array([1, 6, 15, 20, 15, 6, 1], np.float32) / 64
    rows = sum(weight * padded[:, at : at + side] for at, weight in enumerate(weights))
    return np.asarray(sum(weight * rows[:, :, at : at + side] for at, weight in enumerate(weights)))


def _normalized(pictures: Floats, inside: Floats | None = None) -> Floats:
    """Return the pictures with mean 0 and variance 1 over the pixels that are `inside`, or all."""
    weights = np.ones((1, *pictures.shape[1:]), np.float32) if inside is None else inside
    pixels = weights.sum((1, 2), keepdims=True) + 1e-6
    centred = pictures - (pictures * weights).sum((1, 2), keepdims=True) / pixels
    variance = (centred**2 * weights).sum((1, 2), keepdims=True) / pixels
    return np.asarray(centred / np.sqrt(variance + 1e-6), np.float32)
