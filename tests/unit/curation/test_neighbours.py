import numpy as np
import pytest

from shutterless.curation import neighbours
from shutterless.curation.neighbours import (
    center,
    find_outliers,
    nearest,
    similar_pairs,
    with_similar_photos,
)
from shutterless.curation.photo_map import arrange
from shutterless.dataset.groups.duplicates import Duplicates
from shutterless.dataset.photo_stats import PhotoStats
from shutterless.dataset.types import Photo


def some_photos(count: int, label="hat") -> list[Photo]:
    names = [f"{number:03}" for number in range(count)]
    return [Photo(f"train/{label}/{name}.jpg", label, "train", sha256=name) for name in names]


def measured(photos) -> dict[Photo, PhotoStats]:
    rng = np.random.default_rng(1)
    grey = np.zeros((64, 64), np.uint8)
    return {
        photo: PhotoStats(1, "JPEG", 400, 400, rng.integers(0, 2**63, 4).astype(np.uint64), 50.0, grey)
        for photo in photos
    }


@pytest.fixture
def features():
    return np.random.default_rng(0).normal(size=(60, 32)).astype(np.float32)


@pytest.mark.parametrize("chunk", [7, 1024])
def test_similar_pairs_are_those_of_the_whole_table(features, chunk, monkeypatch):
    monkeypatch.setattr(neighbours, "CHUNK", chunk)
    vectors = center(features)
    table = vectors @ vectors.T
    expected = {(a, b) for a in range(60) for b in range(a + 1, 60) if table[a, b] >= 0.3}
    pairs = list(similar_pairs(vectors, 0.3))
    assert {(a, b) for a, b, _ in pairs} == expected and len(pairs) == len(expected) > 10
    assert all(cosine == pytest.approx(table[a, b], abs=1e-5) for a, b, cosine in pairs)


def test_centred_features_have_length_one_or_are_zero(features):
    assert np.linalg.norm(center(features), axis=1) == pytest.approx(1, abs=1e-5)
    assert not center(np.full((5, 4), 7, np.float32)).any()
    assert np.isfinite(center(np.zeros((3, 4), np.float32))).all()


def test_hashes_and_features_make_one_list(features):
    photos = some_photos(60)
    stats = measured(photos)
    features[11] = features[10] + 0.05  # looks the same to the network
    features[21] = features[20] + 0.05  # the hash has linked 21 with 22 already
    by_hash = Duplicates((photos[21], photos[22]), exact=False, distance=9)
    exact = Duplicates((photos[40], photos[41]), exact=True, distance=0)
    groups = with_similar_photos([exact, by_hash], stats, center(features))
    assert groups[0] == exact
    members = {tuple(photos.index(photo) for photo in group.photos): group for group in groups[1:]}
    assert set(members) == {(10, 11), (20, 21, 22)}
    assert members[10, 11].similarity > 0.9
    assert members[10, 11].distance > 32


def test_a_network_that_cannot_tell_photos_apart_joins_none():
    photos = some_photos(80)
    vectors = np.zeros((80, 4), np.float32)
    vectors[:, 0] = 1
    assert with_similar_photos([], measured(photos), vectors) == ()


def test_nearest_photos_are_the_closest_and_not_the_photo_itself(features):
    vectors = center(features)
    (closest,) = nearest(vectors, [5], list(range(0, 60, 5)), 3)
    order = [index for index in np.argsort(-(vectors @ vectors[5])) if index % 5 == 0 and index != 5]
    assert closest == order[:3]
    assert nearest(vectors, [5], [5], 3) == [[]]


def test_an_outlier_is_found_and_a_pair_of_outliers_in_one_group_too():
    rng = np.random.default_rng(3)
    features = np.zeros((50, 32))
    features[:, 0] = 4
    features += 0.3 * rng.normal(size=features.shape)
    features[7] = 4 * np.eye(32)[9]
    features[8:10] = 4 * np.eye(32)[12]
    photos = some_photos(50)
    photos[8], photos[9] = (Photo(each.path, each.label, each.split, "pair") for each in photos[8:10])
    outliers = find_outliers(features.astype(np.float32), photos)
    assert {index for index, _ in outliers[:3]} == {7, 8, 9}
    assert [strangeness for _, strangeness in outliers] == sorted((s for _, s in outliers), reverse=True)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_or_equal_photos_have_no_outliers(count):
    photos = some_photos(count)
    assert find_outliers(np.ones((count, 4), np.float32), photos) == []
    assert find_outliers(np.zeros((count, 4), np.float32), photos) == []
    assert find_outliers(np.eye(count, 4, dtype=np.float32), photos) == []


@pytest.mark.parametrize("count", [1, 2, 5, 12, 40])
def test_the_map_has_a_place_for_each_photo_always_the_same(count):
    vectors = center(np.random.default_rng(0).normal(size=(count, 8)).astype(np.float32))
    places = arrange(vectors)
    assert places.shape == (count, 2)
    assert places.min() >= 0 and places.max() <= 1
    assert np.array_equal(places, arrange(vectors))


def test_equal_photos_are_in_one_place():
    assert (arrange(np.zeros((20, 8), np.float32)) == 0.5).all()
