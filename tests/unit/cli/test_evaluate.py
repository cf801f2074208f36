import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from shutterless.cli.commands.evaluate import _show_confusions
from shutterless.cli.console import output
from shutterless.evaluation import measure

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("model", ["colour_run", "colour_bundle"])
def test_a_run_and_a_bundle_are_measured_alike(shutterless, colour_photos, request, model):
    done = shutterless("evaluate", request.getfixturevalue(model), colour_photos, "--json")
    document = json.loads(done.stdout)
    assert (document["photos"], document["accuracy"]) == (9, 1.0)
    assert document["confusion"] == [[3, 0, 0], [0, 3, 0], [0, 0, 3]]
    assert (document["per_label"]["red"]["recall"], document["per_label"]["red"]["photos"]) == (1.0, 3)


def test_without_json_the_figures_are_tables_on_standard_output(shutterless, colour_bundle, colour_photos):
    done = shutterless("evaluate", colour_bundle, colour_photos, "--split", "validation")
    assert done.exit_code == 0
    assert "accuracy 100 % (18 of 18; 95 % interval 82 to 100 %) on the validation photos" in done.stdout
    assert "18 photos are too few; 200 needed" in done.stdout
    assert "1 blue" in done.stdout


def test_a_bundle_says_what_it_accepts_and_a_run_does_not(
    shutterless, colour_bundle, colour_run, colour_photos
):
    assert "accepted 100 % (9 of 9) at a threshold of 0.000, 100 % of them correct" in (
        shutterless("evaluate", colour_bundle, colour_photos).stdout
    )
    assert "accepted" not in shutterless("evaluate", colour_run, colour_photos).stdout


def test_robustness_is_measured_unless_it_is_turned_off(shutterless, colour_bundle, colour_photos):
    document = json.loads(shutterless("evaluate", colour_bundle, colour_photos, "--json").stdout)
    assert document["robustness"]["unchanged"]["right"] == document["right"] == 9
    assert {"blur", "noise", "darkness", "JPEG", "rotation", "crop"} <= {*document["robustness"]}
    assert "darkness" in shutterless("evaluate", colour_bundle, colour_photos).stdout
    done = shutterless("evaluate", colour_bundle, colour_photos, "--no-robustness", "--json")
    assert json.loads(done.stdout)["robustness"] == {}


@pytest.mark.parametrize("model", ["colour_run", "colour_bundle"])
def test_a_report_is_written_beside_the_figures(shutterless, colour_photos, request, model, tmp_path):
    folder = tmp_path / "report"
    done = shutterless(
        "evaluate", request.getfixturevalue(model), colour_photos, "--report", folder, "--json"
    )
    assert done.exit_code == 0
    assert json.loads(done.stdout)["photos"] == 9
    assert str(folder / "report.html") in done.stderr
    drawn = {file.stem for file in (folder / "figures").iterdir()}
    of_a_run = {"accuracy", "loss", "augmentation", "heat-maps"}
    assert drawn & of_a_run == (of_a_run if model == "colour_run" else set())


@pytest.mark.parametrize(("minimum", "exit_code"), [("88%", 0), ("90%", 1)])
def test_an_accuracy_below_the_minimum_is_exit_code_1(
    shutterless, colour_bundle, colour_photos, tmp_path, minimum, exit_code
):
    photos = shutil.copytree(colour_photos / "test", tmp_path / "photos")
    shutil.move(photos / "red" / "00.png", photos / "blue" / "red.png")  # one of nine is wrong
    done = shutterless("evaluate", colour_bundle, photos, "--min-accuracy", minimum, "--json")
    assert (done.exit_code, json.loads(done.stdout)["photos"]) == (exit_code, 9)
    assert ("error: " in done.stderr) == bool(exit_code)


def test_a_report_folder_in_use_is_refused_before_the_work_begins(error_of, colour_photos, tmp_path):
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "mine.txt").touch()
    error = error_of("evaluate", tmp_path / "no-model", colour_photos, "--report", tmp_path)
    assert error.code == "not-ours"


def test_files_that_cannot_be_read_are_named(shutterless, colour_bundle, colour_photos, tmp_path):
    photos = shutil.copytree(colour_photos / "test", tmp_path / "photos")
    (photos / "red" / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    done = shutterless("evaluate", colour_bundle, photos, "--json")
    assert json.loads(done.stdout)["photos"] == 9
    assert "red/broken.jpg" in done.stderr


def test_a_run_is_measured_without_a_folder_of_photos(shutterless, colour_run, tmp_path):
    done = shutterless("evaluate", colour_run, "--report", tmp_path / "report", "--json")
    document = json.loads(done.stdout)
    assert (document["splits"], document["left_out"]) == ({"test": 9}, {"train": 36, "validation": 18})
    assert "36 were trained on" in done.stderr


def test_measuring_trained_photos_is_said_aloud(shutterless, colour_run):
    done = shutterless("evaluate", colour_run, "--split", "all")
    assert "36 of these 63 photos were trained on" in done.stderr
    assert "on 36 train, 18 validation and 9 test photos" in done.stdout


@pytest.mark.parametrize("in_a_file", [False, True])
def test_renamed_labels_are_mapped(shutterless, error_of, colour_bundle, colour_photos, tmp_path, in_a_file):
    photos = shutil.copytree(colour_photos / "test", tmp_path / "photos")
    (photos / "red").rename(photos / "rot")
    (photos / "blue").rename(photos / "blau")
    assert error_of("evaluate", colour_bundle, photos).code == "unknown-labels"
    names = "rot=red,blau=blue"
    if in_a_file:
        names = tmp_path / "names.txt"
        names.write_text("rot=red\n\nblau = blue\n")
    done = shutterless("evaluate", colour_bundle, photos, "--label-map", names, "--json")
    assert json.loads(done.stdout)["right"] == 9


def test_a_label_map_that_is_none_is_a_wrong_use(shutterless, colour_bundle, colour_photos):
    assert shutterless("evaluate", colour_bundle, colour_photos, "--label-map", "red").exit_code == 2


def test_photos_of_unknown_labels_are_left_out_on_request(
    shutterless, colour_bundle, colour_photos, tmp_path
):
    photos = shutil.copytree(colour_photos / "test", tmp_path / "photos")
    (photos / "red").rename(photos / "mauve")
    done = shutterless("evaluate", colour_bundle, photos, "--skip-unknown-labels", "--json")
    assert json.loads(done.stdout)["photos"] == 6
    assert "3 photos of 1 label that" in done.stderr


def wide_metrics(labels):
    """Return figures of so many labels: of ten photos each, label n has n % 7 taken for the next label."""
    names = [f"label_{number:02}" for number in range(labels)]
    truth = np.repeat(np.arange(labels), 10)
    guesses = np.where(np.tile(np.arange(10), labels) < truth % 7, (truth + 1) % labels, truth)
    return measure(truth, np.eye(labels, dtype=np.float32)[guesses], names)


@pytest.mark.parametrize(("labels", "fits"), [(8, True), (24, False)])
def test_the_largest_confusions_are_listed_and_the_matrix_where_it_fits(labels, fits, monkeypatch, capsys):
    monkeypatch.setattr(output, "width", 80)
    _show_confusions(wide_metrics(labels))
    lines = capsys.readouterr().out.splitlines()
    assert ("true \\ predicted" in "".join(lines)) == fits
    assert sum(line.startswith("label_") for line in lines) == min(10, labels - 2)
    assert lines[1].split() == ["label_06", "label_07", "6", "60", "%"]
    assert max(map(len, lines)) <= 80


def test_a_folder_that_is_not_a_model_is_refused(error_of, colour_photos):
    assert error_of("evaluate", colour_photos, colour_photos).code == "not-a-run"


@pytest.mark.parametrize("command", [("evaluate",), ("convert", "-o", "bundle"), ("predict", "photo.png")])
def test_the_folder_of_a_cross_validation_leads_to_its_runs(
    error_of, colour_run, colour_photos, tmp_path, monkeypatch, command
):
    monkeypatch.chdir(tmp_path)
    shutil.copy(colour_photos / "test" / "red" / "00.png", "photo.png")
    shutil.copytree(colour_run, tmp_path / "folds" / "fold-1")
    name, *options = command
    error = error_of(name, "folds", *options)
    assert error.code in ("not-a-run", "not-a-model")
    assert str(Path("folds", "fold-1")) in error.hint
