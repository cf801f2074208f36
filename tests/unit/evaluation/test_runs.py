import json
import os

import pytest
from typer.testing import CliRunner

import shutterless
from shutterless.cli.app import app
from shutterless.errors import InputError, RunError
from shutterless.evaluation.learning_curves import MAX_CURVES
from shutterless.evaluation.runs import group_runs, list_runs

RECIPE = """
name = "quick"
[run]
photos = "/photos"
dataset_fingerprint = "{dataset}"
backbone = "tiny"
weights = "none"
image_size = 32
seed = {seed}
"""
HISTORY = """phase,epoch,seconds,learning_rate,loss,accuracy,val_loss,val_accuracy,best,log_loss,val_log_loss
head,1,2.5,0.001,1.2,0.4,1.1,0.5,True,1.1,1.0
head,2,1.5,0.001,0.9,0.6,0.8,0.75,True,0.8,0.7
"""
SPLIT = "path,label,split\na.jpg,hat,train\nb.jpg,coat,train\nc.jpg,hat,validation\nd.jpg,,train\n"


def write_run(folder, seed=1, right=None, dataset="d1", loss=0.5):
    """Write a run folder; it is finished if `right` of 20 validation photos are given."""
    folder.mkdir(parents=True)
    (folder / "recipe.toml").write_text(RECIPE.format(seed=seed, dataset=dataset))
    (folder / "split.csv").write_text(SPLIT)
    (folder / "history.csv").write_text(HISTORY)
    if right is not None:
        split = {"photos": 20, "right": right, "accuracy": right / 20, "loss": loss, "loss_error": 0.1}
        metrics = {"validation": split, "test": split, "parameters": 1234, "made_with": {}}
        (folder / "metrics.json").write_text(json.dumps(metrics))
    return folder


@pytest.fixture
def runs(tmp_path):
    """Return a folder of runs: two seeds, one on other photos, an unfinished one and three damaged ones."""
    write_run(tmp_path / "deep/er/one", seed=1, right=16, loss=0.4)
    write_run(tmp_path / "two", seed=2, right=18, loss=0.6)
    write_run(tmp_path / "other", seed=3, right=20, dataset="d2")
    write_run(tmp_path / "half")
    (write_run(tmp_path / "bad-recipe", right=1) / "recipe.toml").write_text("name")
    (write_run(tmp_path / "bad-metrics", right=1) / "metrics.json").write_text('{"validation": 3}')
    (write_run(tmp_path / "bad-history", right=1) / "history.csv").write_text("what\n1\n")
    (tmp_path / "no-run").mkdir()
    return tmp_path


def test_the_best_come_first_and_damaged_ones_last(runs):
    summaries = list_runs(runs)
    names = [(os.path.relpath(each.path, runs), each.state) for each in summaries]
    assert names == [
        ("other", "finished"),
        ("two", "finished"),
        ("deep/er/one", "finished"),
        ("half", "unfinished"),
        ("bad-history", "damaged"),
        ("bad-metrics", "damaged"),
        ("bad-recipe", "damaged"),
    ]
    assert all(bool(each.problem) == (each.state == "damaged") for each in summaries)


def test_a_summary_has_settings_metrics_and_time(runs):
    two = list_runs(runs / "two")[0]
    assert (two.recipe, two.backbone, two.image_size, two.seed) == ("quick", "tiny", 32, 2)
    assert (two.labels, two.photos, two.epochs, two.seconds, two.parameters) == (2, 2, 2, 4.0, 1234)
    assert (two.accuracy, two.loss, two.test_accuracy) == (0.9, 0.6, 0.9)
    half = list_runs(runs / "half")[0]
    assert (half.accuracy, half.loss, half.parameters) == (0.75, 0.7, None)


def test_the_time_is_that_of_the_whole_training_where_it_is_recorded(runs):
    metrics = json.loads((runs / "two/metrics.json").read_text())
    (runs / "two/metrics.json").write_text(json.dumps(metrics | {"seconds": 75.5}))
    assert list_runs(runs / "two")[0].seconds == 75.5


def test_only_runs_on_the_same_photos_are_averaged(runs):
    (group,) = group_runs(list_runs(runs))
    assert (group.recipe, group.runs, group.seconds) == ("quick", 2, 4.0)
    assert (group.accuracy, group.accuracy_deviation) == pytest.approx((0.85, 0.1 / 2**0.5))
    assert (group.loss, group.loss_deviation) == pytest.approx((0.5, 0.2 / 2**0.5))


def test_a_real_run_is_listed(colour_run):
    (summary,) = shutterless.list_runs(colour_run)
    assert (summary.state, summary.accuracy, summary.test_accuracy) == ("finished", 1.0, 1.0)
    assert summary.parameters == shutterless.load_run(colour_run).parameters


@pytest.mark.parametrize(("name", "code"), [("no-run", "no-runs"), ("none", "missing-folder")])
def test_a_folder_without_runs_is_refused(runs, name, code):
    for function in (list_runs, lambda folder: shutterless.draw_curves(runs / "a.svg", folder)):
        with pytest.raises(InputError) as refusal:
            function(runs / name)
        assert refusal.value.code == code


@pytest.mark.parametrize(("name", "start"), [("a.svg", b"<?xml"), ("a.PNG", b"\x89PNG")])
def test_curves_are_drawn_in_either_format(runs, name, start):
    picture = runs / name
    drawn = shutterless.draw_curves(picture, runs / "two", runs / "half")
    assert drawn == (str(runs / "two"), str(runs / "half"))
    assert picture.read_bytes().startswith(start)


def test_what_cannot_be_drawn_is_refused(runs, tmp_path):
    with pytest.raises(InputError) as refusal:
        shutterless.draw_curves(tmp_path / "a.pdf", runs / "two")
    assert refusal.value.code == "unknown-picture-format"
    with pytest.raises(RunError) as damaged:
        shutterless.draw_curves(tmp_path / "a.svg", runs / "bad-history")
    assert damaged.value.code == "unreadable-history"
    for number in range(MAX_CURVES + 1):
        write_run(tmp_path / "many" / str(number))
    with pytest.raises(InputError) as many:
        shutterless.draw_curves(tmp_path / "a.svg", tmp_path / "many")
    assert many.value.code == "too-many-runs"


def test_the_command_prints_runs_and_their_mean(runs):
    def shutterless_command(*arguments):
        return CliRunner().invoke(app, [*map(str, arguments)])

    done = shutterless_command("runs", "list", runs)
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert [row[0] for row in rows if "(unfinished)" in row[0]] == [f"{runs / 'half'} (unfinished)"]
    assert rows[-1][:5] == ["quick", "tiny", "32", "2", "85.0 % ± 7.1"]
    document = json.loads(shutterless_command("runs", "list", runs, "--json").stdout)
    assert (len(document["runs"]), len(document["groups"])) == (7, 1)
    assert shutterless_command("runs", "curves", runs / "two", "-o", runs / "c.svg").exit_code == 0
