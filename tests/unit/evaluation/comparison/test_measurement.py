import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import shutterless
from shutterless.artifacts.training_record import TrainingRecord
from shutterless.dataset import Photo
from shutterless.errors import BundleError, DatasetError, OutputError
from shutterless.evaluation.comparison.measurement import compare_models, strictest_split
from shutterless.runtime.image.decoder import InputSpec
from tests.conftest import COLOURS

ROOT = Path("photos")


class ByColour:
    """A model that answers with the label whose colour is nearest, and records what it was trained on."""

    def __init__(self, colours, record=None):
        self.labels, self.input = tuple(colours), InputSpec(16, 16)
        self._colours = np.array([*colours.values()], np.float64)
        self.training_record = record

    def probabilities(self, pixels):
        means = pixels.mean(axis=(1, 2))
        distances = np.abs(means[:, None] - self._colours).sum(axis=2)
        powers = np.exp(-(distances - distances.min(axis=1, keepdims=True)) / 20)
        return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


def record_of(folder, **splits):
    """Return a record of photos below a folder: split of the model → split of the folder, or None."""
    dataset = shutterless.load_dataset(folder)
    photos = [
        replace(photo, split=splits.get(photo.split, photo.split))
        for photo in dataset.photos
        if splits.get(photo.split, photo.split)
    ]
    return TrainingRecord.of(photos, folder)


COLOUR_BLIND = {**COLOURS, "red": COLOURS["green"], "green": COLOURS["red"]}


def test_photos_that_neither_was_trained_on_are_compared(colour_photos):
    a = ByColour(COLOURS, record_of(colour_photos))
    b = ByColour(COLOUR_BLIND, record_of(colour_photos))
    result = compare_models((a, b))
    assert (result.photos, result.splits, result.left_out) == (
        9,
        {"test": 9},
        {"train": 36, "validation": 18},
    )
    assert (result.both_right, result.worse, result.better, result.both_wrong) == (3, 6, 0, 0)
    assert result.test.p_value == 2 * 0.5**6
    assert result.a.milliseconds > 0
    assert result.a.splits == result.b.splits == {"test": 9}
    assert len(result.notes()) == 1


def test_a_photo_that_either_was_trained_on_counts_as_trained_on(colour_photos):
    a = ByColour(COLOURS, record_of(colour_photos))
    b = ByColour(COLOURS, record_of(colour_photos, test="train", train="test"))
    result = compare_models((a, b), colour_photos)
    assert (result.splits, result.left_out) == ({"validation": 18}, {"train": 45})
    everything = compare_models((a, b), colour_photos, split="all")
    assert everything.splits == {"train": 45, "validation": 18}
    assert (everything.a.splits["train"], everything.b.splits["train"]) == (36, 9)
    assert [note for note in everything.notes() if "favours A" in note and "36" in note]


def test_only_training_photos_are_refused(colour_photos, tmp_path):
    photos = shutil.copytree(colour_photos / "train", tmp_path / "photos")
    a, b = ByColour(COLOURS, record_of(colour_photos)), ByColour(COLOURS)
    warnings = []
    with pytest.raises(DatasetError) as refusal:
        compare_models((a, b), photos, on_warning=warnings.append)
    assert refusal.value.code == "only-training-photos"


def test_a_model_without_a_record_is_warned_about(colour_photos):
    warnings = []
    result = compare_models(
        (ByColour(COLOURS, record_of(colour_photos)), ByColour(COLOURS)), on_warning=warnings.append
    )
    assert [warning for warning in warnings if warning.startswith("B: ")]
    assert result.b.splits == {}


@pytest.mark.parametrize(
    ("splits", "strictest"),
    [
        (("test", "train"), "train"),
        (("validation", "test"), "validation"),
        ((None, "test"), "test"),
        ((None, None), None),
    ],
)
def test_the_strictest_split_counts(splits, strictest):
    photo = Photo("1.jpg", "hat", "new", sha256="ab" * 32)
    records = [TrainingRecord.of([replace(photo, split=split)] if split else []) for split in splits]
    records = [record if record.by_content else None for record in records]
    assert strictest_split(tuple(records), ROOT, photo) == strictest


def test_models_without_a_label_in_common_are_refused(colour_photos):
    with pytest.raises(DatasetError) as refusal:
        compare_models((ByColour(COLOURS), ByColour({"mauve": (1, 2, 3), "ecru": (4, 5, 6)})), colour_photos)
    assert refusal.value.code == "no-shared-labels"


def test_photos_of_labels_that_one_model_lacks_are_told_apart(colour_photos):
    fewer = {label: COLOURS[label] for label in ("blue", "green")}
    result = compare_models((ByColour(fewer), ByColour(COLOURS)), colour_photos / "test")
    assert (result.photos, result.unshared["red"].photos, result.unshared["red"].right) == (6, 3, 3)
    red_alone = ByColour({"red": COLOURS["red"], "blue": COLOURS["blue"]})
    with pytest.raises(DatasetError) as refusal:
        compare_models((ByColour(fewer), red_alone), colour_photos / "test", label_map={"blue": "green"})
    assert refusal.value.code == "no-shared-labels"


def test_photos_of_the_same_thing_keep_their_groups(colour_photos):
    photos = [photo for photo in shutterless.load_dataset(colour_photos).photos if photo.split == "test"]
    grouped = TrainingRecord.of([replace(photo, group="one") for photo in photos], colour_photos)
    result = compare_models((ByColour(COLOURS, grouped), ByColour(COLOUR_BLIND)), colour_photos / "test")
    assert (result.worse, result.test.worse) == (6, 1)


def test_two_bundles_need_photos_and_say_what_they_accept(familiar_bundle, plain_bundle, colour_photos):
    with pytest.raises(BundleError) as refusal:
        shutterless.compare(familiar_bundle, plain_bundle)
    assert refusal.value.code == "no-photos-recorded"
    result = shutterless.compare(familiar_bundle, plain_bundle, colour_photos / "test")
    assert (result.a.unfamiliar is not None, result.b.unfamiliar) == (True, None)
    assert result.b.metrics.acceptance.photos == result.photos == 9
    assert result.a.name == str(familiar_bundle)
    assert result.a.bytes == (familiar_bundle / "model.tflite").stat().st_size
    assert result.changes == ()


def test_a_page_among_the_photos_is_refused_before_the_work(plain_bundle, colour_photos):
    with pytest.raises(OutputError) as refusal:
        shutterless.compare(
            plain_bundle, plain_bundle, colour_photos / "test", report=colour_photos / "test/page.html"
        )
    assert refusal.value.code == "output-inside-photos"
