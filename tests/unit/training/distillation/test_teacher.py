import json
import shutil
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from shutterless.artifacts.history import read_history
from shutterless.artifacts.run_files import HISTORY
from shutterless.dataset import load_dataset, read_pixels
from shutterless.errors import InputError, RunError
from shutterless.evaluation.provenance import read_provenance
from shutterless.training import cross_validate, load_run, train
from shutterless.training.callbacks.best_model import BestModel
from shutterless.training.data import Batches, weighted
from shutterless.training.distillation.sources import read_answers
from shutterless.training.distillation.teacher import make_teacher, reduce_features
from shutterless.training.recipe import TeacherConfig
from shutterless.utils.progress import silent

pytestmark = pytest.mark.slow

RECIPE = """
name = "student"
description = ""
class_weights = "balanced"
[image]
size = 32
[teacher]
sources = []
features_weight = 0.5
[head_training]
epochs = 2
learning_rate = 1e-2
batch_size = 6
[fine_tuning]
epochs = 2
learning_rate = 1e-3
batch_size = 6
mixup = 0.2
frozen_share = 0.4
stored_copies = 2
weight_average = 0.9
sharpness_radius = 0.05
"""


class DiedError(Exception):
    """Stands for whatever ends a training."""


@pytest.fixture(scope="module")
def dataset(colour_photos):
    return load_dataset(colour_photos)


@pytest.fixture(scope="module")
def options(colour_run, tmp_path_factory):
    """Return the options of a student that uses everything at once: SAM, mixup, stored activations, EMA."""
    recipe = tmp_path_factory.mktemp("recipe") / "student.toml"
    recipe.write_text(RECIPE.replace("[]", json.dumps([str(colour_run)])), "utf-8")
    return {"recipe": recipe, "backbone": "tiny", "report": False}


@pytest.fixture(scope="module")
def student(colour_photos, options, tmp_path_factory):
    return train(colour_photos, tmp_path_factory.mktemp("student") / "run", **options)


def test_the_student_has_the_answers_of_its_teacher(student, colour_run, dataset):
    teacher = load_run(colour_run)
    pixels = read_pixels(dataset.root, dataset.of("train"), teacher.input)
    with np.load(student.path / "teacher.npz") as answers:
        assert answers["scores"] == pytest.approx(teacher.probabilities(pixels), abs=1e-6)
        assert len(answers["features"]) == 36
        lengths = np.linalg.norm(answers["features"].astype(np.float32), axis=1)
        assert lengths == pytest.approx(np.ones(36), abs=1e-2)


def test_nothing_of_the_teacher_is_in_the_students_model(student, colour_run):
    assert student.model.output_shape == (None, 3)
    assert not [layer for layer in student.model._flatten_layers() if "teacher" in layer.name]
    assert student.recipe.teacher.sources == (str(colour_run),)
    assert b"distillation" not in zipfile.ZipFile(student.path / "model.keras").read("config.json").lower()


def test_the_report_names_the_teacher(student, colour_run):
    assert f"--teacher {colour_run}" in read_provenance(student.path).command


def test_the_recorded_metrics_are_those_of_the_labels(student):
    best = student.metrics["best_epoch"]
    validation = student.metrics["validation"]
    assert best["val_accuracy"] == pytest.approx(validation["accuracy"])
    assert best["val_log_loss"] == pytest.approx(validation["loss"], rel=1e-4)


def test_a_student_is_resumed_to_the_same_bits_without_its_teacher(
    student, options, colour_run, colour_photos, tmp_path, monkeypatch
):
    teacher = shutil.copytree(colour_run, tmp_path / "teacher")
    best_model, epochs = BestModel.on_epoch_end, iter(range(1, 5))

    def die_in_the_third_epoch(self, *arguments):
        if next(epochs) == 3:  # the first of fine-tuning; its checkpoint is written already
            raise DiedError
        best_model(self, *arguments)

    monkeypatch.setattr(BestModel, "on_epoch_end", die_in_the_third_epoch)
    with pytest.raises(DiedError):
        train(colour_photos, tmp_path / "run", teacher=teacher, **options)
    monkeypatch.undo()
    shutil.rmtree(teacher)
    resumed = train(colour_photos, tmp_path / "run", resume=True)
    losses = [[epoch.loss for epoch in read_history(run.path / HISTORY)] for run in (student, resumed)]
    assert losses[0] == losses[1]
    for one, other in zip(student.model.weights, resumed.model.weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_teacher_that_was_trained_on_held_out_photos_is_refused(colour_run, dataset):
    splits = {"train": "validation", "validation": "train", "test": "test"}
    swapped = replace(
        dataset, photos=tuple(replace(photo, split=splits[photo.split]) for photo in dataset.photos)
    )
    with pytest.raises(InputError) as caught:
        read_answers(colour_run, swapped, silent)
    assert caught.value.code == "teacher-knows-photos"
    assert "36 of the 45" in caught.value.message


def test_a_cross_validation_refuses_a_teacher_that_has_seen_a_fold(colour_run, colour_photos, tmp_path):
    with pytest.raises(InputError) as caught:
        cross_validate(colour_photos, tmp_path / "folds", folds=2, backbone="tiny", teacher=colour_run)
    assert caught.value.code == "teacher-knows-photos"
    assert not list(tmp_path.glob("folds/fold-1/*.toml"))


def test_a_teacher_that_lacks_a_label_is_refused(colour_run, dataset):
    with pytest.raises(InputError) as caught:
        read_answers(colour_run, replace(dataset, labels=(*dataset.labels, "yellow")), silent)
    assert caught.value.code == "teacher-lacks-labels"
    assert "yellow" in caught.value.message


def scores_file(path, dataset, **changes):
    """Write scores for the training photos in reverse order, with one label more than the student's."""
    photos = dataset.of("train")[::-1]
    scores = np.random.default_rng(1).dirichlet(np.ones(4), len(photos))
    arrays = {"photos": [photo.path for photo in photos], "labels": ["white", *dataset.labels]}
    np.savez(path, **{**arrays, "scores": scores, **changes})
    return scores


def test_scores_are_read_from_a_file(dataset, tmp_path):
    scores = scores_file(tmp_path / "a.npz", dataset)[::-1, 1:]
    hashes = [photo.sha256 for photo in dataset.of("train")[::-1]]
    scores_file(tmp_path / "b.npz", dataset, photos=hashes)
    expected = scores / scores.sum(axis=1, keepdims=True)
    for name in ("a.npz", "b.npz"):
        answers = read_answers(tmp_path / name, dataset, silent)
        assert answers.scores == pytest.approx(expected, abs=1e-6)
        assert answers.features is None


WRONG_FILES = {
    "teacher-lacks-photos": {"photos": [f"{number}.jpg" for number in range(36)]},
    "teacher-lacks-labels": {"labels": ["white", "blue", "green", "grey"]},
}
UNREADABLE = [
    {"scores": np.zeros((36, 4))},
    {"scores": np.ones((36, 3))},
    {"scores": np.array([["a"] * 4] * 36)},
    {"labels": np.array([{}], dtype=object)},
    {"features": np.ones((3, 3))},
    {"features": np.full((36, 3), np.nan)},
]


@pytest.mark.parametrize(
    ("code", "changes"), [*WRONG_FILES.items(), *(("unreadable-teacher", each) for each in UNREADABLE)]
)
def test_a_file_that_does_not_fit_is_refused(code, changes, dataset, tmp_path):
    scores_file(tmp_path / "scores.npz", dataset, **changes)
    with pytest.raises(InputError) as caught:
        read_answers(tmp_path / "scores.npz", dataset, silent)
    assert caught.value.code == code


def test_what_is_no_file_of_arrays_is_refused(dataset, tmp_path):
    (tmp_path / "text.npz").write_text("scores")
    for name in ("text.npz", "missing.npz"):
        with pytest.raises(InputError) as caught:
            read_answers(tmp_path / name, dataset, silent)
        assert caught.value.code == "unreadable-teacher"


def test_several_teachers_answer_with_their_mean(dataset, tmp_path):
    scores_file(tmp_path / "a.npz", dataset)
    scores_file(tmp_path / "b.npz", dataset, scores=np.ones((36, 4)))
    files = tuple(str(tmp_path / name) for name in ("a.npz", "b.npz"))
    one = read_answers(tmp_path / "a.npz", dataset, silent).scores
    teacher = make_teacher(TeacherConfig(sources=files), dataset, tmp_path, silent)
    assert teacher.scores == pytest.approx((one + 1 / 3) / 2, abs=1e-6)
    assert teacher.targets(np.eye(3, dtype=np.float32)[[0] * 36]).shape == (36, 6)


def test_features_that_no_teacher_has_are_an_error(dataset, tmp_path):
    scores_file(tmp_path / "a.npz", dataset)
    config = TeacherConfig(sources=(str(tmp_path / "a.npz"),), features_weight=1.0)
    with pytest.raises(InputError) as caught:
        make_teacher(config, dataset, tmp_path, silent)
    assert caught.value.code == "teacher-lacks-features"


def test_damaged_answers_of_an_interrupted_run_are_an_error(dataset, tmp_path):
    (tmp_path / "teacher.npz").write_bytes(b"PK")
    with pytest.raises(RunError) as caught:
        make_teacher(TeacherConfig(sources=("run",)), dataset, tmp_path, silent)
    assert caught.value.code == "damaged-teacher"


def test_reduced_features_keep_the_angles_about_their_mean():
    features = np.random.default_rng(2).normal(3, 1, (20, 6)).astype(np.float32)
    centred = features - features.mean(axis=0)
    units = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    reduced = reduce_features(features, 6).astype(np.float32)
    assert reduced @ reduced.T == pytest.approx(units @ units.T, abs=5e-3)
    assert reduce_features(features, 2).shape == (20, 2)


def test_photos_are_weighted_by_their_labels_alone():
    targets = np.array([[1, 0, 0.2, 0.8], [0, 1, 0.5, 0.5]], np.float32)
    *_, weights = weighted(np.zeros((2, 3)), targets, np.array([2, 3], np.float32))
    assert weights.tolist() == [2, 3]


def test_the_answers_go_through_batches_with_their_photos():
    targets = np.arange(12, dtype=np.float32).reshape(4, 3)
    batches = Batches(lambda photos, epoch, rng: photos, targets, batch_size=2, seed=1)
    for number in range(2):
        photos, rows = batches[number]
        assert rows[:, 0].tolist() == [3 * photo for photo in photos]
