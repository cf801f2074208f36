"""Search files: what they may say, and which trials they make."""

import pytest

from shutterless.errors import InputError, RecipeError
from shutterless.training.recipe import parse_recipe
from shutterless.tuning.search import Range, Search, load_search, make_trials, recipe_fields


def load(folder, text):
    (folder / "search.toml").write_text(text)
    return load_search(folder / "search.toml")


def test_ranges_choices_and_fixed_values_may_be_nested_or_dotted(tmp_path):
    search = load(
        tmp_path,
        """
        trials = 5
        folds = 3
        seeds = [1, 2]
        [search]
        "head.dropout" = [0.1, 0.5]
        image.size = 96
        [search.head_training]
        learning_rate = { min = 1e-4, max = 1e-2, log = true }
        """,
    )
    assert search.search == {
        "head.dropout": [0.1, 0.5],
        "image.size": 96,
        "head_training.learning_rate": Range(min=1e-4, max=1e-2, log=True),
    }
    assert (search.recipe, search.folds, search.seeds, search.early_stopping) == ("quick", 3, [1, 2], True)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "invalid-search"),
        ("[search]", "invalid-search"),
        ("trials = 0\n[search]\n'head.dropout' = [0.1]", "invalid-search"),
        ("folds = 1\n[search]\n'head.dropout' = [0.1]", "invalid-search"),
        ("seeds = [1, 1]\n[search]\n'head.dropout' = [0.1]", "invalid-search"),
        ("trails = 2\n[search]\n'head.dropout' = [0.1]", "invalid-search"),
        ("[search]\n'head.dropout' = []", "invalid-search"),
        ("[search]\n'head.dropout' = {min = 0.5, max = 0.5}", "invalid-search"),
        ("[search]\n'head.dropout' = {min = 0, max = 0.5, log = true}", "invalid-search"),
        ("[search]\n'head.dropout' = {min = 0}", "invalid-search"),
        ("[search]\n'head.dropuot' = [0.1]", "unknown-field"),
        ("[search]\nname = ['a', 'b']", "unknown-field"),
        ("[search]\nhead = [1]", "unknown-field"),
        ("search = 3", "invalid-search"),
        ("[search", "invalid-search"),
    ],
)
def test_a_wrong_file_is_refused_before_anything_starts(tmp_path, text, code):
    with pytest.raises(InputError) as error:
        load(tmp_path, text)
    assert error.value.code == code


def test_a_missing_file_and_a_missing_recipe_have_codes_of_their_own(tmp_path):
    with pytest.raises(InputError) as error:
        load_search(tmp_path / "none.toml")
    assert error.value.code == "unreadable-search"
    search = load(tmp_path, "recipe = 'mine.toml'\n[search]\n'head.dropout' = [0.1]")
    assert search.recipe == str(tmp_path / "mine.toml")
    with pytest.raises(RecipeError) as recipe_error:
        make_trials(search)
    assert recipe_error.value.code == "unknown-recipe"


def test_the_first_trial_is_the_recipe_and_values_are_spread_evenly():
    spaces = {
        "image.size": 64,
        "head.dropout": [0.1, 0.2, 0.3, 0.4],
        "head_training.learning_rate": {"min": 1e-4, "max": 1e-2, "log": True},
        "head_training.epochs": {"min": 1, "max": 8},
    }
    search = Search.model_validate({"trials": 9, "search": spaces})
    trials = make_trials(search)
    assert [trial.number for trial in trials] == [*range(1, 10)]
    assert trials[0].values == {"image.size": 64}
    assert 'name = "quick-tuned"' in trials[0].recipe
    assert {trial.input.width for trial in trials} == {64}
    drawn = [trial.values for trial in trials[1:]]
    assert sorted(values["head.dropout"] for values in drawn) == [0.1, 0.1, 0.2, 0.2, 0.3, 0.3, 0.4, 0.4]
    assert sorted(values["head_training.epochs"] for values in drawn) == [*range(1, 9)]
    rates = [values["head_training.learning_rate"] for values in drawn]
    assert sum(rate < 1e-3 for rate in rates) == 4
    assert all(1e-4 <= rate <= 1e-2 for rate in rates)
    assert make_trials(search) == trials


def test_few_combinations_are_all_tried_once():
    spaces = {"head.dropout": [0.1, 0.2], "image.size": [64, 96]}
    trials = make_trials(Search.model_validate({"trials": 50, "search": spaces}))
    assert [trial.values for trial in trials] == [
        {},
        {"head.dropout": 0.1, "image.size": 64},
        {"head.dropout": 0.1, "image.size": 96},
        {"head.dropout": 0.2, "image.size": 64},
        {"head.dropout": 0.2, "image.size": 96},
    ]


def test_an_impossible_combination_is_a_trial_with_a_problem():
    trials = make_trials(
        Search.model_validate({"search": {"head.dropout": [0.1, 1.5], "backbone.name": ["none", "tiny"]}})
    )
    assert [bool(trial.recipe) for trial in trials] == [True, False, True, False, False]
    assert "none" in trials[1].problem
    assert "head.dropout" in trials[4].problem


def test_a_search_without_any_possible_trial_is_refused():
    with pytest.raises(RecipeError) as error:
        make_trials(Search.model_validate({"search": {"fine_tuning.learning_rate": 0.1}}))
    assert error.value.code == "invalid-recipe"


def test_another_backbone_is_not_cut_where_the_recipe_s_was():
    search = Search.model_validate({"recipe": "tutorial", "trials": 2, "search": {"backbone.name": ["tiny"]}})
    base, other = (parse_recipe(trial.recipe, "") for trial in make_trials(search))
    assert (base.backbone.cut, base.backbone.scaling) == ("mixed7", "unit")
    assert (other.backbone.cut, other.backbone.scaling) == (None, None)


def test_fields_are_those_of_the_recipe_and_its_tables():
    fields = [*recipe_fields()]
    assert {"class_weights", "image.size", "fine_tuning.augmentation.hue"} <= {*fields}
    assert "fine_tuning" not in fields
