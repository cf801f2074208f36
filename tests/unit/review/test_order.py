"""Which photos are labelled first."""

import numpy as np
import pytest

from shutterless.review.order import choose_photos, value_photos

NAMES = [f"photo-{number}" for number in range(100)]


def test_a_small_margin_and_what_is_strange_teach_most() -> None:
    scores = np.array([[0.9, 0.1], [0.5, 0.5], [0.9, 0.1], [0.9, 0.1]])
    value = value_photos(scores, np.array([0.5, 0.5, 0.999, np.nan]))
    assert value == pytest.approx([0.2, 1.0, 0.99, 0.2])


def test_a_single_label_has_no_margin_but_its_score() -> None:
    assert value_photos(np.array([[0.7]]), np.array([0.0])) == pytest.approx([0.3])


def test_a_tenth_is_chosen_at_random_and_evenly_mixed() -> None:
    scores = np.column_stack([np.linspace(0.5, 1, 100), np.linspace(0.5, 0, 100)])
    chosen, sample = choose_photos(NAMES, scores, np.zeros(100), None, 40)
    places = [chosen.index(index) for index in sample]
    assert len(set(chosen)) == 40
    assert places == [5, 15, 25, 34]
    others = [index for index in chosen if index not in sample]
    assert others == sorted(others)  # the smallest margins first
    assert max(others) < 45


def test_the_random_photos_depend_on_the_names_alone() -> None:
    scores = np.full((100, 2), 0.5)
    few, many = (choose_photos(NAMES, scores, np.zeros(100), None, count)[1] for count in (30, 90))
    assert (len(few), len(many)) == (3, 9)
    assert many[:3] == few
    reverse = choose_photos(NAMES[::-1], scores, np.zeros(100), None, 30)[1]
    assert [99 - index for index in reverse] == few


def test_of_equal_photos_those_that_differ_come_first() -> None:
    embeddings = np.zeros((100, 3))
    embeddings[:, 0] = 1
    embeddings[[7, 70]] = [[0, 1, 0], [0, 0, 1]]
    scores = np.full((100, 2), 0.5)
    chosen, _ = choose_photos(NAMES, scores, np.zeros(100), embeddings, 5)
    assert {7, 70} <= set(chosen)


def test_all_photos_are_chosen_where_fewer_are_there_than_asked_for() -> None:
    chosen, _ = choose_photos(NAMES[:3], np.full((3, 2), 0.5), np.zeros(3), np.zeros((3, 2)), 50)
    assert sorted(chosen) == [0, 1, 2]
