from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shutterless.dataset.split import assign_splits, join_groups, split_photos
from shutterless.dataset.types import NEW, Photo

SHARES = {"validation": 0.1, "test": 0.1}


def photos(label: str, count: int) -> list[Photo]:
    return [Photo(f"{label}/{number:03}.jpg", label, "train") for number in range(count)]


def sizes(result: tuple[Photo, ...]) -> list[int]:
    return [sum(photo.split == split for photo in result) for split in ("train", "validation", "test")]


@pytest.mark.parametrize(
    ("count", "expected"),
    [(1, [1, 0, 0]), (2, [1, 1, 0]), (3, [1, 1, 1]), (10, [8, 1, 1]), (100, [80, 10, 10])],
)
def test_every_label_keeps_a_photo_for_training_and_then_gives_to_validation_and_test(count, expected):
    assert sizes(split_photos(photos("hat", count), SHARES, seed=1)) == expected


@given(st.permutations(photos("hat", 12) + photos("dress", 7)))
def test_the_order_of_the_photos_does_not_matter(shuffled):
    ordered = photos("hat", 12) + photos("dress", 7)
    assert split_photos(shuffled, SHARES, seed=3) == split_photos(ordered, SHARES, seed=3)


def test_a_photo_more_leaves_nearly_all_others_where_they_were():
    before = split_photos(photos("hat", 100), SHARES, seed=1)
    after = split_photos(photos("hat", 101), SHARES, seed=1)
    assert len(set(before) - set(after)) <= 2


def in_groups(label: str, *sizes: int) -> list[Photo]:
    """Return photos in groups of these sizes; a group of one is a photo on its own."""
    return [
        Photo(f"{label}/{number}_{shot}.jpg", label, "train", f"{label}/{number}" if size > 1 else "")
        for number, size in enumerate(sizes)
        for shot in range(size)
    ]


def splits_of(result: tuple[Photo, ...]) -> dict[str, set[str]]:
    groups: dict[str, set[str]] = {}
    for photo in result:
        groups.setdefault(photo.group or photo.path, set()).add(photo.split)
    return groups


@given(st.lists(st.integers(1, 9), min_size=3, max_size=30), st.integers(0, 99))
def test_no_group_is_divided_and_no_split_is_empty_while_groups_last(group_sizes, seed):
    result = split_photos(in_groups("hat", *group_sizes), SHARES, seed=seed)
    assert all(len(splits) == 1 for splits in splits_of(result).values())
    assert all(sizes(result))


@pytest.mark.parametrize("seed", range(5))
def test_shares_are_counted_in_photos_not_in_groups(seed):
    assert sizes(split_photos(in_groups("hat", *[8] * 50), SHARES, seed=seed)) == [320, 40, 40]
    mixed = sizes(split_photos(in_groups("hat", *[1] * 100, *[5] * 20), SHARES, seed=seed))
    assert all(abs(size - 20) <= 2 for size in mixed[1:])


@pytest.mark.parametrize(
    ("group_sizes", "expected"), [([9, 4], [9, 4, 0]), ([9], [9, 0, 0]), ([3, 9, 4], [9, 3, 4])]
)
def test_few_groups_leave_training_the_largest(group_sizes, expected):
    assert sizes(split_photos(in_groups("hat", *group_sizes), SHARES, seed=1)) == expected


def test_a_group_under_two_labels_stays_together():
    both = [replace(photo, group="same") for photo in (*photos("hat", 3), *photos("cap", 2))]
    alone = [*photos("hat", 30)[3:], *photos("cap", 30)[2:]]
    result = split_photos([*both, *alone], SHARES, seed=4)
    assert len(splits_of(result)["same"]) == 1


def test_a_group_more_leaves_nearly_all_others_where_they_were():
    before = split_photos(in_groups("hat", *[4] * 60), SHARES, seed=1)
    after = split_photos(in_groups("hat", *[4] * 61), SHARES, seed=1)
    assert len(set(before) - set(after)) <= 8


def test_a_group_that_is_called_like_another_photo_does_not_follow_it():
    photos = [Photo("a", "x", "train"), Photo("b", "x", "test", "a"), Photo("c", "x", NEW, "a")]
    assert [photo.split for photo in join_groups(photos)] == ["train", "test", "test"]


def test_photos_of_an_earlier_run_keep_their_splits_and_their_groups_follow():
    earlier = {"hat/000.jpg": "test", "hat/001.jpg": "validation", "hat/002.jpg": "train"}
    hats = photos("hat", 30)
    hats[10] = replace(hats[10], group="one thing")
    hats[0] = replace(hats[0], group="one thing")
    result = assign_splits(hats, (), seed=1, split_of=lambda photo: earlier.get(photo.path))
    splits = {photo.path: photo.split for photo in result}
    assert splits.items() >= earlier.items()
    assert splits["hat/010.jpg"] == "test"
    assert sizes(result) == [30 - 2 - 3 - 1 - 3, 1 + 3, 2 + 3]


def test_without_a_folder_for_validation_what_was_validated_on_stays_apart():
    hats = [*photos("hat", 10), Photo("test/hat/1.jpg", "hat", "test")]
    recorded = {"hat/004.jpg": "validation", "hat/005.jpg": "test"}
    result = assign_splits(hats, ("train", "test"), seed=1, split_of=lambda photo: recorded.get(photo.path))
    splits = {photo.path: photo.split for photo in result}
    assert splits["hat/004.jpg"] == "validation"
    assert splits["test/hat/1.jpg"] == "test"
    assert sizes(result) == [8, 2, 1]
