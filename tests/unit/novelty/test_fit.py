"""Projections fitted to drawn features whose distribution is known."""

import numpy as np
import pytest

from shutterless.novelty.fit import MAX_SIZE, PROTOTYPES, fit_novelty, fit_projection
from shutterless.novelty.types import Projection, scale_to_unit_length


@pytest.fixture
def photos():
    """Return features of three labels, 400 photos each, around three directions of 20."""
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(3), 400)
    features = 10 * np.eye(20)[truth] + rng.normal(size=(1200, 20)) * np.linspace(0.2, 2, 20)
    return features.astype(np.float32), truth


def test_the_directions_are_orthonormal_and_those_of_the_largest_variance(photos):
    features, truth = photos
    projection = fit_projection(features, truth, "block", size=5)
    assert projection.layer == "block"
    assert projection.matrix.T @ projection.matrix == pytest.approx(np.eye(5), abs=1e-5)
    units = scale_to_unit_length(features)
    kept = projection.embed(features).var(axis=0).sum()
    assert kept == pytest.approx(np.linalg.eigvalsh(np.cov(units.T))[-5:].sum(), rel=1e-2)


def test_a_distance_is_that_from_the_nearest_prototype_in_all_dimensions(photos):
    features, truth = photos
    model = fit_novelty({"": features}, truth)
    (projection,) = model.projections
    assert projection.centres.shape == (3 * PROTOTYPES, 20)
    deviations = scale_to_unit_length(features[:7]) - projection.mean
    prototypes = projection.centres @ projection.matrix.T
    each = projection.weights * ((deviations[:, None] - prototypes) ** 2).sum(axis=2)
    assert projection.distances(features[:7]) == pytest.approx(each.min(axis=1), rel=1e-3)
    assert model.distances({"": features})[:, 0] == pytest.approx(projection.distances(features))


def test_what_lies_outside_the_projection_counts(photos):
    features, truth = photos
    projection = fit_projection(features, truth, size=3)
    stranger = features[:1].copy()
    stranger[0, 17] = 30  # a direction in which no photo differs much from others
    assert projection.embed(stranger) == pytest.approx(np.zeros((1, 3)), abs=0.8)
    assert projection.distances(stranger)[0] > projection.distances(features).max()


def test_of_many_labels_each_has_fewer_prototypes(photos):
    features, _ = photos
    (projection,) = fit_novelty({"": features}, np.arange(1200) % 200).projections
    assert len(projection.centres) == 400


def test_what_is_like_no_label_is_farther_than_almost_every_photo(photos):
    features, truth = photos
    projection = fit_projection(features, truth)
    stranger = np.zeros((1, 20), np.float32)
    stranger[0, 10] = 10
    assert projection.distances(stranger)[0] > np.quantile(projection.distances(features), 0.999)


def test_brightness_does_not_matter(photos):
    features, truth = photos
    projection = fit_projection(features, truth)
    assert projection.distances(3 * features) == pytest.approx(projection.distances(features), rel=1e-3)


@pytest.mark.parametrize(("max_bytes", "size"), [(370_000, MAX_SIZE), (20_000, 25), (0, 1)])
def test_an_embedding_has_at_most_64_numbers_and_all_matrices_a_limit(max_bytes, size):
    features = np.random.default_rng(0).normal(size=(30, 100)).astype(np.float32)
    layers = {"": features, "block": features[:, :60]}
    model = fit_novelty(layers, np.arange(30) % 2, max_bytes=max_bytes)
    assert [each.layer for each in model.projections] == ["", "block"]
    assert [each.matrix.shape for each in model.projections] == [(100, size), (60, min(60, size))]
    assert model.distances(layers).shape == (30, 2)


def test_features_that_never_vary_give_finite_distances():
    features = np.zeros((40, 16), np.float32)
    features[:20, :4] = np.random.default_rng(0).normal(size=(20, 4))
    projection = fit_projection(features, np.arange(40) % 4)
    assert np.isfinite(projection.distances(features)).all()
    constant = np.ones((9, 5), np.float32)
    assert np.isfinite(fit_projection(constant, np.zeros(9, int)).distances(constant)).all()


def test_a_vector_of_zeros_stays_one():
    assert scale_to_unit_length(np.array([[3, 4], [0, 0]], np.float32)).tolist() == [
        [pytest.approx(0.6), pytest.approx(0.8)],
        [0, 0],
    ]


def test_a_photo_between_two_prototypes_is_measured_to_the_nearer():
    projection = Projection(
        "",
        np.zeros(2, np.float32),
        np.eye(2, dtype=np.float32),
        np.array([[1, 0], [0, 1]], np.float32),
        np.array([1, 1], np.float32),
    )
    assert projection.distances(np.array([[2, 0], [3, 4]], np.float32)) == pytest.approx([0, 0.4])


def test_a_distance_counts_less_where_the_photos_of_a_label_vary():
    rng = np.random.default_rng(0)
    features = np.zeros((400, 20), np.float32)
    features[:200, 0], features[200:, 1] = 10, 10
    features[:200] += rng.normal(scale=0.2, size=(200, 20))
    features[200:] += rng.normal(scale=2, size=(200, 20))  # variances: 100 times as large
    weights = fit_projection(features, np.arange(400) // 200, prototypes=1).weights
    assert 6 < weights[0] / weights[1] < 14


def test_fewer_photos_than_features_give_distances():
    # Most variances are then equal, which LAPACK's quick driver doesn't survive with some of these seeds.
    for seed in range(60):
        features = np.random.default_rng(seed).gamma(1, size=(30, 96)).astype(np.float32)
        assert np.isfinite(fit_projection(features, np.zeros(30, int)).distances(features)).all()
