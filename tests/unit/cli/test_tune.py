"""`shutterless tune`: its table, and the recipe that it names."""

import json

import pytest

from shutterless.tuning import engine
from shutterless.tuning.results import TrialResult

SEARCH = "trials = 9\n[search]\n'image.size' = 32\n'head.dropout' = [0.1, 1.5]\n"


@pytest.fixture
def search(tmp_path, monkeypatch):
    def run_trials(study, trials, earlier, *, on_start, on_result, **options):
        on_start(1)
        for trial in trials:
            on_result(TrialResult(trial.number, trial.values, "finished", 1.0 / trial.number, 0.1, 0.75))

    monkeypatch.setattr(engine, "run_trials", run_trials)
    (tmp_path / "search.toml").write_text(SEARCH)
    return tmp_path / "search.toml"


def test_the_best_trial_is_first_and_failed_ones_are_last(shutterless, colour_photos, search, tmp_path):
    done = shutterless("tune", colour_photos, search, "-o", tmp_path / "out")
    rows = [line.split("\t") for line in done.output.splitlines() if "\t" in line]
    assert rows == [
        ["state", "trial", "log loss", "±", "accuracy", "image.size", "head.dropout"],
        ["finished", "2", "0.500", "0.100", "75.0%", "32", "0.1"],
        ["finished", "1", "1.000", "0.100", "75.0%", "32", ""],
        ["invalid-recipe", "3", "", "", "", "32", "1.5"],
    ]
    assert str(tmp_path / "out/best.toml") in done.output


def test_json_is_one_document(shutterless, colour_photos, search, tmp_path):
    done = shutterless("tune", colour_photos, search, "-o", tmp_path / "out", "--json")
    document = json.loads(done.stdout)
    assert [trial["number"] for trial in document["trials"]] == [2, 1, 3]
    assert document["recipe"] == str(tmp_path / "out/best.toml")


def test_a_misspelt_field_is_an_error(error_of, colour_photos, tmp_path):
    (tmp_path / "search.toml").write_text("[search]\n'head.dropuot' = [0.1]\n")
    arguments = ("tune", colour_photos, tmp_path / "search.toml", "-o", tmp_path / "out")
    assert error_of(*arguments).code == "unknown-field"
    assert not (tmp_path / "out").exists()
