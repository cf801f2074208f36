import numpy as np
import pytest

from shutterless.curation.label_errors import cross_validate_features, find_label_errors
from shutterless.curation.neighbours import center
from shutterless.dataset.types import Photo


def clusters(labels: dict[str, int], *, spread=0.3, seed=0) -> tuple[list[Photo], np.ndarray]:
    """Return photos, and features in one cluster for each label."""
    rng = np.random.default_rng(seed)
    photos, features = [], []
    for direction, (label, count) in zip(np.eye(16), labels.items(), strict=False):
        photos += [Photo(f"{label}/{number:03}.jpg", label, "train") for number in range(count)]
        features.append(4 * direction + spread * rng.normal(size=(count, 16)))
    return photos, np.concatenate(features).astype(np.float32)


def test_flipped_labels_are_the_first():
    photos, features = clusters({"hat": 40, "cap": 40, "scarf": 40})
    for index, label in ((3, "cap"), (50, "scarf"), (100, "hat")):
        path = photos[index].path.replace(photos[index].label, label)
        photos[index] = Photo(path, label, "train")
    errors = find_label_errors(center(features), photos)
    assert {(error.index, error.label) for error in errors[:3]} == {(3, "hat"), (50, "cap"), (100, "scarf")}
    confidences = [error.confidence for error in errors]
    assert confidences == sorted(confidences, reverse=True)
    assert all(0 <= confidence <= 1 for confidence in confidences)


def test_a_photo_under_two_labels_is_the_first_and_the_less_probable_label_is_wrong():
    photos, features = clusters({"hat": 30, "cap": 30})
    features[35] = features[4]
    photos[0] = Photo("cap/other.jpg", "cap", "train")
    errors = find_label_errors(center(features), photos, duplicates=[[4, 35], [7, 8]])
    assert [(error.index, error.label, error.same_as) for error in errors[:2]] == [
        (35, "hat", 4),
        (0, "hat", None),
    ]
    assert 0.5 <= errors[0].confidence <= 1
    assert len({error.index for error in errors}) == len(errors)


def test_photos_of_a_group_are_in_one_fold():
    photos, features = clusters({"hat": 20, "cap": 20})
    photos = [Photo(each.path, each.label, each.split, f"pair {n // 2}") for n, each in enumerate(photos)]
    pair = np.zeros((2, 16), np.float32)
    pair[:, 9] = 4
    features[[0, 1]] = pair  # like no other photo: only the other of the pair tells its label
    result = cross_validate_features(center(features), photos)
    assert result.probabilities[0].max() < 0.95
    assert result.probabilities[2:20, 1].min() > 0.5


@pytest.mark.parametrize(
    "labels",
    [
        {"hat": 1},
        {"hat": 2},
        {"hat": 1, "cap": 1},
        {"hat": 5, "cap": 1},
        {"hat": 30},
        {"hat": 30, "cap": 1, "scarf": 1},
    ],
)
def test_labels_that_cannot_be_compared_have_no_errors(labels):
    photos, features = clusters(labels)
    assert find_label_errors(center(features), photos) == []


def test_equal_photos_and_few_of_them_are_no_problem():
    photos, _ = clusters({"hat": 6, "cap": 2})
    vectors = center(np.ones((8, 16), np.float32))
    result = cross_validate_features(vectors, photos)
    assert not vectors.any()
    assert np.isfinite(result.probabilities).all()
    assert isinstance(find_label_errors(vectors, photos), list)


def test_a_label_with_one_photo_is_left_out_of_the_comparison():
    photos, features = clusters({"hat": 20, "cap": 20, "rare": 1})
    result = cross_validate_features(center(features), photos)
    assert result.labels == ("cap", "hat")
    assert result.indices.tolist() == list(range(40))
    assert result.probabilities.sum(axis=1) == pytest.approx(1)
