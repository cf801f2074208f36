import json
import shutil

import numpy as np
import pytest

from shutterless.artifacts.run_files import RECIPE, SPLIT
from shutterless.dataset import Photo, read_pixels
from shutterless.errors import RunError
from shutterless.training import MODEL, is_run, load_run
from shutterless.training import run as run_module


def test_a_run_knows_what_it_was_trained_on(colour_run, colour_photos):
    run = load_run(colour_run)
    assert run.labels == ("blue", "green", "red")
    assert (run.input.height, run.input.width, run.input.resize) == (32, 32, "pad")
    assert run.settings.photos == colour_photos
    assert (run.settings.backbone, run.settings.weights) == ("tiny", "none")
    assert [len(run.of(split)) for split in ("train", "validation", "test")] == [36, 18, 9]
    assert run.recipe.from_scratch.epochs == 8


def test_a_run_predicts_from_bytes(colour_run, colour_photos):
    run = load_run(colour_run)
    photos = [Photo(f"test/{label}/00.png", label, "test") for label in run.labels]
    probabilities = run.probabilities(read_pixels(colour_photos, photos, run.input))
    assert (probabilities.shape, probabilities.dtype) == ((3, 3), np.float32)
    assert probabilities.argmax(axis=1).tolist() == [0, 1, 2]


def test_metrics_are_of_the_saved_network_on_validation(colour_run):
    metrics = json.loads((colour_run / "metrics.json").read_text())
    assert metrics["validation"]["photos"] == 18
    assert metrics["labels"] == ["blue", "green", "red"]
    assert metrics["photos"] == {"train": 36, "validation": 18, "test": 9}


def test_a_folder_without_a_recipe_is_no_run(tmp_path):
    assert not is_run(tmp_path)
    with pytest.raises(RunError) as caught:
        load_run(tmp_path)
    assert caught.value.code == "not-a-run"


def test_photos_that_fit_no_label_are_recorded_but_are_not_the_runs_photos(copy):
    digits = "0f" * 32
    with (copy / SPLIT).open("a") as file:
        file.write(f"_other/1.png,,train,,{digits}\n")
    run = load_run(copy)
    assert run.other == (Photo("_other/1.png", "", "train", "", digits),)
    assert (run.labels, len(run.photos)) == (("blue", "green", "red"), 63)
    assert run.training_record.by_content[digits[:16]] == "train"


@pytest.fixture
def copy(colour_run, tmp_path):
    return shutil.copytree(colour_run, tmp_path / "copy")


@pytest.mark.parametrize("text", ["name = 1", "x = " + "[" * 100_000], ids=["a number", "too deep"])
def test_a_recipe_that_was_tampered_with_is_refused(copy, text):
    (copy / RECIPE).write_text(text)
    with pytest.raises(RunError) as caught:
        load_run(copy)
    assert caught.value.code == "unreadable-run"


def test_a_run_without_a_network_says_so_when_it_is_asked_for(copy):
    (copy / MODEL).unlink()
    with pytest.raises(RunError) as caught:
        _ = load_run(copy).model
    assert caught.value.code == "unfinished-run"


def test_a_network_that_is_damaged_is_refused(copy):
    (copy / MODEL).write_bytes(b"no zip")
    with pytest.raises(RunError) as caught:
        _ = load_run(copy).model
    assert caught.value.code == "unreadable-model"


def test_a_network_whose_file_unpacks_to_too_much_is_refused_before_it_is_read(copy, monkeypatch):
    assert load_run(copy).model
    monkeypatch.setattr(run_module, "MAX_CONFIG_BYTES", 100)
    with pytest.raises(RunError) as caught:
        _ = load_run(copy).model
    assert caught.value.code == "unreadable-model"
    assert "config.json" in caught.value.message or "metadata.json" in caught.value.message


@pytest.mark.parametrize("text", ["[" * 100_000, "[1]", "3"], ids=["too deep", "a list", "a number"])
def test_metrics_that_were_tampered_with_are_refused(copy, text):
    (copy / "metrics.json").write_text(text)
    with pytest.raises(RunError) as caught:
        _ = load_run(copy).metrics
    assert caught.value.code == "unreadable-metrics"


def test_metrics_of_an_interrupted_run_are_missed_in_words(copy):
    (copy / "metrics.json").unlink()
    with pytest.raises(RunError) as caught:
        _ = load_run(copy).metrics
    assert caught.value.code == "unfinished-run"
