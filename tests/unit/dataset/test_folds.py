from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from shutterless.dataset import Dataset, Photo
from shutterless.dataset.folds import split_into_folds
from shutterless.errors import DatasetError


def dataset(**counts):
    photos = [
        Photo(f"{label}/{n:02}", label, "train") for label, count in counts.items() for n in range(count)
    ]
    return Dataset(Path("photos"), tuple(sorted(counts)), tuple(photos), (), ())


def of_groups(data, size):
    """Return the data set with every `size` photos of a label in one group."""
    photos = [replace(photo, group=f"{photo.label}{int(photo.path[-2:]) // size}") for photo in data.photos]
    return replace(data, photos=tuple(photos))


def test_every_photo_is_held_out_once_and_every_label_evenly():
    parts = split_into_folds(dataset(a=20, b=10, c=7), 5, seed=1)
    held_out = [photo.path for part in parts for photo in part.of("test")]
    assert len(held_out) == len(set(held_out)) == 37
    for part in parts:
        labels = Counter(photo.label for photo in part.of("test"))
        assert (labels["a"], labels["b"]) == (4, 2)
        assert labels["c"] in (1, 2)
        assert len(part.photos) == 37
        assert {photo.label for photo in part.of("train")} == {"a", "b", "c"}
        assert {photo.label for photo in part.of("validation")} == {"a", "b", "c"}


def test_groups_are_never_divided():
    parts = split_into_folds(of_groups(dataset(a=30, b=30), 3), 5, seed=1)
    for part in parts:
        splits = {(photo.group, photo.split) for photo in part.photos}
        assert len(splits) == 20
    assert [len(part.of("test")) for part in parts] == [12] * 5


def test_the_seed_decides_the_folds():
    data = dataset(a=20, b=20)
    assert split_into_folds(data, 4, seed=1) == split_into_folds(data, 4, seed=1)
    assert split_into_folds(data, 4, seed=1) != split_into_folds(data, 4, seed=2)


@pytest.mark.parametrize("folds", [-1, 0, 1, 41])
def test_an_impossible_number_of_folds_is_refused(folds):
    with pytest.raises(DatasetError) as caught:
        split_into_folds(dataset(a=20, b=20), folds, seed=1)
    assert caught.value.code == "too-few-photos"


def test_a_label_that_is_one_group_is_refused():
    with pytest.raises(DatasetError) as caught:
        split_into_folds(of_groups(dataset(a=40, label_b=10), 10), 4, seed=1)
    assert caught.value.code == "label-in-one-fold"
    assert "label_b" in caught.value.message
