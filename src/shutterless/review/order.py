"""Choose the photos whose labels teach a model most, and some at random that tell how good it is."""

import hashlib
import heapq
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

RANDOM_SHARE = 0.1
# `novelty` is the share of familiar photos that are nearer: below this value, a photo is an ordinary one.
ORDINARY_NOVELTY = 0.9
# Photos among which diverse ones are chosen, for each that is asked for, and at least.
CANDIDATES_PER_PHOTO, MIN_CANDIDATES = 20, 2000


def choose_photos(
    ids: Sequence[str],
    scores: Floats,
    novelty: Floats,
    embeddings: Floats | None,
    count: int,
) -> tuple[list[int], list[int]]:
    """Choose photos to label.

    A tenth is chosen at random: what they say of the model is true of all photos. Between them are those that
    teach most, see `value_photos`. Each is taken only as far as it is unlike those before it: its value is
    multiplied by the distance between its embedding and the nearest of theirs. (Combining both is better than
    either: Ash et al., "Deep Batch Active Learning by Diverse, Uncertain Gradient Lower Bounds", 2020, arXiv
    1906.03671; Zhdanov, "Diverse mini-batch Active Learning", 2019, arXiv 1901.05954.)

    Args:
        ids: Names of the photos. The same ids always have the same random order.
        scores: Probabilities of the labels, float64[photos, labels].
        novelty: How strange each photo is, float64[photos], 0 to 1.
        embeddings: float64[photos, d]; None if there are none.
        count: How many photos to choose.

    Returns:
        Indices of the chosen photos in the order in which they should be labelled, and of those among them
        that were chosen at random, in their order. If more photos are asked for, they are the first again.
    """
    count = min(count, len(ids))
    size = math.ceil(RANDOM_SHARE * count)
    sample = heapq.nsmallest(size, range(len(ids)), key=lambda index: _hash(ids[index]))
    others = np.setdiff1d(np.arange(len(ids)), sample)
    value = value_photos(scores[others], novelty[others])
    size = count - size
    candidates = np.argsort(-value, kind="stable")[: max(MIN_CANDIDATES, CANDIDATES_PER_PHOTO * size)]
    chosen = _choose_diverse(
        value[candidates], None if embeddings is None else embeddings[others[candidates]], size
    )
    return _spread(sample, others[candidates][chosen].tolist()), sample


def value_photos(scores: Floats, novelty: Floats) -> Floats:
    """Return how much the label of each photo would teach, float64[photos], 0 to 1.

    That is one minus the margin between the two most probable labels (Scheffer, Decomain and Wrobel, "Active
    Hidden Markov Models for Information Extraction", 2001), or how far `novelty` is above what is ordinary
    if that is more.

    Args:
        scores: float64[photos, labels].
        novelty: float64[photos]; NaN where it is unknown.
    """
    best = np.sort(np.nan_to_num(scores), axis=1)[:, ::-1]
    margins = best[:, 0] - (best[:, 1] if best.shape[1] > 1 else 0)
    strangeness = (np.nan_to_num(novelty) - ORDINARY_NOVELTY) / (1 - ORDINARY_NOVELTY)
    return np.clip(np.maximum(1 - margins, strangeness), 0, 1)


def _choose_diverse(value: Floats, embeddings: Floats | None, count: int) -> list[int]:
    """Return indices of `count` photos, each the one with the largest product of value and distance."""
    if embeddings is None:
        return list(range(count))
    units = embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-12)
    distances = np.ones(len(value))
    chosen: list[int] = []
    available = np.ones(len(value), bool)
    for _ in range(count):
        index = int(np.argmax(np.where(available, value * distances, -1)))
        chosen.append(index)
        available[index] = False
        distances = np.minimum(distances, np.clip(1 - units @ units[index], 0, 1))
    return chosen


def _spread(sample: list[int], others: list[int]) -> list[int]:
    """Return all indices, both lists in their order and evenly mixed."""
    places = [
        ((number + 0.5) / len(indices), index)
        for indices in (sample, others)
        for number, index in enumerate(indices)
    ]
    return [index for _, index in sorted(places)]


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
