import os
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from shutterless.errors import BundleError
from shutterless.runtime.image.decoder import InputSpec, decode
from shutterless.runtime.model import classifier as classifier_module
from shutterless.runtime.model import notice as notice_module
from shutterless.runtime.model.bundle import Bundle, read_bundle, write_bundle
from shutterless.runtime.model.classifier import Classifier, Prediction, load_model
from shutterless.runtime.model.familiarity import combine
from shutterless.runtime.model.litert import CompiledModel
from tests.small_models import WEIGHTS, make_colour_model

SCORES = [0.25, 0.375, 0.125, 0.25]
BLACK = np.zeros((2, 3, 3), np.uint8)


@pytest.fixture
def scored(tmp_path, monkeypatch):
    """Return a classifier whose model gives `SCORES` for any picture."""

    class Model:
        inputs, outputs = "uint8[1, 2, 3, 3]", {"scores": "float32[1, 4]"}

        def run(self, pixels: bytes, outputs: list[str]) -> list[list[float]]:
            assert (len(pixels), outputs) == (18, ["scores"])
            return [list(SCORES)]

    monkeypatch.setattr(classifier_module, "load_model", lambda content, threads: Model())

    def make(**members) -> Classifier:
        bundle = Bundle(
            "x", ("d", "c", "b", "a"), InputSpec(2, 3), "float32", "", "", "", "", folder=str(tmp_path)
        )
        return Classifier(bundle.replace(**members))

    return make


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    """Different pictures, so that a score that belongs to another one shows."""
    rng = np.random.default_rng(11)
    colours = rng.integers(0, 256, (48, 1, 1, 3))
    return np.clip(colours + rng.normal(0, 20, (48, 32, 32, 3)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("label", ["blue", "green", "red"])
def test_a_picture_gets_its_label(classifier, pictures, label):
    prediction = classifier.classify(decode(pictures[label], classifier.input))
    assert prediction.label == label
    assert prediction.confidence == max(prediction.scores.values())


def test_scores_come_in_label_order_and_add_up_to_1(classifier, noise):
    for pixels in noise:
        scores = classifier.classify(pixels).scores
        assert list(scores) == ["blue", "green", "red"] == list(classifier.labels)
        assert sum(scores.values()) == pytest.approx(1, abs=1e-6)


def test_an_answer_is_plain_numbers(scored):
    assert scored().classify(BLACK) == Prediction(
        label="c", confidence=0.375, accepted=True, scores={"d": 0.25, "c": 0.375, "b": 0.125, "a": 0.25}
    )
    assert type(scored().classify(BLACK).scores["d"]) is float


@pytest.mark.parametrize(
    ("threshold", "accepted"), [(0.0, True), (0.375, True), (0.37501, False), (1.0, False)]
)
def test_a_confidence_that_reaches_the_threshold_is_accepted(scored, threshold, accepted):
    assert scored(threshold=threshold).classify(BLACK).accepted is accepted


@pytest.mark.parametrize("temperature", [0.25, 0.5, 2.0, 4.0])
def test_the_temperature_divides_the_logits(scored, temperature):
    logits = np.log(SCORES) / temperature
    expected = np.exp(logits) / np.exp(logits).sum()
    scores = scored(temperature=temperature).classify(BLACK).scores
    assert list(scores.values()) == pytest.approx(expected.tolist(), abs=1e-6)


def test_a_very_low_temperature_leaves_the_best(scored):
    assert list(scored(temperature=1e-4).classify(BLACK).scores.values()) == [0, 1, 0, 0]


def test_many_pictures_get_what_each_gets_alone(classifier, noise):
    probabilities = classifier.probabilities(noise)
    assert (probabilities.shape, probabilities.dtype) == ((48, 3), np.float32)
    alone = [list(classifier.classify(pixels).scores.values()) for pixels in noise]
    np.testing.assert_array_equal(probabilities, np.array(alone, np.float32))
    assert len({tuple(row) for row in alone}) > 40


def test_many_pictures_are_classified_on_several_cores_at_once(colour_bundle, noise, monkeypatch):
    classifier, meeting = Classifier(read_bundle(colour_bundle)), threading.Barrier(2, timeout=30)
    infer = classifier._infer
    monkeypatch.setattr("shutterless.runtime.host_resources.cores", lambda: 2)
    monkeypatch.setattr(classifier, "_infer", lambda picture: (meeting.wait(), infer(picture))[1])
    assert len(classifier.probabilities(noise[:2])) == 2  # one after the other, the first would wait in vain


def test_no_pictures_get_no_scores(classifier, noise):
    probabilities = classifier.probabilities(noise[:0])
    assert (probabilities.shape, probabilities.dtype) == ((0, 3), np.float32)


def test_warming_up_changes_no_answer(classifier, noise):
    before = classifier.classify(noise[0])
    classifier.warm_up()
    assert classifier.classify(noise[0]) == before


def test_the_temperature_counts_for_many_as_well(scored):
    rows = scored(temperature=2.0).probabilities(np.stack([BLACK, BLACK]))
    np.testing.assert_allclose(rows.sum(1), 1, atol=1e-6)
    np.testing.assert_allclose(rows[0] ** 2 / (rows[0] ** 2).sum(), SCORES, atol=1e-6)


def test_several_threads_get_what_one_gets(classifier, noise):
    many = np.concatenate([noise] * 10)
    expected = [classifier.classify(pixels) for pixels in many]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(classifier.classify, many)) == expected


def test_the_number_of_threads_of_an_inference_changes_no_answer(colour_bundle, classifier, noise):
    other = Classifier(read_bundle(colour_bundle), threads=2)
    np.testing.assert_array_equal(other.probabilities(noise), classifier.probabilities(noise))


def test_models_are_loaded_when_two_predict_at_once_and_kept(colour_bundle, noise, monkeypatch):
    models, both_inside = [], threading.Barrier(2)

    def load(content: bytes, threads: int) -> CompiledModel:
        model = load_model(content, threads)
        honest = model.run
        model.run = lambda *arguments: (both_inside.wait(60), honest(*arguments))[1]
        models.append(model)
        return model

    monkeypatch.setattr(classifier_module, "load_model", load)
    classifier = Classifier(read_bundle(colour_bundle))
    assert len(models) == 1
    with ThreadPoolExecutor(2) as pool:
        for _ in range(3):
            list(pool.map(classifier.classify, noise[:2]))
    assert len(models) == 2


def test_a_model_that_failed_is_used_again(scored, monkeypatch):
    classifier = scored()
    with monkeypatch.context() as patch:
        patch.setattr(classifier._idle[0], "run", lambda pixels, outputs: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            classifier.classify(BLACK)
    assert len(classifier._idle) == 1
    assert classifier.classify(BLACK).label == "c"


@pytest.mark.parametrize(
    "change",
    [
        {"labels": ("blue", "green", "red", "white")},
        {"labels": ("blue", "green")},
        {"input": InputSpec(16, 32)},
        {"input": InputSpec(32, 16)},
    ],
)
def test_a_model_that_is_not_what_its_bundle_says_is_refused(colour_bundle, change):
    with pytest.raises(BundleError) as caught:
        Classifier(read_bundle(colour_bundle).replace(**change))
    assert caught.value.code == "mismatched-model"
    assert "uint8[1, 32, 32, 3]" in caught.value.message
    assert "float32[1, 3]" in caught.value.message


@pytest.mark.parametrize("model", [b"", b"no model", b"\x1c\0\0\0TFL3" + bytes(100)])
def test_a_file_that_is_no_model_is_refused(colour_bundle, tmp_path, model):
    bundle = write_bundle(tmp_path / "bundle", model, read_bundle(colour_bundle))
    with pytest.raises(BundleError) as caught:
        Classifier(bundle)
    assert caught.value.code == "unreadable-model"


def test_a_bundle_that_was_not_read_from_a_folder_is_refused(colour_bundle):
    with pytest.raises(BundleError) as caught:
        Classifier(read_bundle(colour_bundle).replace(folder=""))
    assert caught.value.code == "bundle-without-folder"


@pytest.mark.parametrize(
    "scores",
    [[np.nan] * 4, [0.5, 0.5, np.inf, 0], [0.5, 0.5, 0.5, -0.5], [0, 0, 0, 0], [5.0, 2.0, -3.0, -3.0]],
)
@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_a_model_whose_scores_are_no_probabilities_is_refused(scored, monkeypatch, scores, temperature):
    classifier = scored(temperature=temperature)
    monkeypatch.setattr(classifier._idle[0], "run", lambda pixels, outputs: [list(scores)])
    with pytest.raises(BundleError) as caught:
        classifier.warm_up()
    assert caught.value.code == "not-probabilities"


@pytest.mark.parametrize("scores", [[np.nan, 0.5, 0.5, 0], [0.5, 0.5, np.inf, 0], [0.5, 0.5, 0.5, -0.5]])
@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_scores_that_are_not_finite_or_negative_are_never_returned(scored, monkeypatch, scores, temperature):
    classifier = scored(temperature=temperature)
    monkeypatch.setattr(classifier._idle[0], "run", lambda pixels, outputs: [list(scores)])
    for classify in (classifier.classify, lambda picture: classifier.probabilities(picture[np.newaxis])):
        with pytest.raises(BundleError) as caught:
            classify(BLACK)
        assert caught.value.code == "not-probabilities"


def test_a_model_is_run_for_its_health_unless_it_has_just_answered(scored, monkeypatch):
    classifier = scored()
    clock = iter((0.0, 5.0, 50.0, 51.0, 52.0)).__next__
    monkeypatch.setattr(classifier_module.time, "monotonic", clock)
    classifier.classify(BLACK)
    monkeypatch.setattr(classifier._idle[0], "run", lambda pixels, outputs: [[np.nan] * 4])
    classifier.check_health()
    with pytest.raises(BundleError) as caught:
        classifier.check_health()
    assert caught.value.code == "not-probabilities"


def test_scores_that_are_rounded_to_8_bits_are_probabilities(scored, monkeypatch):
    classifier = scored()
    monkeypatch.setattr(classifier._idle[0], "run", lambda pixels, outputs: [[63 / 256] * 3 + [64 / 256]])
    classifier.warm_up()


@pytest.fixture(scope="module")
def familiar(familiar_bundle) -> Classifier:
    return Classifier(read_bundle(familiar_bundle))


def test_a_picture_like_the_photos_is_familiar(familiar, pictures):
    for label, picture in pictures.items():
        prediction = familiar.classify(decode(picture, familiar.input))
        assert (prediction.label, prediction.familiar, prediction.accepted) == (label, True, True)
        assert 0 <= prediction.novelty < 0.94


def test_a_picture_unlike_them_is_not_accepted_however_confident(familiar):
    prediction = familiar.classify(np.full((32, 32, 3), (0, 0, 255), np.uint8))
    assert (prediction.label, prediction.confidence > 0.9) == ("blue", True)
    assert (prediction.familiar, prediction.accepted) == (False, False)
    assert prediction.novelty == 1 - 1 / 19


def test_the_novelty_counts_validation_photos(familiar, noise):
    scores = familiar.bundle.familiar["scores"]
    for pixels, distances in zip(noise, familiar.distances(noise), strict=True):
        p_value = (1 + sum(score >= combine(WEIGHTS, distances) for score in scores)) / 19
        prediction = familiar.classify(pixels)
        assert (prediction.novelty, prediction.familiar) == (1 - p_value, p_value > 0.06)


def test_distances_and_embeddings_of_many_pictures(familiar, noise):
    embeddings, distances = familiar.embeddings(noise), familiar.distances(noise)
    np.testing.assert_allclose(embeddings, noise.mean((1, 2)) / 255, atol=1e-5)
    np.testing.assert_allclose(distances[:, 1], embeddings.mean(1), atol=1e-6)
    assert embeddings.dtype == distances.dtype == np.float32
    np.testing.assert_array_equal(familiar.embeddings(noise[:1]), embeddings[:1])
    assert familiar.embeddings(noise[:0]).shape == (0, 3)


def test_a_bundle_of_format_1_says_nothing_of_the_familiar(plain_bundle, noise):
    classifier = Classifier(read_bundle(plain_bundle))
    prediction = classifier.classify(noise[0])
    assert (prediction.familiar, prediction.novelty) == (None, None)
    for read in (classifier.embeddings, classifier.distances):
        with pytest.raises(BundleError) as caught:
            read(noise)
        assert caught.value.code == "no-embedding"


def test_a_model_of_format_2_answers_before_its_photos_are_measured(familiar, noise):
    draft = Classifier(familiar.bundle.replace(familiar={}))
    np.testing.assert_array_equal(draft.distances(noise), familiar.distances(noise))
    assert draft.classify(noise[0]).scores == familiar.classify(noise[0]).scores
    assert draft.classify(noise[0]).familiar is None


CENTRES = [(0, 0, 1), (0, 1, 0), (1, 0, 0)]


@pytest.mark.parametrize(
    ("model", "weights"),
    [
        (make_colour_model(CENTRES), [1.0]),
        (make_colour_model(CENTRES), [1.0] * 3),
        (make_colour_model(CENTRES[:2]), [1.0] * 2),
        (make_colour_model(CENTRES, names=("probabilities", "embedding", "distances")), [1.0] * 2),
        (make_colour_model(CENTRES, names=("x" * 10_000, "embedding", "novelty")), [1.0] * 2),
        (make_colour_model(CENTRES, names=("probabilities",)), [1.0] * 2),
    ],
)
def test_outputs_that_are_not_what_the_bundle_says_are_refused(familiar, model, weights):
    description = {**familiar.bundle.familiar, "weights": weights}
    bundle = familiar.bundle.replace(familiar=description, model=model)
    with pytest.raises(BundleError) as caught:
        Classifier(bundle)
    assert caught.value.code == "mismatched-model"
    assert f"novelty float32[1, {len(weights)}]" in caught.value.message
    assert len(caught.value.message) < 1000


def test_outputs_of_absurd_lengths_are_refused(familiar, monkeypatch):
    monkeypatch.setattr(classifier_module, "MAX_LENGTH", 3)
    Classifier(familiar.bundle)
    monkeypatch.setattr(classifier_module, "MAX_LENGTH", 2)
    with pytest.raises(BundleError) as caught:
        Classifier(familiar.bundle)
    assert caught.value.code == "mismatched-model"


@pytest.mark.parametrize("scale", [np.nan, np.inf, -np.inf])
def test_distances_that_are_not_finite_are_never_answered(familiar, noise, scale):
    model = make_colour_model(CENTRES, scale=scale)
    classifier = Classifier(familiar.bundle.replace(model=model))
    for use in (
        classifier.warm_up,
        lambda: classifier.classify(noise[0]),
        lambda: classifier.distances(noise),
    ):
        with pytest.raises(BundleError) as caught:
            use()
        assert caught.value.code == "not-finite"


def test_a_bundle_that_is_replaced_changes_nothing_in_a_loaded_one(colour_bundle, tmp_path, noise):
    folder = shutil.copytree(colour_bundle, tmp_path / "bundle")
    classifier = Classifier(read_bundle(folder))
    before = classifier.probabilities(noise)
    (folder / "model.tflite").write_bytes(b"another model")
    classifier._idle.clear()  # so that the next prediction loads the model again
    np.testing.assert_array_equal(classifier.probabilities(noise), before)


LOADS = """
import sys
from pathlib import Path
from shutterless.runtime.model.bundle import read_bundle
from shutterless.runtime.model.classifier import Classifier
import os
class Told(Classifier):
    def _load(self):
        interpreter = super()._load()
        os.write(2, b"after\\n")
        return interpreter
for _ in range(2):
    Told(read_bundle(Path(sys.argv[1]))).warm_up()
"""


def test_loading_a_model_writes_nothing_to_standard_error(colour_bundle):
    process = subprocess.run([sys.executable, "-c", LOADS, colour_bundle], capture_output=True)
    assert (process.returncode, process.stderr) == (0, b"after\nafter\n")


@pytest.mark.parametrize("said", [b"ERROR: what is wrong\n", b"x" * 10_000])
def test_what_else_is_written_while_a_model_loads_is_kept(monkeypatch, capfd, said):
    monkeypatch.setattr(notice_module, "_is_notice_written", False)
    notice = b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n"
    with notice_module.without_notice():
        os.write(2, said[:5] + b"\n" + notice + said)
    assert capfd.readouterr().err.encode() == said[:5] + b"\n" + said
    assert notice_module._is_notice_written
