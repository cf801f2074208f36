"""How well strange pictures are noticed, measured on drawn features."""

import numpy as np
import pytest

from shutterless.novelty.fit import fit_novelty
from shutterless.novelty.measurement import auroc, leave_one_label_out, measure_novelty, parse_left_out

LABELS = ("a", "b", "c", "d")


def draw(photos, seed):
    """Return features at two depths; labels a and b look alike, c and d like nothing else."""
    rng = np.random.default_rng(seed)
    truth = np.arange(photos) % 4
    centres = 8 * np.eye(12)
    centres[1] = centres[0] + 0.2 * centres[5]
    features = (centres[truth] + rng.normal(size=(photos, 12))).astype(np.float32)
    return {"": features, "block": features[:, :6]}, truth


def test_auroc_is_the_share_of_pairs_in_the_right_order():
    assert auroc(np.array([1.0, 2.0]), np.array([3.0, 4.0])) == 1
    assert auroc(np.array([1.0, 2.0]), np.array([2.0, 0.0])) == (0.75 + 0) / 2
    assert auroc(np.ones(5), np.ones(9)) == 0.5


def test_a_label_that_resembles_another_is_hard_to_notice():
    by_label = leave_one_label_out(*draw(400, 0), *draw(200, 1), LABELS)
    assert list(by_label) == list(LABELS)
    assert [each.photos for each in by_label.values()] == [50, 50, 50, 50]
    assert min(by_label["c"].noticed, by_label["d"].noticed) > 0.95 > 0.7 > by_label["a"].noticed
    assert min(by_label["c"].auroc, by_label["d"].auroc) > 0.99 > by_label["a"].auroc


def test_few_labels_are_not_left_out():
    features, truth = draw(40, 0)
    assert leave_one_label_out(features, truth % 2, features, truth % 2, LABELS[:2]) == {}


def test_at_most_20_of_many_labels_are_left_out(monkeypatch):
    monkeypatch.setattr("shutterless.novelty.measurement.MAX_LABELS", 2)
    assert list(leave_one_label_out(*draw(80, 0), *draw(40, 1), LABELS)) == ["a", "c"]


@pytest.fixture
def measure():
    train, truth = draw(400, 0)
    model = fit_novelty(train, truth)

    def run(photos, other=None):
        return measure_novelty(model, train, truth, *draw(photos, 1), LABELS, other=other)

    return run


def test_measured_figures_as_a_bundle_records_them(measure):
    document = measure(240).to_json()
    assert document["promises"] is True
    assert 0.005 < document["false_alarms"] < 0.03
    labels = document["left_out"]["labels"].values()
    assert document["left_out"]["auroc"] == pytest.approx(np.mean([each["auroc"] for each in labels]))
    assert document["left_out"]["noticed"] == pytest.approx(np.mean([each["noticed"] for each in labels]))
    assert "other" not in document


def test_below_100_validation_photos_nothing_is_promised(measure):
    assert measure(99).promises is False
    assert measure(99).false_alarms is None
    assert measure(100).promises is True


def test_photos_of_other_things_are_measured_too(measure):
    other = np.random.default_rng(2).normal(size=(61, 12)).astype(np.float32)
    result = measure(200, {"": other, "block": other[:, :6]}).other
    assert result.photos == 61
    assert result.noticed > 0.9
    assert result.auroc > 0.99


def test_what_a_bundle_records_of_each_label_is_read_back(measure):
    measurement = measure(240)
    assert parse_left_out(measurement.to_json()) == measurement.by_label


@pytest.mark.parametrize(
    "measured", [None, {}, {"left_out": None}, {"left_out": {"labels": {"hat": {"auroc": "high"}}}}, []]
)
def test_of_anything_else_no_figures_are_read(measured):
    assert parse_left_out(measured) == {}
