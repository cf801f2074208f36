"""A search from its file to its best recipe, with quick figures in place of trainings."""

import json

import pytest

import shutterless
from shutterless.tuning import engine
from shutterless.tuning.results import TrialResult

SEARCH = """
trials = 5
seeds = [3, 4]
early_stopping = false
[search]
"head.dropout" = [0.1, 0.2, 0.3, 1.5]
"image.size" = 32
"""


@pytest.fixture
def search(tmp_path):
    file = tmp_path / "search.toml"
    file.write_text(SEARCH)
    return file


@pytest.fixture
def calls(monkeypatch):
    """Record what runs; a trial's log loss is its number, subtracted from ten; the third is interrupted."""
    calls = []

    def run_trials(study, trials, earlier, *, on_start, on_result, **options):
        numbers = [trial.number for trial in trials]
        calls.append((numbers, [result.number for result in earlier], study, options))
        on_start(2)
        for trial in trials:
            if len(calls) == 1 and trial.number == 3:
                raise KeyboardInterrupt
            (study.runs / trial.name).mkdir()
            on_result(TrialResult(trial.number, trial.values, "finished", 10.0 - trial.number, None, 0.5))

    monkeypatch.setattr(engine, "run_trials", run_trials)
    return calls


def test_an_interrupted_search_is_continued_by_the_same_call(colour_photos, search, tmp_path, calls):
    notes, lines = [], []
    options = {"on_note": notes.append, "on_trial": lines.append, "workers": 2}
    with pytest.raises(KeyboardInterrupt):
        shutterless.tune(colour_photos, search, tmp_path / "out", **options)
    result = shutterless.tune(colour_photos, search, tmp_path / "out", **options)
    assert [(numbers, sorted(earlier)) for numbers, earlier, *_ in calls] == [
        ([1, 2, 3, 4], [5]),
        ([3, 4], [1, 2, 5]),
    ]
    assert [trial.number for trial in result.trials] == [4, 3, 2, 1, 5]
    assert [line.number for line in lines] == [5, 1, 2, 3, 4]
    assert result.best.values == {"head.dropout": 0.3, "image.size": 32}
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "best.toml",
        "search.json",
        "trials",
        "trials.csv",
        "trials.json",
    ]
    *_, study, used = calls[1]
    assert [(repeat.name, repeat.seed) for repeat in study.repeats] == [
        ("split-seed-3", 3),
        ("split-seed-4", 4),
    ]
    assert [file.spec.width for file in study.pixels] == [32]
    assert (used["early_stopping"], used["workers"], used["cpus"]) == (False, 2, 1)
    again = shutterless.tune(colour_photos, search, tmp_path / "out", **options)
    assert (again.trials, len(calls)) == (result.trials, 2)
    assert json.loads(json.dumps(result.to_json()))["best"]["number"] == 4


def test_folds_are_measured_with_each_seed(colour_photos, search, tmp_path, calls):
    calls.append(None)  # nothing is interrupted
    search.write_text("folds = 2\n" + SEARCH)
    shutterless.tune(colour_photos, search, tmp_path / "out")
    names = [repeat.name for repeat in calls[1][2].repeats]
    assert names == ["fold-1-seed-3", "fold-2-seed-3", "fold-1-seed-4", "fold-2-seed-4"]


def test_another_search_and_other_files_are_refused(colour_photos, search, tmp_path, calls):
    calls.append(None)
    shutterless.tune(colour_photos, search, tmp_path / "out")
    search.write_text(SEARCH.replace("0.1", "0.15"))
    with pytest.raises(shutterless.OutputError) as error:
        shutterless.tune(colour_photos, search, tmp_path / "out")
    assert error.value.code == "another-search"
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").touch()
    with pytest.raises(shutterless.OutputError) as error:
        shutterless.tune(colour_photos, search, tmp_path / "mine")
    assert error.value.code == "not-empty"


def test_a_search_in_which_everything_fails_is_one_error_with_a_table(
    colour_photos, search, tmp_path, monkeypatch
):
    def run_trials(study, trials, earlier, *, on_start, on_result, **options):
        for trial in trials:
            on_result(TrialResult(trial.number, trial.values, "failed", error="diverged"))

    monkeypatch.setattr(engine, "run_trials", run_trials)
    with pytest.raises(shutterless.RunError) as error:
        shutterless.tune(colour_photos, search, tmp_path / "out")
    assert error.value.code == "no-finished-trial"
    assert (tmp_path / "out/trials.csv").read_text().count("diverged") == 4
