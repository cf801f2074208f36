from shutterless.evaluation.holdout import describe, explain


def test_what_is_left_out_is_said_with_its_reason_and_its_number():
    (note,) = explain({"test": 20}, {"train": 160, "validation": 20})
    assert "200 photos" in note and "160 were trained on" in note and "20 chose" in note
    assert explain({"new": 50}, {}) == []


def test_figures_of_trained_photos_are_said_to_be_too_good():
    (note,) = explain({"train": 160, "validation": 20, "test": 20}, {})
    assert "160 of these 200" in note
    (note, _) = explain({"validation": 20}, {"train": 180})
    assert "validation" in note


def test_measured_photos_are_described_by_their_splits():
    assert describe({"test": 20}) == "the test photos"
    assert describe({"test": 20, "new": 1500}) == "20 test and 1,500 new photos"
