"""Records, tables and the best recipe of a search."""

import csv
import json
import tomllib

import pytest

from shutterless.errors import OutputError
from shutterless.training import load_recipe
from shutterless.tuning.results import Ledger, best_of, summarize, write_best, write_tables
from shutterless.tuning.results import TrialResult as Result
from shutterless.tuning.search import Search, make_trials
from shutterless.tuning.study import Measurement
from shutterless.utils.progress import silent

TRIALS = make_trials(Search.model_validate({"search": {"head.dropout": [0.1, 0.2, 1.5]}}))
MEASUREMENTS = [Measurement("fold-1", 0.5, 0.8), Measurement("fold-2", 0.3, 0.9)]
RESULTS = [
    Result(1, {}, "finished", 0.6, 0.1, 0.8, 9.0),
    Result(2, {"head.dropout": 0.1}, "stopped", 0.2, seconds=1.0, reports=((11, 0.3), (33, 0.2))),
    summarize(TRIALS[2], MEASUREMENTS, 2.0),
    Result(4, {"head.dropout": 1.5}, "failed", error="invalid-recipe", message="too high"),
]


def open_ledger(folder, lines=None):
    return Ledger(folder, TRIALS, on_trial=(lines if lines is not None else []).append, progress=silent)


def test_results_are_known_to_the_next_call(tmp_path):
    lines = []
    ledger = open_ledger(tmp_path, lines)
    assert ledger.missing == TRIALS
    for result in RESULTS[1:]:
        ledger.add(result)
    assert lines == RESULTS[1:]
    again = open_ledger(tmp_path)
    assert again.results == RESULTS[1:]
    assert [trial.number for trial in again.missing] == [1]


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"number": "x"}'])
def test_a_damaged_record_is_named(tmp_path, text):
    (tmp_path / "trials").mkdir()
    (tmp_path / "trials/0002.json").write_text(text)
    with pytest.raises(OutputError) as error:
        open_ledger(tmp_path)
    assert error.value.code == "unreadable-record"
    assert "0002.json" in error.value.message


def test_a_stopped_trial_is_never_the_best():
    assert best_of(RESULTS) == RESULTS[2]
    assert (RESULTS[2].loss, RESULTS[2].accuracy) == (0.4, pytest.approx(0.85))
    assert best_of(RESULTS[1:2]) is None


def test_tables_have_the_best_first_and_a_column_for_each_field(tmp_path):
    write_tables(tmp_path, RESULTS)
    rows = list(csv.DictReader((tmp_path / "trials.csv").read_text().splitlines()))
    assert [row["trial"] for row in rows] == ["3", "1", "2", "4"]
    assert [row["head.dropout"] for row in rows] == ["0.2", "", "0.1", "1.5"]
    assert rows[3]["error"] == "invalid-recipe"
    document = json.loads((tmp_path / "trials.json").read_text())
    assert [row["state"] for row in document] == ["finished", "finished", "stopped", "failed"]
    assert "reports" not in document[0]


def test_the_best_recipe_is_one_that_train_takes_with_its_figures_as_a_comment(tmp_path):
    write_best(tmp_path, TRIALS[2], RESULTS, "2 folds")
    file = tmp_path / "best.toml"
    assert load_recipe(file).head.dropout == 0.2
    assert load_recipe(file).head_training == load_recipe("quick").head_training
    comment = [line for line in file.read_text().splitlines() if line.startswith("#")]
    assert "trial 3 of 4" in comment[0]
    assert "0.400 ± 0.141, accuracy 85.0%" in comment[1]
    assert "0.600 ± 0.100" in comment[2]
    assert tomllib.loads(file.read_text())["name"] == "quick-tuned"
