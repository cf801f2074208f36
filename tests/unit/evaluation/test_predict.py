from pathlib import Path

import numpy as np
import pytest

from shutterless.dataset import load_labelled
from shutterless.errors import DatasetError, InputError
from shutterless.evaluation.predict import predict_folder, predict_photos
from shutterless.models import evaluate
from shutterless.runtime.image.decoder import InputSpec


class ByColour:
    """Says which of red, green and blue is strongest."""

    labels = ("blue", "green", "red")
    input = InputSpec(8, 8)

    def probabilities(self, pixels):
        strength = pixels.reshape(len(pixels), -1, 3).mean(axis=1)[:, ::-1]
        return (strength / strength.sum(axis=1, keepdims=True)).astype(np.float32)


def test_any_model_is_measured_on_the_test_split_by_default(colour_photos):
    metrics = evaluate(ByColour(), colour_photos)
    assert metrics.photos == 9
    assert metrics.accuracy == 1


def test_another_split_can_be_asked_for(colour_photos):
    assert evaluate(ByColour(), colour_photos, split="validation").photos == 18
    assert evaluate(ByColour(), colour_photos, split="all").photos == 63


def test_a_label_that_the_model_does_not_know_is_refused(colour_photos):
    class Colourblind(ByColour):
        labels = ("blue", "green")

    with pytest.raises(DatasetError) as caught:
        evaluate(Colourblind(), colour_photos)
    assert caught.value.code == "unknown-labels"
    assert "'red'" in caught.value.message


@pytest.mark.parametrize("model", ["bundle", Path("bundle")])
def test_the_path_of_a_model_is_not_a_model(model, colour_photos):
    with pytest.raises(InputError) as caught:
        predict_folder(model, colour_photos)
    assert caught.value.code == "not-a-model"


def test_a_model_that_no_folder_describes_has_no_report(colour_photos, tmp_path):
    with pytest.raises(InputError) as caught:
        evaluate(ByColour(), colour_photos, report=tmp_path)
    assert caught.value.code == "not-a-model"
    assert list(tmp_path.iterdir()) == []


def test_a_model_with_a_threshold_is_measured_with_it(colour_photos):
    class Unsure(ByColour):
        threshold = 0.99

    assert evaluate(Unsure(), colour_photos).acceptance.coverage == 0
    assert evaluate(ByColour(), colour_photos).acceptance is None


def test_photos_are_predicted_in_their_order_however_they_are_chunked(colour_photos, monkeypatch):
    model = ByColour()
    dataset = load_labelled(colour_photos, labels=model.labels, split="test").dataset
    whole = predict_photos(model, dataset.root, dataset.photos)
    monkeypatch.setattr("shutterless.evaluation.predict.CHUNK", 2)
    np.testing.assert_array_equal(predict_photos(model, dataset.root, dataset.photos), whole)
