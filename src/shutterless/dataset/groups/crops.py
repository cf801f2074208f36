"""Find crops of one photo, whatever their names: align small grey pictures, and compare their details.

A perceptual hash changes with every shift: it finds 1 % of such pairs. Here each photo is compared with the
few that have the most similar coarse outline. The second picture of a pair is scaled and shifted onto the
first by the inverse compositional algorithm of Lucas and Kanade (Baker and Matthews, "Lucas-Kanade 20 years
on", 2004), from coarse to fine; pairs that do not match are dropped at each stage.
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
# Pixels on a side of the outlines by which candidates are chosen, and the number of candidates per photo.
OUTLINE, CANDIDATES = 8, 8
# Outlines, and pairs of pictures, that are compared at once: 15 MB in each thread.
ROWS, PAIRS = 256, 64


class Stage(NamedTuple):
    """One comparison of all remaining pairs.

    Attributes:
        side: Pixels on a side of the pictures.
        steps: Steps of alignment before the comparison.
        min_correlation: Pairs with a lower correlation are dropped.
        details: Whether to subtract a blur of 7 pixels, so that background and outline do not count.
    """

    side: int
    steps: int
    min_correlation: float
    details: bool


# 94 % of the candidates that are crops of one photo, with 80 to 95 % of its sides, reach 0.9 at the last
# stage. Two pairs of the clothing photos do, and each shows one thing. Pairs that show two things reach 0.82,
# or 0.87 in the drawn sample.
STAGES = (Stage(16, 10, 0.9, False), Stage(32, 8, 0.7, True), Stage(64, 5, 0.9, True))


def find_crops(pictures: npt.NDArray[np.uint8], progress: Progress) -> Iterator[list[int]]:
    """Yield the pairs of indices of pictures that are crops of one photo.

    Args:
        pictures: Grey pictures, uint8[n, 64, 64].
        progress: Called while pairs are compared.
    """
    pairs = _candidates(pictures)
    batches = [pairs[start : start + PAIRS] for start in range(0, len(pairs), PAIRS)]

    def compare(batch: npt.NDArray[np.intp]) -> list[list[int]]:
        return _matching_pairs(pictures, batch)

    for matches in map_in_threads(compare, batches, progress=progress, what="comparing photos"):
        yield from matches


def _candidates(pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.intp]:
    """Return pairs of indices, intp[n, 2]: each photo with those that have the most similar outlines."""
    outlines = _normalize(_shrink(pictures, OUTLINE)).reshape(len(pictures), -1)
    count = min(CANDIDATES, len(outlines) - 1)
    pairs = []
    for start in range(0, len(outlines), ROWS):
        similarity = outlines[start : start + ROWS] @ outlines.T
        rows = np.arange(len(similarity))
        similarity[rows, start + rows] = -np.inf
        best = np.argpartition(-similarity, count - 1, axis=1)[:, :count]
        pairs.append(np.stack([np.repeat(start + rows, count), best.ravel()], axis=1))
    return np.unique(np.sort(np.concatenate(pairs), axis=1), axis=0)


def _matching_pairs(pictures: npt.NDArray[np.uint8], pairs: npt.NDArray[np.intp]) -> list[list[int]]:
    """Return the pairs that match at every stage."""
    warps = np.tile(np.array([1, 0, 1, 0], np.float32), (len(pairs), 1))
    for stage in STAGES:
        first, second = (_prepare(pictures[indices], stage) for indices in pairs.T)
        warps = _align(first, second, warps, stage.steps)
        moving, overlap = _warp(second, warps)
        product = _normalize(first, overlap) * _normalize(moving, overlap) * overlap
        correlation = product.sum((1, 2)) / (overlap.sum((1, 2)) + 1e-6)
        matches = correlation >= stage.min_correlation
        pairs, warps = pairs[matches], warps[matches]
    return list(pairs.tolist())


def _align(first: Floats, second: Floats, warps: Floats, steps: int) -> Floats:
    """Return the warps, float32[n, 4] (scale and shift in x, then in y), that move `second` onto `first`."""
    side = first.shape[1]
    positions = _positions(side)
    down, across = (slope * (side / 2) for slope in np.gradient(first, axis=(1, 2)))
    slopes = np.stack([across * positions, across, down * positions[:, None], down], axis=1).reshape(
        -1, 4, side**2
    )
    solve = np.linalg.inv(slopes @ slopes.transpose(0, 2, 1) + 0.01 * np.eye(4, dtype=np.float32))
    for _ in range(steps):
        moving, inside = _warp(second, warps)
        error = ((first - _normalize(moving, inside)) * inside).reshape(-1, side**2, 1)
        warps = warps + (solve @ (slopes @ error))[:, :, 0].clip(-0.1, 0.1)
        warps = warps.clip([0.75, -0.4, 0.75, -0.4], [1.34, 0.4, 1.34, 0.4]).astype(np.float32)
    return warps


def _warp(pictures: Floats, warps: Floats) -> tuple[Floats, Floats]:
    """Return the pictures scaled and shifted, by linear interpolation, and 1 where they have pixels."""
    across, has_x = _sampling(warps[:, :2], pictures.shape[1])
    down, has_y = _sampling(warps[:, 2:], pictures.shape[1])
    result = down @ pictures @ across.transpose(0, 2, 1)
    return np.asarray(result, np.float32), has_y[:, :, None] * has_x[:, None, :]


def _sampling(warp: Floats, side: int) -> tuple[Floats, Floats]:
    """Return a row's weights for each new pixel, float32[n, side, side], and 1 where it is in the row."""
    places = ((warp[:, :1] * _positions(side) + warp[:, 1:] + 1) * side - 1) / 2
    weights = np.maximum(1 - np.abs(places[:, :, None] - np.arange(side, dtype=np.float32)), 0)
    return weights.astype(np.float32), ((places >= 0) & (places <= side - 1)).astype(np.float32)


def _positions(side: int) -> Floats:
    """Return the centres of a row's pixels, from -1 to 1."""
    return ((np.arange(side, dtype=np.float32) + 0.5) / side * 2 - 1).astype(np.float32)


def _prepare(pictures: npt.NDArray[np.uint8], stage: Stage) -> Floats:
    """Return the pictures as a stage compares them, float32[n, side, side]."""
    small = _shrink(pictures, stage.side)
    if not stage.details:
        return _normalize(small)
    border = np.pad(small, ((0, 0), (3, 3), (3, 3)), mode="edge")
    weights = np.array([1, 6, 15, 20, 15, 6, 1], np.float32) / 64
    rows = sum(weight * border[:, at : at + stage.side] for at, weight in enumerate(weights))
    blur = sum(weight * rows[:, :, at : at + stage.side] for at, weight in enumerate(weights))
    return _normalize(np.asarray(small - blur))


def _shrink(pictures: npt.NDArray[np.uint8], side: int) -> Floats:
    """Return the means of squares of pixels, by a matrix product, which is faster than `mean`."""
    means = np.kron(np.eye(side), np.full((1, SIDE // side), side / SIDE)).astype(np.float32)
    return np.asarray(means @ pictures.astype(np.float32) @ means.T)


def _normalize(pictures: Floats, inside: Floats | None = None) -> Floats:
    """Return the pictures with mean 0 and variance 1 over the pixels that are `inside`, or all."""
    weights = np.ones((1, *pictures.shape[1:]), np.float32) if inside is None else inside
    pixels = weights.sum((1, 2), keepdims=True) + 1e-6
    deviation = pictures - (pictures * weights).sum((1, 2), keepdims=True) / pixels
    variance = (deviation**2 * weights).sum((1, 2), keepdims=True) / pixels
    return np.asarray(deviation / np.sqrt(variance + 1e-6), np.float32)
