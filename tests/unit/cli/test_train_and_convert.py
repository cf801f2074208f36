import json
from dataclasses import replace
from pathlib import Path

import pytest

from shutterless import training
from shutterless.cli.training_output import describe_estimate, say_config
from shutterless.evaluation.runs import list_runs
from shutterless.export import Precision
from shutterless.runtime.model.bundle import read_bundle
from shutterless.runtime.model.classifier import Classifier
from shutterless.training.backbones.catalogue import BACKBONES
from shutterless.training.selection.budget import parse_budget
from shutterless.training.selection.measurement import Measurement
from shutterless.training.selection.selection import Candidate, Outcome, Selection

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tiny(colour_photos):
    """Return the arguments of the smallest training that learns the colours."""
    return (
        "train",
        colour_photos,
        "--backbone",
        "tiny",
        "--image-size",
        32,
        "--batch-size",
        6,
        "--epochs",
        8,
    )


def test_train_writes_a_run_and_convert_makes_a_bundle_of_it(shutterless, tiny, tmp_path):
    trained = shutterless(*tiny, "-o", tmp_path / "run")
    assert trained.exit_code == 0
    assert "Validation accuracy 100 % (18 of 18; 95 % interval 82 to 100 %), log loss " in trained.stdout
    assert "Test accuracy 100 % (9 of 9; " in trained.stdout
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert (metrics["validation"]["photos"], metrics["test"]["photos"]) == (18, 9)
    assert f"Next: shutterless convert {tmp_path / 'run'} -o bundle" in trained.stderr

    converted = shutterless("convert", tmp_path / "run", "-o", tmp_path / "bundle")
    assert converted.exit_code == 0
    rows = {line.split("\t")[0]: line.split("\t")[1:] for line in converted.stdout.splitlines()}
    assert rows["Keras"][1] == "18"
    assert rows["float32"][1:3] == ["18", "18"]
    assert [name for name, cells in rows.items() if "taken" in cells] == [
        read_bundle(tmp_path / "bundle").precision
    ]
    assert "18; 200 needed" in converted.stdout
    assert "accuracy of accepted answers (target 95 %)\t100 % (18 of 18)" in converted.stdout
    assert rows["false alarms on other photos of its labels"] == ["too few photos (18; 100 needed)"]
    assert rows["noticed, of photos of a label it has never seen"][0].endswith("% at 2 % false alarms")
    assert read_bundle(tmp_path / "bundle").name == "bundle"


def test_several_seeds_and_recipes_are_a_series_that_ends_with_the_table_of_runs(
    shutterless, colour_run, monkeypatch, tmp_path
):
    calls = []
    runs = list_runs(colour_run)
    monkeypatch.setattr(training, "train_series", lambda *paths, **options: calls.append((paths, options)))
    monkeypatch.setattr("shutterless.evaluation.runs.list_runs", lambda folder: runs)
    options = ("--seed", 3, "--seed", 1, "--recipe", "quick", "--recipe", "best", "--minutes", 5)
    done = shutterless("train", "photos", "-o", tmp_path / "runs", *options)
    assert done.exit_code == 0
    ((paths, options),) = calls
    assert paths == (Path("photos"), tmp_path / "runs")
    assert (options["recipes"], options["seeds"], options["minutes"]) == (("quick", "best"), (3, 1), 5)
    assert done.stdout.splitlines()[1].split("\t")[0] == str(colour_run)
    refused = shutterless("train", "photos", "-o", "runs", "--seed", 3, "--seed", 1, "--folds", 2)
    assert refused.exit_code == 2


def test_folds_print_each_fold_their_spread_and_the_accuracy_over_all_photos(shutterless, tiny, tmp_path):
    done = shutterless(*tiny, "--folds", 2, "--no-report", "-o", tmp_path / "folds")
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert [line.split(":")[0] for line in lines[:2]] == ["fold 1", "fold 2"]
    assert "standard deviation" in lines[2]
    assert "of 63; 95 % interval" in lines[3]
    assert json.loads((tmp_path / "folds" / "folds.json").read_text())["photos"] == 63


def test_convert_prints_its_figures_as_json(shutterless, colour_run, tmp_path):
    options = ("-o", tmp_path / "bundle", "--precision", "int8", "--accept-precision", 0.8, "--json")
    document = json.loads(shutterless("convert", colour_run, *options).stdout)
    assert document["bundle"]["version"] == read_bundle(tmp_path / "bundle").version
    assert document["bundle"]["accuracy"]["target_precision"] == 0.8
    assert document["comparison"]["agreement"] == 1
    assert document["novelty"] == document["bundle"]["familiar"]["measured"]
    assert document["candidates"][0]["verdict"] == "taken"
    assert document["candidates"][0]["bytes"] == document["comparison"]["bytes"]
    assert document["calibration"]["temperature"] == document["bundle"]["temperature"]


def test_a_refused_conversion_shows_the_figures_and_exits_with_1(
    shutterless, error_of, colour_run, tmp_path, monkeypatch
):
    honest = Classifier.probabilities
    monkeypatch.setattr(Classifier, "probabilities", lambda self, pixels: honest(self, pixels)[:, ::-1])
    arguments = ("convert", colour_run, "-o", tmp_path / "bundle", "--precision", "float32")
    done = shutterless(*arguments)
    assert done.exit_code == 1
    assert "largest score difference" in done.stdout
    error = error_of(*arguments)
    assert error.code == "accuracy-drop"
    assert "66.67%" in error.message
    assert not (tmp_path / "bundle").exists()


def test_ctrl_c_says_that_the_best_network_is_kept(shutterless, tiny, tmp_path, monkeypatch):
    def interrupted(photos, run, **options):
        (run / training.MODEL).parent.mkdir()
        (run / training.MODEL).touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "train", interrupted)
    done = shutterless(*tiny, "-o", tmp_path / "run")
    assert done.exit_code == 130
    assert str(tmp_path / "run") in done.stderr
    assert "--resume" in done.stderr


def test_a_recipe_is_shown_without_photos(shutterless):
    done = shutterless("train", "--recipe", "tutorial", "--show")
    assert (done.exit_code, done.stdout) == (0, training.recipe_text("tutorial"))
    assert shutterless("train", "--show").stdout == training.recipe_text("quick")


def test_a_recipe_that_is_wrong_is_not_shown(shutterless, error_of, tmp_path):
    (tmp_path / "mine.toml").write_text('name = "x"\n')
    arguments = ("train", "--recipe", tmp_path / "mine.toml", "--show")
    assert error_of(*arguments).code == "invalid-recipe"
    assert shutterless(*arguments).stdout == ""


def test_backbones_are_listed_with_their_figures_without_photos(shutterless, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "nasnet_mobile_no_top.h5").touch()
    done = shutterless("train", "--backbone", "list")
    rows = {row[0]: row[1:] for row in (line.split("\t") for line in done.stdout.splitlines())}
    assert rows["inceptionv3"] == ["299", "21.8", "87.2", "77.9", "no"]
    assert rows["nasnetmobile"] == ["224", "4.3", "17.1", "74.4", "yes"]
    assert rows["tiny"] == ["96", "0.1", "none", "", ""]
    assert rows["efficientnetlite3"][0] == "280"


def test_photos_and_a_run_are_needed_to_train(shutterless, colour_photos):
    for arguments in ((), (colour_photos,)):
        assert shutterless("train", *arguments).exit_code == 2


def test_a_run_that_exists_is_not_replaced_and_a_finished_one_not_trained_again(
    shutterless, error_of, colour_photos, colour_run
):
    model = (colour_run / training.MODEL).read_bytes()
    error = error_of("train", colour_photos, "-o", colour_run)
    assert error.code == "not-empty"
    assert "--resume" in error.hint
    resumed = shutterless("train", colour_photos, "-o", colour_run, "--resume")
    assert resumed.exit_code == 0
    assert f"warning: {colour_run}" in resumed.stderr
    assert "Validation accuracy" in resumed.stdout
    assert (colour_run / training.MODEL).read_bytes() == model


def test_a_wrong_cut_lists_the_layers_and_leaves_nothing(error_of, tiny, tmp_path):
    error = error_of(*tiny, "-o", tmp_path / "run", "--cut", "mixed7")
    assert error.code == "unknown-layer"
    assert "'mixed7'" in error.message
    assert {"stage3", "stage4"} <= set(error.hint.split())
    assert "  stage4  2×2×128\n" in f"{error.hint}\n"
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def config():
    from shutterless.training.config import make_config

    return make_config("quick", backbone="tiny", image_size=32)


def dataset_of(counts):
    from shutterless.dataset import Dataset, Photo

    photos = [
        Photo(f"{label}/{split}{number}.jpg", label, split)
        for label, splits in counts.items()
        for split, count in splits.items()
        for number in range(count)
    ]
    return Dataset(Path("photos"), tuple(counts), tuple(photos), (), ())


def test_what_is_trained_on_what_is_told_before_it_starts(config, capsys):
    say_config(config, dataset_of({"hat": {"train": 3, "validation": 1}, "shoe": {"train": 12}}))
    shown = capsys.readouterr()
    assert shown.out == ""
    words, *rows = (line.split() for line in shown.err.splitlines())
    assert {"quick:", "tiny,", "32", "42"} <= set(words)
    assert rows == [
        ["label", "train", "validation"],
        ["hat", "3", "1"],
        ["shoe", "12", "0"],
        ["2", "labels", "15", "1"],
    ]


def test_the_backbones_that_were_measured_for_a_budget_are_listed(config, capsys):
    both = (Measurement(Precision.INT8_MIXED, 4.9, 3_400_000), Measurement(Precision.FLOAT16, 7.8, 5_500_000))
    candidates = (
        Candidate(BACKBONES["resnet50"], 224, Outcome.TOO_LARGE),
        Candidate(BACKBONES["efficientnetlite0"], 224, Outcome.OVER_BUDGET, both[1:]),
        Candidate(BACKBONES["mobilenetv2"], 224, Outcome.TAKEN, both),
    )
    selection = Selection(parse_budget("6ms"), candidates, 12.3)
    say_config(replace(config, selection=selection), dataset_of({"hat": {"train": 3}}))
    _, *rows = (line.split() for line in capsys.readouterr().err.splitlines())
    assert [row[:6] for row in rows[:3]] == [
        ["efficientnetlite0", "224", "75.1", "float16", "7.8", "5.5"],
        ["mobilenetv2", "224", "71.3", "int8-mixed", "4.9", "3.4"],
        ["mobilenetv2", "224", "71.3", "float16", "7.8", "5.5"],
    ]
    assert {"1", "backbone"} < set(rows[3])
    assert {"6ms:", "12"} < set(rows[4])


def test_the_estimate_is_told_by_phase():
    text = describe_estimate({"preparation": 20, "head_training": 40, "fine_tuning": 720})
    assert text == "About 13 min: preparation 20 s, head training 40 s, fine-tuning 12 min"


def test_a_thousand_labels_are_told_in_two_lines(config, capsys):
    counts = {f"label{number:03}": {"train": 4, "validation": 1} for number in range(1000)}
    counts["label500"]["train"], counts["label700"]["train"] = 1, 90
    say_config(config, dataset_of(counts))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert lines[1] == "1,000 labels; photos: 4,083 for train, 1,000 for validation"
    assert "label500 (1)" in lines[2] and "most: label700 (90)" in lines[2]
