"""Compare photos by the cosine of their features: nearest neighbours, near duplicates and outliers."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from shutterless.dataset import Photo
from shutterless.dataset.groups.duplicates import Duplicates
from shutterless.dataset.groups.union_find import UnionFind
from shutterless.dataset.photo_stats import PhotoStats
from shutterless.novelty.types import scale_to_unit_length

# Near duplicates have at least this cosine, by MobileNetV2 with its ImageNet weights. Of the 5.8 million
# pairs of clothing photos two have it: the same photo, and a skirt that was photographed twice. The next are
# different garments on the same floor, at 0.88. Of 120 photos 82 % have it when mirrored, 89 % when a tenth
# is cropped away, 23 % when a fifth is, and none when saved at half the size and JPEG quality 30, which the
# perceptual hash finds.
MIN_SIMILARITY = 0.90
# A cluster of more photos says that the network cannot tell them apart, not that they are the same.
MAX_CLUSTER = 50
# Outliers: the mean distance to this many neighbours exceeds the median by so many robust deviations. Of the
# 3,409 clothing photos two are beyond, at most by 2.63; of seven foreign pictures put among them (a chart,
# contact sheets, noise, grey, a gradient) all are, by 2.7 to 5.2. Drawn garments are garments: at most 2.3.
NEIGHBOURS, MAX_DEVIATIONS = 5, 2.6
MIN_SPREAD = 1e-6  # below, all photos are equally far from each other
DEVIATION = 1.4826  # standard deviation of a normal distribution in median absolute deviations
CHUNK = 1024  # rows compared at once

Vectors = npt.NDArray[np.float32]


def center(features: Vectors) -> Vectors:
    """Return features of length 1 whose mean was subtracted, scaled to length 1 again.

    Without the mean, which all photos share, cosines use the whole range. Equal features become zeros.

    Args:
        features: float32[n, d].
    """
    units = scale_to_unit_length(features)
    differences = units - units.mean(axis=0)
    differences[np.linalg.norm(differences, axis=1) < 1e-5] = 0
    return scale_to_unit_length(differences)


def similar_pairs(vectors: Vectors, minimum: float = MIN_SIMILARITY) -> Iterator[tuple[int, int, float]]:
    """Yield the pairs with at least this cosine: two indices, the smaller one first, and the cosine."""
    for start in range(0, len(vectors), CHUNK):
        cosines = np.triu(vectors[start : start + CHUNK] @ vectors[start:].T, k=1)
        for row, column in np.argwhere(cosines >= minimum).tolist():
            yield start + row, start + column, float(cosines[row, column])


def nearest(vectors: Vectors, rows: Sequence[int], candidates: Sequence[int], count: int) -> list[list[int]]:
    """Return for each of some photos the most similar of the candidates, itself excluded, closest first."""
    cosines = vectors[list(rows)] @ vectors[list(candidates)].T
    orders = np.argsort(-cosines, axis=1, kind="stable")[:, : count + 1]
    return [
        [candidates[column] for column in order if candidates[column] != row][:count]
        for row, order in zip(rows, orders.tolist(), strict=True)
    ]


def with_similar_photos(
    duplicates: Sequence[Duplicates], stats: Mapping[Photo, PhotoStats], vectors: Vectors
) -> tuple[Duplicates, ...]:
    """Add the photos whose features are nearly the same to the duplicates that hashes have found.

    Args:
        duplicates: What `find_duplicates` returned.
        stats: All photos and their measurements.
        vectors: What `center` returned, float32[photos, d].
    """
    photos = list(stats)
    index_of = {photo: index for index, photo in enumerate(photos)}
    union, by_features = UnionFind(len(photos)), UnionFind(len(photos))
    for first, second, _ in similar_pairs(vectors):
        by_features.join([first, second])
    for cluster in by_features.groups():
        if len(cluster) <= MAX_CLUSTER:
            union.join(cluster)
    for group in duplicates:
        union.join([index_of[photo] for photo in group.photos])
    exact_groups = {group.photos: group for group in duplicates if group.exact}
    groups = (tuple(photos[index] for index in cluster) for cluster in union.groups())
    results = (exact_groups.get(group) or _compare(group, index_of, stats, vectors) for group in groups)
    return tuple(sorted(results, key=lambda group: (not group.exact, group.distance, group.photos[0].path)))


def _compare(
    photos: tuple[Photo, ...],
    index_of: Mapping[Photo, int],
    stats: Mapping[Photo, PhotoStats],
    vectors: Vectors,
) -> Duplicates:
    """Return a group with the hash distance and the similarity of each photo's closest other one."""
    hashes = np.stack([stats[photo].phash for photo in photos])
    distances = np.bitwise_count(hashes[:, None] ^ hashes[None]).sum(axis=2).astype(int)
    members = vectors[[index_of[photo] for photo in photos]]
    similarities = members @ members.T
    np.fill_diagonal(distances, distances.max())
    np.fill_diagonal(similarities, -1)
    return Duplicates(
        photos,
        exact=False,
        distance=int(distances.min(axis=1).max()),
        similarity=float(similarities.max(axis=1).min()),
    )


def find_outliers(features: Vectors, photos: Sequence[Photo]) -> list[tuple[int, float]]:
    """Return the photos that are unlike all others, the strangest first.

    A photo's strangeness is its mean cosine distance from its five nearest neighbours outside its group, in
    robust deviations from the median of all photos.

    Args:
        features: float32[photos, d]. Not from `center`: what all photos share tells a foreign one.
        photos: The photos.

    Returns:
        Index of each photo and its strangeness, from `MAX_DEVIATIONS`.
    """
    distances = _neighbour_distances(scale_to_unit_length(features), photos)
    spread = DEVIATION * np.median(np.abs(distances - np.median(distances)))
    if spread < MIN_SPREAD:
        return []
    strangeness = (distances - np.median(distances)) / spread
    order = np.argsort(-strangeness, kind="stable")
    return [(int(index), float(strangeness[index])) for index in order if strangeness[index] > MAX_DEVIATIONS]


def _neighbour_distances(vectors: Vectors, photos: Sequence[Photo]) -> npt.NDArray[np.float64]:
    """Return the mean cosine distance of each photo from its nearest neighbours outside its group."""
    names = {name: number for number, name in enumerate({photo.group or photo.path for photo in photos})}
    groups = np.array([names[photo.group or photo.path] for photo in photos])
    count = min(NEIGHBOURS, len(photos) - 1)
    distances = np.zeros(len(photos))
    for start in range(0, len(photos) if count else 0, CHUNK):
        cosines = vectors[start : start + CHUNK] @ vectors.T
        cosines[groups[start : start + CHUNK, None] == groups[None]] = -1
        closest = -np.partition(-cosines, count - 1, axis=1)[:, :count]
        distances[start : start + CHUNK] = 1 - closest.mean(axis=1)
    return distances
