import json
import shutil

import pytest


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
    assert "accuracy 100.00% on 18 photos (95% interval 82.41% to 100.00%)" in done.stdout
    assert "1 blue" in done.stdout


def test_a_bundle_says_what_it_accepts_and_a_run_does_not(
    shutterless, colour_bundle, colour_run, colour_photos
):
    assert "accepted 100.00% from a confidence of 0.000, 100.00% of them right" in (
        shutterless("evaluate", colour_bundle, colour_photos).stdout
    )
    assert "accepted" not in shutterless("evaluate", colour_run, colour_photos).stdout


@pytest.mark.parametrize("model", ["colour_run", "colour_bundle"])
def test_a_report_is_written_beside_the_figures(shutterless, colour_photos, request, model, tmp_path):
    folder = tmp_path / "report"
    done = shutterless(
        "evaluate", request.getfixturevalue(model), colour_photos, "--report", folder, "--json"
    )
    assert done.exit_code == 0
    assert json.loads(done.stdout)["photos"] == 9
    assert f"The report is {folder / 'report.html'}" in done.stderr
    drawn = {file.stem for file in (folder / "figures").iterdir()}
    of_a_run = {"accuracy", "loss", "augmentation", "heat-maps"}
    assert drawn & of_a_run == (of_a_run if model == "colour_run" else set())


def test_a_report_folder_in_use_is_refused_before_the_work_begins(shutterless, colour_photos, tmp_path):
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "mine.txt").touch()
    done = shutterless("evaluate", tmp_path / "no-model", colour_photos, "--report", tmp_path)
    assert done.exit_code == 1
    assert "was not written by shutterless" in done.stderr


def test_files_that_cannot_be_read_are_named(shutterless, colour_bundle, colour_photos, tmp_path):
    photos = shutil.copytree(colour_photos / "test", tmp_path / "photos")
    (photos / "red" / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    done = shutterless("evaluate", colour_bundle, photos, "--json")
    assert json.loads(done.stdout)["photos"] == 9
    assert "warning: 1 of the files cannot be read\n" in done.stderr
    assert "warning: red/broken.jpg is left out: " in done.stderr


def test_a_folder_that_is_no_model_is_refused(shutterless, colour_photos):
    done = shutterless("evaluate", colour_photos, colour_photos)
    assert done.exit_code == 1
    assert "is not a run folder" in done.stderr
