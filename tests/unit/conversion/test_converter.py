import shutil
from dataclasses import replace

import keras
import numpy as np
import pytest

from shutterless.conversion import ConversionRefusedError, Verdict, convert, trial
from shutterless.conversion.converter import spread
from shutterless.dataset import Photo
from shutterless.errors import ConversionError, ShutterlessError
from shutterless.evaluation import calibrate, predict_folder
from shutterless.export import Exporter
from shutterless.models import evaluate
from shutterless.runtime.model.bundle import read_bundle
from shutterless.runtime.model.classifier import Classifier
from tests.decoding import decode

pytestmark = pytest.mark.slow


def test_a_bundle_serves_what_was_trained_and_says_how_good_it_is(colour_run, colour_photos, tmp_path):
    conversion = convert(colour_run, tmp_path / "bundle", precision="float16", name="colours")
    bundle = read_bundle(tmp_path / "bundle")
    assert bundle == conversion.bundle
    assert (bundle.name, bundle.precision, bundle.labels) == ("colours", "float16", ("blue", "green", "red"))
    assert bundle.accuracy["images"] == 18
    assert bundle.accuracy["bundle"] == bundle.accuracy["keras"] == conversion.comparison.keras.accuracy
    assert bundle.accuracy["agreement"] == 1
    assert {"keras", "tensorflow", "ai-edge-litert", "pillow"} <= bundle.made_with.keys()
    classifier = Classifier(bundle)
    assert evaluate(classifier, colour_photos, split="test").accuracy == 1
    validation = [*(colour_photos / "validation").glob("*/*.png")]
    pixels = np.stack([np.asarray(decode(file.read_bytes(), bundle.input)) for file in validation])
    weights, scores = bundle.familiar["weights"], bundle.familiar["scores"]
    expected = np.sort(classifier.distances(pixels) @ np.array(weights))
    np.testing.assert_allclose(scores, expected, rtol=1e-5)  # those of the file itself
    assert bundle.familiar["photos"] == conversion.familiarity.photos == 18
    assert bundle.familiar["measured"] == conversion.novelty.to_json()
    assert bundle.familiar["measured"]["promises"] is False
    assert classifier.classify(pixels[0]).familiar


def test_a_bundle_is_calibrated_on_what_its_own_file_predicts_for_the_validation_photos(
    colour_run, colour_photos, tmp_path, monkeypatch
):
    given = {}

    def unsure(truth, probabilities, precision):
        given.update(truth=truth, probabilities=probabilities)
        return replace(calibrate(truth, probabilities, precision), temperature=2.0, error_after=0.01)

    monkeypatch.setattr(trial, "calibrate", unsure)
    bundle = convert(colour_run, tmp_path / "bundle", precision="int8", accept_precision=0.9).bundle
    raw = Classifier(bundle.replace(temperature=1.0))
    validation = predict_folder(raw, colour_photos, split="validation")
    np.testing.assert_allclose(given["probabilities"], validation.probabilities, atol=1e-6)
    np.testing.assert_array_equal(given["truth"], validation.truth)
    assert read_bundle(tmp_path / "bundle").temperature == 2.0
    assert bundle.accuracy["calibration_error"] == 0.01
    assert (bundle.accuracy["target_precision"], bundle.accuracy["coverage"]) == (0.9, 1.0)


def test_the_comparison_with_keras_is_made_without_temperature(colour_run, colour_photos, tmp_path):
    comparison = convert(colour_run, tmp_path / "bundle", precision="float32").comparison
    assert read_bundle(tmp_path / "bundle").temperature != 1
    assert comparison.converted.loss == pytest.approx(comparison.keras.loss, rel=1e-3)


def test_an_interrupted_run_converts_too(colour_run, tmp_path):
    run = shutil.copytree(colour_run, tmp_path / "run")
    (run / "metrics.json").unlink()
    assert convert(run, tmp_path / "bundle", precision="float32").bundle.accuracy["coverage"] == 1


@pytest.mark.parametrize("precision", ["float32", "float16", "dynamic", "int8", "int8-mixed"])
def test_every_precision_keeps_its_accuracy_on_easy_photos(precision, colour_run, tmp_path):
    conversion = convert(colour_run, tmp_path / "bundle", precision=precision)
    comparison = conversion.comparison
    assert conversion.bundle.precision == precision
    assert [candidate.verdict for candidate in conversion.candidates] == [Verdict.TAKEN]
    assert comparison.agreement == 1
    assert comparison.bytes == (tmp_path / "bundle" / "model.tflite").stat().st_size
    assert comparison.milliseconds > 0


def test_auto_measures_all_precisions_and_takes_one(colour_run, tmp_path):
    conversion = convert(colour_run, tmp_path / "bundle")
    assert [candidate.precision for candidate in conversion.candidates] == [
        "float32",
        "float16",
        "int8",
        "int8-mixed",
    ]
    (taken,) = (each for each in conversion.candidates if each.verdict is Verdict.TAKEN)
    assert read_bundle(tmp_path / "bundle").precision == conversion.bundle.precision == taken.precision
    assert (conversion.comparison, conversion.calibration) == (taken.comparison, taken.calibration)
    assert all(each.comparison.agreement == 1 for each in conversion.candidates)


@pytest.fixture
def failing_int8(monkeypatch):
    """Make TensorFlow fail to convert to int8, and float16 give scores that are not finite."""
    honest, predict = Exporter.export, Classifier.probabilities

    def export(self, precision):
        if precision.needs_photos:
            raise ConversionError("conversion-failed", "no")
        return honest(self, precision)

    def overflow(self, pixels):
        return predict(self, pixels) * (np.nan if self.bundle.precision == "float16" else 1)

    monkeypatch.setattr(Exporter, "export", export)
    monkeypatch.setattr(Classifier, "probabilities", overflow)


def test_auto_leaves_out_what_cannot_be_converted_and_what_overflows(failing_int8, colour_run, tmp_path):
    conversion = convert(colour_run, tmp_path / "bundle")
    assert conversion.bundle.precision == "float32"
    assert {each.precision: each.verdict for each in conversion.candidates} == {
        "float32": Verdict.TAKEN,
        "float16": Verdict.NOT_FINITE,
        "int8": Verdict.FAILED,
        "int8-mixed": Verdict.FAILED,
    }


@pytest.mark.parametrize(("precision", "code"), [("float16", "not-finite"), ("int8", "conversion-failed")])
def test_a_single_precision_that_fails_is_an_error(precision, code, failing_int8, colour_run, tmp_path):
    with pytest.raises(ConversionError) as caught:
        convert(colour_run, tmp_path / "bundle", precision=precision)
    assert caught.value.code == code
    assert list(tmp_path.iterdir()) == []


def test_a_run_without_validation_photos_is_refused(colour_run, tmp_path):
    run = shutil.copytree(colour_run, tmp_path / "run")
    lines = (run / "split.csv").read_text().splitlines(keepends=True)
    (run / "split.csv").write_text("".join(line for line in lines if "validation" not in line))
    with pytest.raises(ShutterlessError) as caught:
        convert(run, tmp_path / "bundle")
    assert caught.value.code == "no-validation-photos"


@pytest.fixture
def bad_conversion(monkeypatch):
    """Make conversion swap the labels' order, a fault that only measuring finds."""
    honest = Exporter.__init__

    def swapped(self, model, calibration):
        flip = keras.layers.Lambda(lambda scores: keras.ops.flip(scores, -1))
        outputs = {**model.output, "probabilities": flip(model.output["probabilities"])}
        honest(self, keras.Model(model.input, outputs), calibration)

    monkeypatch.setattr(Exporter, "__init__", swapped)


def test_a_bad_conversion_is_refused_with_its_metrics_and_nothing_is_written(
    bad_conversion, colour_run, tmp_path
):
    with pytest.raises(ConversionRefusedError) as caught:
        convert(colour_run, tmp_path / "bundle")
    assert caught.value.code == "accuracy-drop"
    assert [candidate.verdict for candidate in caught.value.candidates] == [Verdict.ACCURACY] * 4
    assert caught.value.comparison.keras.accuracy == 1
    assert caught.value.comparison.converted.accuracy == pytest.approx(1 / 3)
    assert list(tmp_path.iterdir()) == []


def test_a_bad_conversion_leaves_the_bundle_before_it_alone(
    bad_conversion, colour_bundle, colour_run, tmp_path
):
    older = shutil.copytree(colour_bundle, tmp_path / "bundle")
    version = read_bundle(older).version
    with pytest.raises(ConversionRefusedError):
        convert(colour_run, older, precision="float32")
    assert read_bundle(older).version == version


def test_a_folder_in_use_is_refused_before_the_work_begins(bad_conversion, colour_run, tmp_path):
    (tmp_path / "mine.txt").touch()
    with pytest.raises(ShutterlessError) as caught:
        convert(colour_run, tmp_path)
    assert caught.value.code == "not-ours"
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_drop_that_is_permitted_passes(bad_conversion, colour_run, tmp_path):
    comparison = convert(colour_run, tmp_path / "bundle", precision="float32", max_drop=0.7).comparison
    assert comparison.drop == pytest.approx(2 / 3)


def test_photos_that_have_moved_are_asked_for_and_found(colour_run, colour_photos, tmp_path, monkeypatch):
    run = shutil.copytree(colour_run, tmp_path / "run")
    recipe = (run / "recipe.toml").read_text()
    (run / "recipe.toml").write_text(recipe.replace(str(colour_photos), "/nowhere"))
    with pytest.raises(ShutterlessError) as caught:
        convert(run, tmp_path / "bundle")
    assert caught.value.code == "missing-photos"
    assert "--photos" in caught.value.hint
    again = convert(run, tmp_path / "bundle", precision="float32", photos=colour_photos)
    assert again.comparison.agreement == 1


def run_of(colour_run, colour_photos, folder):
    """Copy the run and its photos, so that a test may change them."""
    run, photos = (
        shutil.copytree(colour_run, folder / "run"),
        shutil.copytree(colour_photos, folder / "photos"),
    )
    recipe = (run / "recipe.toml").read_text()
    (run / "recipe.toml").write_text(recipe.replace(str(colour_photos), str(photos)))
    return run, photos


def test_photos_that_fit_no_label_are_measured_unless_they_are_for_the_test(
    colour_run, colour_photos, tmp_path
):
    run, photos = run_of(colour_run, colour_photos, tmp_path)
    rows = ""
    for split, count in (("train", 4), ("validation", 2), ("test", 1)):
        for number in range(count):
            (photos / split / "_other").mkdir(exist_ok=True)
            shutil.copy(photos / "test" / "red" / "00.png", photos / split / "_other" / f"{number}.png")
            rows += f"{split}/_other/{number}.png,,{split},,\n"
    with (run / "split.csv").open("a") as file:
        file.write(rows)
    conversion = convert(run, tmp_path / "bundle", precision="float32")
    assert conversion.novelty.other.photos == 6
    assert conversion.bundle.familiar["measured"]["other"]["photos"] == 6


def test_photos_that_a_fix_moved_since_the_training_keep_the_label_that_they_were_trained_with(
    colour_run, colour_photos, tmp_path
):
    run, photos = run_of(colour_run, colour_photos, tmp_path)
    for split in ("train", "validation"):
        (photos / split / "red" / "00.png").rename(photos / split / "blue" / "from-red.png")
    assert convert(run, tmp_path / "bundle", precision="float32").comparison.agreement == 1


def test_photos_that_changed_places_since_the_training_are_refused(colour_run, colour_photos, tmp_path):
    run, photos = run_of(colour_run, colour_photos, tmp_path)
    validation = photos / "validation"
    for old, new in (("red", "swap"), ("blue", "red"), ("swap", "blue")):
        (validation / old).rename(validation / new)
    with pytest.raises(ShutterlessError) as caught:
        convert(run, tmp_path / "bundle")
    assert caught.value.code == "changed-photos"
    assert "12" in caught.value.message
    assert not (tmp_path / "bundle").exists()


def test_only_the_photos_that_conversion_reads_are_needed(colour_run, colour_photos, tmp_path):
    run, photos = run_of(colour_run, colour_photos, tmp_path)
    shutil.rmtree(photos / "test")
    assert convert(run, tmp_path / "bundle", precision="float32").comparison.agreement == 1
    shutil.rmtree(photos / "train")
    with pytest.raises(ShutterlessError) as caught:
        convert(run, tmp_path / "other", precision="float32")
    assert caught.value.code == "missing-photos"
    assert "36" in caught.value.message


def test_an_unknown_precision_lists_the_known_ones(colour_run, tmp_path):
    with pytest.raises(ShutterlessError) as caught:
        convert(colour_run, tmp_path / "bundle", precision="int4")
    assert caught.value.code == "unknown-precision"
    assert "int8" in caught.value.hint


def test_calibration_photos_are_spread_over_the_labels():
    photos = tuple(Photo(f"{label}/{number}", label, "train") for label in "ab" for number in range(10))
    few = (*photos, Photo("c/0", "c", "train"))
    assert [photo.path for photo in spread(few, 5)] == ["a/0", "b/0", "c/0", "a/1", "b/1"]
    assert len(spread(few, 100)) == 21
