"""Projections fitted to drawn features whose distribution is known."""

import numpy as np
import pytest

from shutterless.novelty.fit import MAX_SIZE, fit_novelty, fit_projection
from shutterless.novelty.types import NoveltyModel, Projection, scale_to_unit_length


@pytest.fixture
def photos():
    """Return features of three labels, 400 photos each, around three directions of 20."""
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(3), 400)
    features = 10 * np.eye(20)[truth] + rng.normal(size=(1200, 20)) * np.linspace(0.2, 2, 20)
    return features.astype(np.float32), truth


def test_the_photos_of_a_label_have_unit_variance_around_its_centre(photos):
    features, truth = photos
    projection = fit_projection(features, truth, "block")
    embeddings = projection.embed(features)
    assert projection.layer == "block"
    for label, centre in enumerate(projection.centres):
        assert embeddings[truth == label].mean(axis=0) == pytest.approx(centre, abs=1e-3)
    assert (embeddings - projection.centres[truth]).std(axis=0) == pytest.approx(np.ones(20), rel=0.2)


def test_a_distance_is_that_from_the_nearest_centre(photos):
    features, truth = photos
    projection = fit_projection(features, truth)
    z = projection.embed(features[:7])
    each = ((z[:, None] - projection.centres) ** 2).sum(axis=2)
    assert projection.distances(features[:7]) == pytest.approx(each.min(axis=1), rel=1e-3)
    model = NoveltyModel((projection, projection))
    assert model.distances({"": features}).shape == (1200, 2)


def test_directions_outside_the_projection_count_as_one_variance():
    rng = np.random.default_rng(0)
    features = np.concatenate([rng.normal(size=(2000, 4)) * 0.2, rng.normal(size=(2000, 6)) * 0.02], axis=1)
    features[:, 0] += 1
    truth = np.zeros(2000, int)
    whole, part = (fit_projection(features.astype(np.float32), truth, size=size) for size in (10, 4))
    assert (whole.outside_weight, part.outside_weight) == (0, pytest.approx(1 / 0.02**2, rel=0.3))
    assert part.distances(features) == pytest.approx(whole.distances(features), rel=0.5)
    assert np.corrcoef(part.distances(features), whole.distances(features))[0, 1] > 0.95


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


@pytest.mark.parametrize(("max_bytes", "size"), [(370_000, MAX_SIZE), (20_000, 30), (0, 1)])
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
        np.ones(2, np.float32),
        0.0,
    )
    assert projection.distances(np.array([[2, 0], [3, 4]], np.float32)) == pytest.approx([0, 0.4])


def test_fewer_photos_than_features_give_distances():
    # Most variances are then equal, which LAPACK's quick driver doesn't survive with some of these seeds.
    for seed in range(60):
        features = np.random.default_rng(seed).gamma(1, size=(30, 96)).astype(np.float32)
        assert np.isfinite(fit_projection(features, np.zeros(30, int)).distances(features)).all()
