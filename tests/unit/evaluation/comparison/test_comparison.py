import json

import numpy as np
import pytest

from shutterless.dataset import Photo
from shutterless.evaluation.comparison.answers import Answers
from shutterless.evaluation.comparison.comparison import UnsharedLabel, compare_answers
from shutterless.evaluation.comparison.paired import Difference
from shutterless.evaluation.comparison.text import conclusion, difference_text, figure_rows


def answers(labels, guesses, confidence=0.8, **bundle):
    """Return answers of one confidence, whose other labels share the rest."""
    scores = np.full((len(guesses), len(labels)), (1 - confidence) / (len(labels) - 1), np.float32)
    scores[np.arange(len(guesses)), [labels.index(guess) for guess in guesses]] = confidence
    return Answers(tuple(labels), scores, **bundle)


def photos(*labels):
    return [Photo(f"{number}.jpg", label, "test") for number, label in enumerate(labels)]


LABELS = ("coat", "hat", "shoe")
TRUTH = photos("coat", "coat", "hat", "hat", "shoe")


def test_each_photo_got_better_or_worse_or_stayed():
    a = answers(LABELS, ["coat", "hat", "coat", "hat", "coat"])
    b = answers(LABELS, ["coat", "coat", "hat", "shoe", "hat"])
    result = compare_answers(TRUTH, a, b)
    assert (result.both_right, result.better, result.worse, result.both_wrong) == (1, 2, 1, 1)
    assert (result.same, result.agreement) == (1, 0.2)
    assert [(change.path, change.effect) for change in result.changes] == [
        ("3.jpg", "worse"),
        ("1.jpg", "better"),
        ("2.jpg", "better"),
        ("4.jpg", "neither"),
    ]
    assert (result.a.metrics.right, result.b.metrics.right) == (2, 3)
    assert result.accuracy.value == pytest.approx(0.2)
    assert result.per_label["hat"].better == result.per_label["hat"].worse == 1
    assert json.loads(json.dumps(result.to_json()))["changes"][0]["a"]["label"] == "hat"


def test_equal_models_do_not_differ():
    one = answers(LABELS, ["coat", "hat", "coat", "hat", "coat"])
    result = compare_answers(TRUTH, one, one)
    assert result.changes == ()
    assert (result.loss.value, result.loss.low, result.loss.high) == (0, 0, 0)
    assert result.test.p_value == 1
    assert "same photos" in conclusion(result)


def test_labels_that_only_one_model_knows_are_told_apart():
    a = answers(("coat", "hat"), ["coat", "coat", "hat", "hat", "hat"])
    b = answers(("coat", "shoe", "hat", "belt"), ["coat", "belt", "hat", "hat", "shoe"])
    result = compare_answers(TRUTH, a, b)
    assert (result.photos, {*result.per_label}) == (4, {"coat", "hat"})
    assert result.unshared == {"belt": UnsharedLabel("b", 0, 0), "shoe": UnsharedLabel("b", 1, 1)}
    assert [change.path for change in result.changes] == ["1.jpg"]


def test_what_is_accepted_counts_unfamiliar_photos_out():
    flags = {"accepted": np.array([True, True, False, False, True]), "threshold": 0.5}
    a = answers(LABELS, ["coat"] * 5, **flags, familiar=np.array([True, True, False, True, True]))
    b = answers(LABELS, ["coat"] * 5)
    result = compare_answers(TRUTH, a, b)
    acceptance = result.a.metrics.acceptance
    assert (acceptance.photos, acceptance.right, acceptance.threshold) == (3, 2, 0.5)
    assert (result.a.unfamiliar, result.b.unfamiliar, result.b.metrics.acceptance) == (1, None, None)
    rows = {row[0]: row[1:] for row in figure_rows(result)}
    assert rows["accepted"] == ("60 % (3 of 5)", "–", "")
    assert rows["taken for none of the labels"][1:] == ("–", "")


@pytest.mark.parametrize(("better", "favoured"), [(12, "B"), (0, "A"), (6, None)])
def test_the_conclusion_names_a_model_only_if_the_test_does(better, favoured):
    sample = photos(*["coat"] * 12)
    a = answers(LABELS, ["coat"] * (12 - better) + ["hat"] * better)
    b = answers(LABELS, ["hat"] * (12 - better) + ["coat"] * better)
    result = compare_answers(sample, a, b)
    assert (f"{favoured} is more accurate" in conclusion(result)) == bool(favoured)


def test_a_difference_has_a_sign_and_one_digit_more_than_its_error():
    assert difference_text(Difference(0.0323, -0.0004, 0.065), 100, "points") == (
        "+3.2 points (95 % interval −0.0 to +6.5)"
    )
    assert difference_text(Difference(-0.17, -0.22, -0.11)).startswith("−0.170 (")
