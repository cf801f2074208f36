import csv
import errno
import json
import shutil

import keras
import numpy as np
import pytest

from shutterless.errors import ShutterlessError
from shutterless.evaluation import evaluate
from shutterless.training import MODEL, load_run, train

QUICKLY = {"backbone": "tiny", "image_size": 32, "batch_size": 6}


def history(run):
    with (run / "history.csv").open() as stream:
        return list(csv.DictReader(stream))


def test_a_network_learns_what_is_there_to_learn(colour_run, colour_photos):
    assert evaluate(load_run(colour_run), colour_photos, split="test").accuracy == 1


def test_a_run_folder_holds_all_that_later_stages_read(colour_run):
    files = {path.name for path in colour_run.iterdir()}
    assert files == {"model.keras", "recipe.toml", "split.csv", "history.csv", "metrics.json"}


def test_the_saved_network_is_that_of_the_best_epoch(colour_run):
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
def trunk(colour_run):
    """Return the backbone that has learnt the colours."""
    return load_run(colour_run).model.get_layer("tiny")


@pytest.fixture(scope="module")
def weights(trunk, tmp_path_factory):
    """Return its weights file, to start another run from."""
    file = tmp_path_factory.mktemp("weights") / "tiny.weights.h5"
    trunk.save_weights(file)
    return str(file)


def test_pretrained_features_are_computed_once_and_only_the_head_learns(
    colour_photos, trunk, weights, tmp_path
):
    run = train(colour_photos, tmp_path / "run", weights=weights, epochs=5, **QUICKLY)
    assert {epoch["phase"] for epoch in history(run.path)} == {"head"}
    learnt = run.model.get_layer("tiny").get_weights()
    for before, after in zip(trunk.get_weights(), learnt, strict=True):
        np.testing.assert_array_equal(before, after)
    assert run.metrics["validation"]["accuracy"] == 1


def test_standard_trains_the_head_first_and_then_the_whole_network(colour_photos, weights, tmp_path):
    run = train(colour_photos, tmp_path / "run", recipe="standard", weights=weights, epochs=2, **QUICKLY)
    phases = [epoch["phase"] for epoch in history(run.path)]
    assert phases[-2:] == ["network", "network"]
    assert set(phases[:-2]) == {"head"}


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
    with pytest.raises(ShutterlessError, match="not empty"):
        train(colour_photos, colour_run, **QUICKLY)
    assert (colour_run / MODEL).read_bytes() == before


@pytest.mark.parametrize(
    "wrong", [{"cut": "mixed7"}, {"backbone": "resnet"}, {"recipe": "fast"}, {"weights": "imagenet"}]
)
def test_a_wrong_option_leaves_nothing_behind(wrong, colour_photos, tmp_path):
    with pytest.raises(ShutterlessError):
        train(colour_photos, tmp_path / "run", **{**QUICKLY, **wrong})
    assert not (tmp_path / "run").exists()


def test_photos_that_cannot_be_read_are_named_and_left_out(colour_photos, tmp_path):
    photos = shutil.copytree(colour_photos, tmp_path / "photos")
    (photos / "train" / "red" / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    warnings = []
    run = train(photos, tmp_path / "run", epochs=1, on_warning=warnings.append, **QUICKLY)
    assert [warning.partition(" is left out")[0] for warning in warnings] == [
        "1 of the files cannot be read",
        "train/red/broken.jpg",
    ]
    assert len(run.metrics["unreadable"]) == 1


def test_a_photo_that_goes_missing_in_the_middle_is_named(colour_photos, tmp_path, monkeypatch):
    monkeypatch.setattr("shutterless.dataset.photos.memory", lambda: 0)  # so that photos are read each epoch
    photos = shutil.copytree(colour_photos, tmp_path / "photos")

    def remove(epoch):
        shutil.rmtree(photos / "train" / "red")

    with pytest.raises(ShutterlessError, match=r"Cannot read the photo .*red"):
        train(photos, tmp_path / "run", epochs=3, on_epoch=remove, **QUICKLY)


def test_a_full_disk_is_told_in_words_and_leaves_no_half_a_network(colour_photos, tmp_path, monkeypatch):
    def full(self, file, **options):
        file.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(keras.Model, "save", full)
    with pytest.raises(ShutterlessError, match="No space left"):
        train(colour_photos, tmp_path / "run", epochs=1, **QUICKLY)
    assert not [file for file in (tmp_path / "run").iterdir() if "model" in file.name]


def test_a_loss_that_is_not_a_number_stops_with_advice(colour_photos, tmp_path):
    recipe = tmp_path / "wild.toml"
    recipe.write_text(
        'name = "wild"\ndescription = ""\n[head_training]\nepochs = 1\nlearning_rate = 1\n'
        "[from_scratch]\nepochs = 3\nlearning_rate = 1e30\n"
    )
    with pytest.raises(ShutterlessError, match="not a number") as caught:
        train(colour_photos, tmp_path / "run", recipe=recipe, backbone="tiny", image_size=32)
    assert "learning_rate" in caught.value.hint
