import csv
import errno
import json
import pkgutil
import random
import shutil
import signal
import subprocess
import sys
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from tensorflow.python.eager import context

from shutterless.artifacts.run_files import METRICS
from shutterless.errors import OutputError, RecipeError, RunError, ShutterlessError
from shutterless.models import evaluate
from shutterless.training import MODEL, load_run, train
from shutterless.training.callbacks.checkpoint import CHECKPOINT
from shutterless.training.planning.estimate import PhaseTime, TimeEstimate

pytestmark = pytest.mark.slow

QUICKLY = {"backbone": "tiny", "image_size": 32, "batch_size": 6, "report": False}


def history(run):
    with (run / "history.csv").open() as stream:
        return list(csv.DictReader(stream))


def test_a_network_learns_what_is_there_to_learn(colour_run, colour_photos):
    assert evaluate(load_run(colour_run), colour_photos, split="test").accuracy == 1


def test_a_run_folder_holds_all_that_later_stages_read(colour_run):
    files = {path.name for path in colour_run.iterdir()}
    assert files == {
        "model.keras",
        "recipe.toml",
        "split.csv",
        "history.csv",
        "metrics.json",
        "report.html",
        "figures",
    }


def test_the_report_is_of_the_run_with_its_augmentation_and_heat_maps(colour_run):
    page = (colour_run / "report.html").read_text("utf-8")
    assert "augmented 10 times" in page
    assert "Grad-CAM" in page
    assert (colour_run / "figures").is_dir()


def test_the_run_says_what_its_confidence_is_worth(colour_run):
    calibration = json.loads((colour_run / "metrics.json").read_text())["calibration"]
    assert calibration["photos"] == 18
    assert calibration["acceptance"]["precision"] == 1


def test_metrics_list_confusions_instead_of_a_matrix_that_grows_with_the_square_of_the_labels(colour_run):
    test = json.loads((colour_run / "metrics.json").read_text())["test"]
    assert "confusion" not in test
    assert test["confusions"] == []
    assert [label["right"] for label in test["per_label"].values()] == [3, 3, 3]


def test_metrics_have_the_accuracy_on_worse_validation_photos(colour_run):
    metrics = json.loads((colour_run / "metrics.json").read_text())
    robustness = metrics["validation"]["robustness"]
    assert list(robustness) == ["unchanged", "blur", "noise", "darkness", "JPEG", "rotation", "crop"]
    assert robustness["unchanged"]["photos"] == 18
    assert metrics["test"]["robustness"] == {}


def test_the_saved_model_is_that_of_the_best_epoch(colour_run):
    metrics = json.loads((colour_run / "metrics.json").read_text())
    epochs = history(colour_run)
    best = max(epochs, key=lambda epoch: (float(epoch["val_accuracy"]), -float(epoch["val_loss"])))
    assert metrics["best_epoch"]["epoch"] == int(best["epoch"])
    assert metrics["validation"]["accuracy"] == pytest.approx(float(best["val_accuracy"]))


def test_the_same_seed_starts_from_the_same_weights_and_order(colour_photos, tmp_path):
    first, again, other = (
        train(colour_photos, tmp_path / name, epochs=1, seed=seed, **QUICKLY)
        for name, seed in (("first", 1), ("again", 1), ("other", 2))
    )
    losses = [float(history(run.path)[0]["loss"]) for run in (first, again, other)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    assert losses[0] != pytest.approx(losses[2], rel=1e-3)


@pytest.fixture(scope="module")
def backbone(colour_run):
    """Return the backbone that has learnt the colours."""
    return load_run(colour_run).model.get_layer("tiny")


@pytest.fixture(scope="module")
def weights(backbone, tmp_path_factory):
    """Return its weights file, to start another run from."""
    file = tmp_path_factory.mktemp("weights") / "tiny.weights.h5"
    backbone.save_weights(file)
    return str(file)


def test_pretrained_features_are_computed_once_and_only_the_head_learns(
    colour_photos, backbone, weights, tmp_path
):
    run = train(colour_photos, tmp_path / "run", weights=weights, epochs=5, **QUICKLY)
    assert {epoch["phase"] for epoch in history(run.path)} == {"head_training"}
    learnt = run.model.get_layer("tiny").get_weights()
    for before, after in zip(backbone.get_weights(), learnt, strict=True):
        np.testing.assert_array_equal(before, after)
    assert run.metrics["validation"]["accuracy"] == 1


PLANNED = """
name = "planned"
description = "all that is estimated: a head, stored copies, sharpness-aware minimization, averaged weights"
[head_training]
epochs = 2
learning_rate = 1e-3
[fine_tuning]
epochs = 3
batch_size = 6
learning_rate = 1e-3
frozen_share = 0.3
stored_copies = 3
sharpness_radius = 0.1
weight_average = 0.9
[fine_tuning.augmentation]
flip = true
"""


def test_a_training_comes_out_as_it_would_without_the_estimate(colour_photos, weights, tmp_path, monkeypatch):
    recipe = tmp_path / "planned.toml"
    recipe.write_text(PLANNED, "utf-8")
    options = {"recipe": recipe, "backbone": "tiny", "image_size": 32, "weights": weights, "report": False}
    plain = train(colour_photos, tmp_path / "plain", **options)
    assert plain.settings.estimated_seconds == {}
    monkeypatch.setattr("shutterless.training.planning.estimate.MIN_PIXELS", 0)
    estimated = train(colour_photos, tmp_path / "estimated", **options)
    seconds = estimated.settings.estimated_seconds
    assert list(seconds) == ["preparation", "head_training", "fine_tuning", "evaluation"]
    assert all(value > 0 for value in seconds.values())
    assert estimated.metrics["estimated_seconds"] == pytest.approx(sum(seconds.values()), abs=0.1)
    assert estimated.metrics["seconds"] > sum(float(epoch["seconds"]) for epoch in history(estimated.path))
    for one, other in zip(plain.model.get_weights(), estimated.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_minutes_reduce_epochs_and_a_resumed_run_keeps_the_plan(
    colour_photos, weights, tmp_path, monkeypatch
):
    times = {"head_training": PhaseTime(1, 0), "fine_tuning": PhaseTime(1, 30)}
    planning = "shutterless.training.planning.minutes"
    monkeypatch.setattr(f"{planning}.estimate_time", lambda *_, **__: TimeEstimate(times, 1))
    for module in (planning, "shutterless.training.trainer", "shutterless.training.callbacks.time_limit"):
        monkeypatch.setattr(f"{module}.time", SimpleNamespace(monotonic=lambda: 0.0))

    def interrupt(epoch):
        if epoch.phase == "fine_tuning":
            raise KeyboardInterrupt

    options = {"recipe": "standard", "weights": weights, **QUICKLY, "epochs": 9}
    with pytest.raises(KeyboardInterrupt):
        train(colour_photos, tmp_path / "run", minutes=1.8, on_epoch=interrupt, **options)
    with pytest.raises(RunError) as caught:
        train(colour_photos, tmp_path / "run", minutes=5, resume=True, **options)
    assert caught.value.code == "changed-settings"
    run = train(colour_photos, tmp_path / "run", resume=True, **options)
    assert run.settings.minutes == 1.8
    assert run.settings.plan == {"fine_tuning": {"epochs": 3}}  # 108 s: 1 + 1 + 1 + 3 * 30
    assert [epoch["phase"] for epoch in history(run.path)].count("fine_tuning") == 3
    assert float(history(run.path)[-1]["learning_rate"]) == pytest.approx(0, abs=1e-9)


def test_standard_trains_the_head_first_and_then_the_whole_network(colour_photos, weights, tmp_path):
    run = train(colour_photos, tmp_path / "run", recipe="standard", weights=weights, epochs=2, **QUICKLY)
    phases = [epoch["phase"] for epoch in history(run.path)]
    assert phases[-2:] == ["fine_tuning", "fine_tuning"]
    assert set(phases[:-2]) == {"head_training"}


def test_an_interrupted_run_holds_its_best_network(colour_photos, tmp_path):
    def interrupt(epoch):
        if epoch.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(colour_photos, tmp_path / "run", epochs=50, on_epoch=interrupt, **QUICKLY)
    metrics = evaluate(load_run(tmp_path / "run"), colour_photos, split="validation")
    best = max(float(epoch["val_accuracy"]) for epoch in history(tmp_path / "run"))
    assert metrics.accuracy == pytest.approx(best)


def test_a_used_run_folder_is_not_written_over(colour_run, colour_photos):
    before = (colour_run / MODEL).read_bytes()
    with pytest.raises(ShutterlessError) as caught:
        train(colour_photos, colour_run, **QUICKLY)
    assert caught.value.code == "not-empty"
    assert (colour_run / MODEL).read_bytes() == before


@pytest.mark.parametrize(
    "wrong", [{"cut": "mixed7"}, {"backbone": "resnet51"}, {"recipe": "fast"}, {"weights": "imagenet"}]
)
def test_a_wrong_option_leaves_nothing_behind(wrong, colour_photos, tmp_path):
    with pytest.raises(RecipeError):
        train(colour_photos, tmp_path / "run", **{**QUICKLY, **wrong})
    assert not (tmp_path / "run").exists()


def test_photos_that_cannot_be_read_are_named_and_left_out(colour_photos, tmp_path):
    photos = shutil.copytree(colour_photos, tmp_path / "photos")
    (photos / "train" / "red" / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    warnings = []
    run = train(photos, tmp_path / "run", epochs=1, on_warning=warnings.append, **QUICKLY)
    assert any("train/red/broken.jpg" in warning for warning in warnings)
    assert [file["path"] for file in run.metrics["unreadable"]] == ["train/red/broken.jpg"]


def test_a_photo_that_goes_missing_in_the_middle_is_named(colour_photos, tmp_path, monkeypatch):
    monkeypatch.setattr("shutterless.dataset.loader.memory", lambda: 0)  # so that photos are read each epoch
    photos = shutil.copytree(colour_photos, tmp_path / "photos")

    def remove(epoch):
        shutil.rmtree(photos / "train" / "red")

    with pytest.raises(ShutterlessError) as caught:
        train(photos, tmp_path / "run", epochs=3, on_epoch=remove, **QUICKLY)
    assert caught.value.code == "unreadable-photo"


def test_a_full_disk_leaves_no_half_written_model(colour_photos, tmp_path, monkeypatch):
    def full(self, file, **options):
        file.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(keras.Model, "save", full)
    with pytest.raises(OutputError) as caught:
        train(colour_photos, tmp_path / "run", epochs=1, **QUICKLY)
    assert caught.value.code == "cannot-write"
    assert not [file for file in (tmp_path / "run").iterdir() if "model" in file.name]


def test_a_loss_that_is_not_a_number_stops_with_advice(colour_photos, tmp_path):
    recipe = tmp_path / "wild.toml"
    recipe.write_text(
        'name = "wild"\ndescription = ""\n[head_training]\nepochs = 1\nlearning_rate = 1\n'
        "[from_scratch]\nepochs = 3\nlearning_rate = 1e30\n"
    )
    with pytest.raises(RunError) as caught:
        train(colour_photos, tmp_path / "run", recipe=recipe, backbone="tiny", image_size=32)
    assert caught.value.code == "diverged"
    assert "learning_rate" in caught.value.hint
    assert not (tmp_path / "run" / MODEL).exists()


def test_a_network_that_is_lost_behind_its_last_loss_is_not_kept(colour_photos, tmp_path):
    """Its one step has a finite loss, and leaves weights whose validation loss is NaN."""
    recipe = tmp_path / "wild.toml"
    recipe.write_text(
        'name = "wild"\ndescription = ""\n[head_training]\nepochs = 1\nlearning_rate = 1\n'
        "[from_scratch]\nepochs = 1\nbatch_size = 64\nlearning_rate = 1e37\n"
    )
    with pytest.raises(RunError) as caught:
        train(colour_photos, tmp_path / "run", recipe=recipe, backbone="tiny", image_size=32)
    assert caught.value.code == "diverged"
    assert not (tmp_path / "run" / MODEL).exists()


def test_the_best_network_before_the_loss_was_lost_is_kept(colour_photos, tmp_path):
    def lose(epoch):
        if epoch.epoch == 1:
            patch.setattr(
                keras.Model,
                "evaluate",
                lambda self, **named: {"loss": np.nan, "accuracy": 0.0, "log_loss": 1.0},
            )

    with pytest.MonkeyPatch.context() as patch, pytest.raises(RunError) as caught:
        train(colour_photos, tmp_path / "run", epochs=2, on_epoch=lose, **QUICKLY)
    assert str(tmp_path / "run") in caught.value.hint
    assert [epoch["epoch"] for epoch in history(tmp_path / "run")] == ["1"]
    assert np.isfinite(evaluate(load_run(tmp_path / "run"), colour_photos).loss)


def test_balanced_class_weights_make_up_for_a_rare_label(colour_photos, tmp_path):
    photos = shutil.copytree(colour_photos, tmp_path / "photos")
    for rare in sorted((photos / "train" / "red").iterdir())[3:]:
        rare.unlink()
    text = (
        'name = "x"\ndescription = ""\nclass_weights = "balanced"\n[head_training]\nepochs = 1\n'
        "learning_rate = 1\n[from_scratch]\nepochs = 1\nlearning_rate = 1e-9\n"
    )
    losses = []
    for recipe, lines in (("alike", text.replace('class_weights = "balanced"\n', "")), ("balanced", text)):
        (tmp_path / f"{recipe}.toml").write_text(lines)
        run = train(photos, tmp_path / recipe, recipe=tmp_path / f"{recipe}.toml", **QUICKLY)
        losses.append(float(history(run.path)[0]["loss"]))
    assert losses[0] != pytest.approx(losses[1], rel=1e-3)


def test_event_files_are_written_where_asked_for(colour_photos, tmp_path):
    train(colour_photos, tmp_path / "run", epochs=1, tensorboard=True, **QUICKLY)
    assert {path.name for path in (tmp_path / "run" / "logs").iterdir()} == {"train", "validation"}


def test_the_recipe_names_the_backbone_its_cut_and_its_scaling(colour_photos, tmp_path):
    (tmp_path / "mine.toml").write_text(
        'name = "x"\ndescription = ""\n[backbone]\nname = "tiny"\ncut = "stage3"\nscaling = "unit"\n'
        "[image]\nsize = 32\n[frozen_training]\nepochs = 1\nlearning_rate = 1e-3\n"
    )
    run = train(colour_photos, tmp_path / "run", recipe=tmp_path / "mine.toml")
    assert (run.settings.backbone, run.settings.cut, run.settings.image_size) == ("tiny", "stage3", 32)
    assert run.model.get_layer("tiny").output.shape == (None, 4, 4, 64)
    assert run.model.get_layer("scaling").scale == pytest.approx(1 / 255)
    assert [epoch["phase"] for epoch in history(run.path)] == ["frozen_training"]


class Died(BaseException):
    """Stands for the process being killed: nothing catches it."""


def figures(run):
    """Return the history without the seconds, figures as numbers."""
    return [
        (line["phase"], line["epoch"], line["best"], *(float(line[name]) for name in ("loss", "val_loss")))
        for line in history(run)
    ]


def close(one, other):
    return [line[:3] for line in one] == [line[:3] for line in other] and all(
        first[3:] == pytest.approx(second[3:], rel=1e-3) for first, second in zip(one, other, strict=True)
    )


@pytest.fixture(scope="module")
def unbroken(colour_photos, weights, tmp_path_factory):
    """Return a run of both phases that nothing interrupted, and the options that it was started with."""
    folder = tmp_path_factory.mktemp("unbroken")
    (folder / "both.toml").write_text(
        'name = "both"\ndescription = ""\n[image]\nsize = 32\n'
        "[head_training]\nepochs = 2\nlearning_rate = 1e-3\nbatch_size = 6\n"
        "[fine_tuning]\nepochs = 3\nlearning_rate = 1e-3\nbatch_size = 6\nmixup = 0.2\n"
        "weight_average = 0.9\nsharpness_radius = 0.05\n"
        "[fine_tuning.augmentation]\nflip = true\nrotation = 10\n"
    )
    options = {"recipe": folder / "both.toml", "backbone": "tiny", "weights": weights}
    train(colour_photos, folder / "run", **options)
    return folder / "run", options


def die_at_call(place, time, monkeypatch):
    """Let a function or a method raise `Died` when it is called for the `time`-th time."""
    owner, name = pkgutil.resolve_name(place.rsplit(".", 1)[0]), place.rsplit(".", 1)[1]
    original, calls = getattr(owner, name), []

    def die(*arguments, **named):
        calls.append(1)
        if len(calls) == time:
            raise Died
        return original(*arguments, **named)

    monkeypatch.setattr(owner, name, die)


MOMENTS = {
    "before the recipe is written": ("trainer.write_recipe", 1),
    "in the middle of the head": ("callbacks.history.write_history", 1),
    "after the head": ("callbacks.checkpoint.write_checkpoint", 2),
    "between a checkpoint and its best model": ("callbacks.best_model.save_model", 4),
    "before the figures are written": ("trainer.write_metrics", 1),
    "before the report is written": ("trainer.write_run_report", 1),
}


@pytest.mark.parametrize(("place", "time"), MOMENTS.values(), ids=MOMENTS)
def test_a_run_that_died_is_resumed_to_what_it_would_have_been(
    place, time, colour_photos, unbroken, tmp_path, monkeypatch
):
    whole, options = unbroken
    die_at_call(f"shutterless.training.{place}", time, monkeypatch)
    with pytest.raises(Died):
        train(colour_photos, tmp_path / "run", **options)
    monkeypatch.undo()
    resumed = train(colour_photos, tmp_path / "run", resume=True, **options)
    assert close(figures(resumed.path), figures(whole))
    assert {path.name for path in resumed.path.iterdir()} == {path.name for path in whole.iterdir()}
    before, after = load_run(whole).metrics, resumed.metrics
    assert after["validation"]["loss"] == pytest.approx(before["validation"]["loss"], rel=1e-3)
    assert after["best_epoch"]["epoch"] == before["best_epoch"]["epoch"]


STORED_MOMENTS = {
    "in the middle of storing": ("activations.store.ActivationStore._compute", 2),
    "between storing and the first epoch": ("loop._fit", 1),
    "in the second epoch": ("callbacks.progress.ProgressReporter.on_train_batch_end", 8),
    "after the last epoch": ("activations.store.ActivationStore.remove", 1),
}


@pytest.fixture(scope="module")
def unbroken_stored(colour_photos, weights, tmp_path_factory):
    """Return a run that trained on stored activations, and the options that it was started with."""
    folder = tmp_path_factory.mktemp("stored")
    (folder / "stored.toml").write_text(
        'name = "stored"\ndescription = ""\n[image]\nsize = 32\n'
        "[fine_tuning]\nepochs = 2\nlearning_rate = 1e-3\nbatch_size = 6\nmixup = 0.2\n"
        "frozen_share = 0.4\nstored_copies = 3\nweight_average = 0.9\n"
        "[fine_tuning.augmentation]\nflip = true\nrotation = 10\n"
    )
    options = {"recipe": folder / "stored.toml", "backbone": "tiny", "weights": weights, "report": False}
    train(colour_photos, folder / "run", **options)
    return folder / "run", options


@pytest.mark.parametrize(("place", "time"), STORED_MOMENTS.values(), ids=STORED_MOMENTS)
def test_a_run_on_stored_activations_is_resumed_to_the_same_bits(
    place, time, colour_photos, unbroken_stored, tmp_path, monkeypatch
):
    whole, options = unbroken_stored
    die_at_call(f"shutterless.training.{place}", time, monkeypatch)
    with pytest.raises(Died):
        train(colour_photos, tmp_path / "run", **options)
    monkeypatch.undo()
    resumed = train(colour_photos, tmp_path / "run", resume=True, **options)
    assert {path.name for path in resumed.path.iterdir()} == {path.name for path in whole.iterdir()}
    for one, other in zip(load_run(whole).model.weights, resumed.model.weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_run_that_was_killed_in_an_epoch_on_stored_activations_is_resumed_to_the_same_bits(
    colour_photos, unbroken_stored, tmp_path
):
    whole, options = unbroken_stored
    run, step = tmp_path / "run", 8  # the second step of the second epoch
    program = f"""
import os, signal
from pathlib import PosixPath
from shutterless.training import train

def kill(what, done, total):
    if (what, done) == ("fine_tuning", {step}):
        os.kill(os.getpid(), signal.SIGKILL)

train({colour_photos!r}, {run!r}, progress=kill, **{options!r})
"""
    process = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert process.returncode == -signal.SIGKILL, process.stderr
    (store,) = run.glob("activations-*.bin")
    rows, remainder = divmod(store.stat().st_size, 3 * 36 + 18)  # three copies of a photo, one to validate on
    assert rows > 0 and remainder == 0
    assert len(history(run)) == 1
    resumed = train(colour_photos, run, resume=True, **options)
    assert {path.name for path in run.iterdir()} == {path.name for path in whole.iterdir()}
    for one, other in zip(load_run(whole).model.weights, resumed.model.weights, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.fixture(scope="module")
def dead(colour_photos, tmp_path_factory):
    """Return a run that ended behind its second epoch."""

    def die(epoch):
        if epoch.epoch == 2:
            raise Died

    run = tmp_path_factory.mktemp("dead") / "run"
    with pytest.raises(Died):
        train(colour_photos, run, epochs=3, on_epoch=die, **QUICKLY)
    return run


@pytest.fixture
def died(dead, tmp_path):
    return shutil.copytree(dead, tmp_path / "died")


def test_options_that_are_not_given_are_those_of_the_run_and_its_photos_may_have_moved(
    colour_photos, died, tmp_path
):
    photos = shutil.copytree(colour_photos, tmp_path / "photos")
    run = train(photos, died, resume=True)
    assert [epoch["epoch"] for epoch in history(run.path)] == ["1", "2", "3"]
    assert (run.settings.backbone, run.recipe.from_scratch.epochs) == ("tiny", 3)
    assert run.settings.photos == photos
    assert not (died / CHECKPOINT).exists()


@pytest.mark.parametrize(
    ("option", "setting"),
    [
        ({"seed": 7}, "seed 42, not 7"),
        ({"epochs": 5}, "epochs 3, not 5"),
        ({"image_size": 64}, "image.size 32, not 64"),
        ({"backbone": "mobilenet"}, "backbone.name tiny, not mobilenet"),
        ({"recipe": "standard"}, "recipe quick, not standard"),
        ({"weights": "imagenet"}, "weights none, not imagenet"),
    ],
)
def test_other_options_than_those_of_the_run_are_refused(option, setting, colour_photos, died):
    before = (died / CHECKPOINT).read_bytes()
    with pytest.raises(RunError) as caught:
        train(colour_photos, died, resume=True, **option)
    assert caught.value.code == "changed-settings"
    assert setting in caught.value.message
    assert (died / CHECKPOINT).read_bytes() == before


def test_other_photos_than_those_of_the_run_are_refused(colour_photos, died, tmp_path):
    photos = shutil.copytree(colour_photos, tmp_path / "photos")
    (photos / "train" / "red" / "00.png").unlink()
    with pytest.raises(RunError) as caught:
        train(photos, died, resume=True)
    assert caught.value.code == "changed-photos"
    assert "train/red/00.png" in caught.value.message


def test_photos_added_to_those_of_a_finished_run_are_not_passed_over(colour_photos, colour_run, tmp_path):
    photos = shutil.copytree(colour_photos, tmp_path / "photos")
    shutil.copy(photos / "train" / "red" / "00.png", photos / "train" / "red" / "new.png")
    with pytest.raises(RunError) as caught:
        train(photos, colour_run, resume=True)
    assert caught.value.code == "changed-photos"
    assert "train/red/new.png" in caught.value.message


def test_resuming_a_finished_run_warns_and_leaves_it_as_it_is(colour_photos, colour_run):
    warnings, before = [], (colour_run / METRICS).read_bytes()
    run = train(colour_photos, colour_run, resume=True, on_warning=warnings.append)
    assert len(warnings) == 1 and str(colour_run) in warnings[0]
    assert run.path == colour_run
    assert (colour_run / METRICS).read_bytes() == before


def test_a_folder_of_something_else_is_not_resumed_into(colour_photos, tmp_path):
    (tmp_path / "letter.txt").touch()
    with pytest.raises(ShutterlessError) as caught:
        train(colour_photos, tmp_path, resume=True, **QUICKLY)
    assert caught.value.code == "not-a-run"


def test_a_full_disk_at_a_checkpoint_leaves_the_one_before(colour_photos, died, monkeypatch):
    def full(stream, **arrays):
        stream.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    before = (died / CHECKPOINT).read_bytes()
    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OutputError) as caught:
        train(colour_photos, died, resume=True)
    assert caught.value.code == "cannot-write"
    assert len(history(died)) == 2
    assert (died / CHECKPOINT).read_bytes() == before


def test_a_run_that_had_stopped_early_is_not_trained_further(colour_photos, tmp_path, monkeypatch):
    (tmp_path / "patient.toml").write_text(
        'name = "x"\ndescription = ""\n[head_training]\nepochs = 1\nlearning_rate = 1\n'
        "[from_scratch]\nepochs = 9\nlearning_rate = 1e-9\npatience = 1\n"
    )

    def die(*arguments):
        raise Died

    with monkeypatch.context() as context, pytest.raises(Died):
        context.setattr("shutterless.training.trainer.write_metrics", die)
        train(colour_photos, tmp_path / "run", recipe=tmp_path / "patient.toml", **QUICKLY)
    before = history(tmp_path / "run")
    assert len(before) < 9
    assert history(train(colour_photos, tmp_path / "run", resume=True).path) == before


def test_the_caller_s_random_numbers_go_on_as_if_nothing_had_been_trained(colour_photos, tmp_path):
    def draw():
        return random.random(), np.random.random()

    random.seed(5)
    np.random.seed(5)
    expected = [draw(), draw()]
    random.seed(5)
    np.random.seed(5)
    drawn, seed_before = [draw()], context.global_seed()
    with pytest.raises(Died):
        train(colour_photos, tmp_path / "run", on_epoch=die, **QUICKLY)
    assert [*drawn, draw()] == expected
    assert context.global_seed() == seed_before


def die(epoch):
    raise Died


def test_a_run_says_in_a_line_what_it_is(colour_run, dead):
    assert repr(load_run(str(colour_run))) == (
        f"Run('{colour_run}': quick, tiny, 3 labels, validation 100.0%)"
    )
    assert repr(load_run(dead)) == f"Run('{dead}': quick, tiny, 3 labels, unfinished)"


def test_scores_that_are_not_numbers_are_no_answer(colour_run):
    run = load_run(colour_run)
    weights = [np.full_like(array, np.nan) for array in run.model.get_weights()]
    run.model.set_weights(weights)
    with pytest.raises(ShutterlessError) as caught:
        run.probabilities(np.zeros((1, 32, 32, 3), np.uint8))
    assert caught.value.code == "not-finite"


def test_a_run_among_its_photos_is_refused(colour_photos):
    with pytest.raises(ShutterlessError) as caught:
        train(colour_photos, colour_photos / "run", **QUICKLY)
    assert caught.value.code == "output-inside-photos"
    assert not (colour_photos / "run").exists()


def test_what_is_planned_is_told_before_it_starts(colour_photos, tmp_path):
    plans = []

    def stop(plan, dataset):
        plans.append((plan.recipe.name, plan.backbone.name, plan.image_size, len(dataset.photos)))
        raise Died

    with pytest.raises(Died):
        train(str(colour_photos), str(tmp_path / "run"), on_start=stop, **QUICKLY)
    assert plans == [("quick", "tiny", 32, 63)]
    assert not (tmp_path / "run").exists()


def test_the_log_loss_of_the_best_epoch_is_that_of_the_figures_whatever_the_label_smoothing(
    colour_photos, tmp_path
):
    (tmp_path / "smooth.toml").write_text(
        'name = "x"\ndescription = ""\n[head_training]\nepochs = 1\nlearning_rate = 1\n'
        "[from_scratch]\nepochs = 1\nlearning_rate = 1e-3\nlabel_smoothing = 0.3\n"
    )
    run = train(colour_photos, tmp_path / "run", recipe=tmp_path / "smooth.toml", **QUICKLY)
    (epoch,) = history(run.path)
    assert float(epoch["val_log_loss"]) == pytest.approx(run.metrics["validation"]["loss"], rel=1e-3)
    assert float(epoch["val_loss"]) != pytest.approx(float(epoch["val_log_loss"]), rel=1e-2)


def test_a_batch_larger_than_the_photos_trains_in_one_step(colour_photos, tmp_path):
    run = train(colour_photos, tmp_path / "run", **{**QUICKLY, "batch_size": 1000, "epochs": 1})
    assert len(history(run.path)) == 1


def test_a_training_that_learned_nothing_warns(colour_photos, tmp_path):
    photos = shutil.copytree(colour_photos, tmp_path / "photos")
    same = (photos / "train" / "red" / "00.png").read_bytes()
    for file in photos.rglob("*.png"):
        file.write_bytes(same)
    warnings = []
    train(photos, tmp_path / "run", epochs=1, on_warning=warnings.append, **QUICKLY)
    assert warnings[-1].startswith("Nothing was learned")


def test_a_run_may_be_written_beside_the_table_that_lists_its_photos(colour_photos, tmp_path):
    class StopHereError(Exception):
        pass

    def stop(config, dataset):
        assert config.settings(dataset).photos == tmp_path / "photos.csv"
        assert {photo.path.split("/")[0] for photo in dataset.photos} == {"pictures"}
        raise StopHereError

    shutil.copytree(colour_photos, tmp_path / "pictures")
    paths = [file.relative_to(tmp_path) for file in sorted(tmp_path.rglob("*.png"))]
    rows = [f"{path.as_posix()},{path.parts[2]},{path.parts[1]}\n" for path in paths]
    (tmp_path / "photos.csv").write_text("path,label,split\n" + "".join(rows))
    with pytest.raises(StopHereError):
        train(tmp_path / "photos.csv", tmp_path / "run", **QUICKLY, on_start=stop)
