import json
from datetime import timedelta

import numpy as np
import pytest
from PIL import Image

import shutterless
from shutterless.artifacts.validation_record import VALIDATION_ANSWERS, ValidationRecord, read_validation
from shutterless.errors import BundleError, InputError, OutputError
from shutterless.monitoring.drift import drift
from shutterless.monitoring.period import choose_period
from shutterless.runtime.model.bundle import read_bundle, write_bundle
from tests.unit.monitoring.conftest import LABELS, UNTIL, draw


@pytest.fixture(autouse=True)
def few_draws(monkeypatch):
    monkeypatch.setattr("shutterless.monitoring.estimates.DRAWS", 40)


def run(deployment, **options):
    return drift(deployment.bundle.folder, deployment.live, **{"until": UNTIL, **options})


def test_a_quiet_week(deployment):
    sample, truth = draw(np.random.default_rng(5), 400)
    deployment.write(sample)
    result = run(deployment)
    assert (result.alarm, result.too_few, result.requests) == (False, False, 400)
    assert result.accuracy.low <= np.mean(sample.answers == truth) <= result.accuracy.high
    assert result.assumption_holds
    assert sum(label.now.value for label in result.labels.values()) == pytest.approx(1)
    assert 0.05 < result.detectable < 0.2
    assert json.loads(json.dumps(result.to_json()))["alarm"] is False


def test_a_label_that_is_more_frequent_alarms_and_its_share_is_estimated(deployment):
    sample, truth = draw(np.random.default_rng(5), 400, shares=(1, 1, 3, 1))
    deployment.write(sample)
    result = run(deployment)
    assert result.alarm
    assert result.assumption_holds
    assert result.unusual == ()
    assert result.labels["pants"].now.value == pytest.approx(np.mean(truth == 2), abs=0.05)


def test_other_pictures_alarm_and_are_shown(deployment, tmp_path):
    sample, _ = draw(np.random.default_rng(5), 300, offset=0.4)
    (deployment.live / "photos").mkdir(parents=True)
    Image.new("RGB", (40, 30), "red").save(deployment.live / "photos/a.jpg")
    photos = ["photos/a.jpg", "photos/gone.jpg", "../bundle/bundle.json"] * 100
    deployment.write(sample, photo=photos, id=[f"<b>{number}" for number in range(300)])
    result = run(deployment, report=tmp_path / "page")
    assert result.alarm
    assert not result.assumption_holds
    assert len(result.unusual) == 48
    assert {picture.photo for picture in result.unusual} <= {None, deployment.live / "photos/a.jpg"}
    page = (tmp_path / "page/drift.html").read_text("utf-8")
    assert page.count("<script>") == 1
    assert "&lt;script&gt;alert(1)" in page
    assert "<b>0" not in page
    assert "data:image/jpeg" in page


def test_too_few_records_raise_no_alarm(deployment, tmp_path):
    deployment.write(draw(np.random.default_rng(5), 20, offset=1.0)[0])
    result = run(deployment, report=tmp_path / "few.html")
    assert (result.alarm, result.too_few, result.signs) == (False, True, ())
    assert (tmp_path / "few.html").is_file()


def test_a_single_record(deployment):
    deployment.write(draw(np.random.default_rng(5), 1)[0])
    assert run(deployment).too_few


def test_what_cannot_be_compared_is_left_out_and_counted(deployment):
    sample, _ = draw(np.random.default_rng(5), 100)
    scores = sample.scores.tolist()
    scores[0][0], scores[1], scores[2] = float("nan"), None, scores[2][:2]
    novelty = sample.novelty.tolist()
    novelty[3] = None
    embeddings = sample.embeddings.tolist()
    embeddings[4][0] = float("inf")
    scores[10], embeddings[10] = scores[11], embeddings[11]
    versions = [deployment.bundle.version] * 95 + ["0123456789ab"] * 5
    deployment.write(sample, scores=scores, novelty=novelty, embedding=embeddings, model=versions)
    result = run(deployment)
    assert result.left_out == {"other-model": 5, "incomplete": 5, "duplicate": 1, "not-sampled": 0}
    assert result.requests == result.now.pictures == 89


def test_records_of_models_with_other_labels_are_read_by_their_names(deployment):
    sample, _ = draw(np.random.default_rng(5), 100)
    deployment.write(sample)
    expected = run(deployment)
    names = ["glove", *LABELS[::-1]]
    scores = [[float("nan"), *row[::-1]] for row in sample.scores.tolist()]
    scores[0] = scores[0][:4]
    deployment.write(sample, names, scores=scores)
    result = run(deployment)
    assert result.left_out["incomplete"] == 1
    assert result.labels["hat"].answers == pytest.approx(expected.labels["hat"].answers, abs=0.02)
    assert result.then == expected.then
    assert result.now.confidence == pytest.approx(expected.now.confidence, abs=0.02)


def test_more_records_than_are_compared(deployment, monkeypatch):
    monkeypatch.setattr("shutterless.monitoring.records.MAX_RECORDS", 50)
    deployment.write(draw(np.random.default_rng(5), 80)[0])
    result = run(deployment)
    assert (result.now.pictures, result.left_out["not-sampled"]) == (50, 30)


def test_pictures_of_one_request(deployment):
    sample, _ = draw(np.random.default_rng(5), 100)
    deployment.write(sample, request=[str(number // 4) for number in range(100)])
    result = run(deployment)
    assert (result.now.pictures, result.requests, result.too_few) == (100, 25, True)


@pytest.mark.parametrize(
    ("columns", "options", "code"),
    [
        ({}, {"until": UNTIL + timedelta(days=30)}, "no-records"),
        ({"model": ["0123456789ab"] * 40}, {}, "other-model"),
        ({"novelty": [None] * 40}, {}, "no-records"),
        ({"scores": [1] * 40}, {}, "not-records"),
        ({}, {"since": "2026-11-23", "until": "2026-11-22"}, "empty-period"),
        ({}, {"since": "yesterday"}, "invalid-time"),
        ({}, {"window": "year"}, "unknown-window"),
    ],
)
def test_what_is_refused(deployment, columns, options, code):
    deployment.write(draw(np.random.default_rng(5), 40)[0], **columns)
    with pytest.raises(InputError) as caught:
        run(deployment, **options)
    assert caught.value.code == code


@pytest.mark.parametrize("labels", [7, {"of": 1}])
def test_labels_of_records_that_are_none(deployment, labels):
    deployment.write(draw(np.random.default_rng(5), 40)[0], labels)
    if labels == 7:
        with pytest.raises(InputError) as caught:
            run(deployment)
        assert caught.value.code == "not-records"
    else:  # without one of the bundle's labels: the scores are taken in the bundle's order
        assert run(deployment).requests == 40


@pytest.mark.parametrize("content", [None, b"", b"PAR1 no parquet PAR1"])
def test_a_file_that_holds_no_records(deployment, content):
    deployment.live.mkdir()
    if content is not None:
        (deployment.live / "records.parquet").write_bytes(content)
    with pytest.raises(InputError) as caught:
        run(deployment)
    assert caught.value.code == "not-records"


def test_no_records_at_all(deployment):
    deployment.write(draw(np.random.default_rng(5), 0)[0])
    with pytest.raises(InputError) as caught:
        run(deployment)
    assert caught.value.code in ("no-records", "not-records")


def test_a_page_that_is_not_ours_is_kept(deployment, tmp_path):
    (tmp_path / "mine.html").write_text("mine")
    with pytest.raises(OutputError) as caught:
        run(deployment, report=tmp_path / "mine.html")
    assert caught.value.code == "not-ours"


def test_a_bundle_without_validation_answers_is_to_be_converted_again(deployment, tmp_path):
    bundle = write_bundle(tmp_path / "old", b"model", deployment.bundle)
    deployment.write(draw(np.random.default_rng(5), 40)[0])
    with pytest.raises(BundleError) as caught:
        drift(bundle.folder, deployment.live, until=UNTIL)
    assert caught.value.code == "no-validation-record"


def test_changed_validation_answers_are_refused(deployment):
    (deployment.bundle.path / VALIDATION_ANSWERS).write_bytes(b"other")
    with pytest.raises(BundleError) as caught:
        read_validation(read_bundle(deployment.bundle.folder))
    assert caught.value.code == "changed-validation-record"


@pytest.mark.parametrize(
    "changes",
    [
        {"truth": np.full(300, 4, np.int32)},
        {"scores": np.zeros((300, 3), np.float16)},
        {"novelty": np.full(300, np.nan, np.float32)},
        {"embeddings": np.zeros(300, np.float16)},
        {"groups": np.array([{}] * 300)},
        {"truth": np.zeros(0, np.int32)},
    ],
)
def test_validation_answers_of_a_stranger_are_refused(deployment, tmp_path, changes):
    record = read_validation(deployment.bundle)
    content = ValidationRecord(**{**vars(record), **changes}).to_bytes()
    bundle = write_bundle(tmp_path / "other", b"model", deployment.bundle, {VALIDATION_ANSWERS: content})
    with pytest.raises(BundleError) as caught:
        read_validation(bundle)
    assert caught.value.code == "changed-validation-record"


def test_the_default_period_is_the_last_week():
    start, end = choose_period(None, None, "week")
    assert end - start == timedelta(days=7)
    assert choose_period("2026-11-01", "2026-11-02T12:00+02:00", "week")[1].hour == 10


def test_a_converted_bundle_has_its_validation_answers(colour_bundle, colour_photos):
    bundle = read_bundle(colour_bundle)
    record = read_validation(bundle)
    classifier = shutterless.load(colour_bundle)
    assert record.scores.shape == (18, 3)
    assert np.bincount(record.truth).tolist() == [6, 6, 6]
    files = sorted((colour_photos / "validation").rglob("*.png"))
    predictions = classifier.predict([*files])
    scores = [[each.scores[label] for label in bundle.labels] for each in predictions]
    np.testing.assert_allclose(np.sort(record.scores, axis=0), np.sort(scores, axis=0), atol=1e-3)
    np.testing.assert_allclose(np.sort(record.novelty), np.sort([each.novelty for each in predictions]))
    assert (colour_bundle / VALIDATION_ANSWERS).stat().st_size < 10_000
