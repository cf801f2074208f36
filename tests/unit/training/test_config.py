import math
from dataclasses import replace
from pathlib import Path

import pytest

from shutterless.artifacts.run_files import RECIPE, SPLIT
from shutterless.dataset import Dataset, Photo
from shutterless.errors import InputError, RecipeError, RunError
from shutterless.training.backbones.registry import find_backbone
from shutterless.training.config import make_config, require_same
from shutterless.training.recipe import load_recipe, recipe_text
from shutterless.training.run import Run, load_run, write_recipe
from shutterless.training.selection.selection import Candidate, Outcome, Selection


def test_a_configuration_without_options_is_quick_on_efficientnet_lite():
    config = make_config()
    assert (config.recipe.name, config.backbone.name, config.image_size) == (
        "quick",
        "efficientnetlite1",
        240,
    )
    assert (config.weights, config.seed) == ("imagenet", 42)
    assert list(config.phases) == ["head_training"]


def test_options_override_what_the_recipe_names():
    config = make_config(
        "tutorial", weights="none", cut="mixed10", image_size=200, epochs=3, batch_size=8, seed=0
    )
    assert config.recipe.backbone.model_dump() == {"name": "inceptionv3", "cut": "mixed10", "scaling": "unit"}
    assert (config.image_size, config.weights, config.seed) == (200, "none", 0)
    assert (config.phases["frozen_training"].epochs, config.phases["frozen_training"].batch_size) == (3, 8)


def test_another_backbone_than_the_recipes_is_cut_and_scaled_in_its_own_way():
    config = make_config("tutorial", backbone="ResNet50")
    assert config.recipe.backbone.model_dump() == {"name": "resnet50", "cut": None, "scaling": None}
    assert config.image_size == 150


def test_epochs_are_those_of_the_last_phase_and_of_that_from_scratch():
    config = make_config("standard", epochs=3)
    before = make_config("standard")
    assert config.recipe.fine_tuning.epochs == config.recipe.from_scratch.epochs == 3
    assert config.recipe.head_training == before.recipe.head_training


@pytest.mark.parametrize(("backbone", "weights"), [("tiny", "none"), ("vgg16", "imagenet")])
def test_weights_are_pretrained_where_there_are_any(backbone, weights):
    assert make_config("quick", backbone=backbone).weights == weights


def test_a_teacher_is_named_by_the_recipe_or_by_an_option(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = recipe_text("quick") + '[teacher]\nsources = ["a"]\nscores_weight = 0.3\n'
    (tmp_path / "taught.toml").write_text(text, "utf-8")
    assert make_config("taught.toml").recipe.teacher.sources == (str(tmp_path / "a"),)
    teacher = make_config("taught.toml", teacher=["b", tmp_path / "c"]).recipe.teacher
    assert teacher.sources == (str(tmp_path / "b"), str(tmp_path / "c"))
    assert teacher.scores_weight == 0.3
    assert make_config("quick", teacher="b").recipe.teacher.sources == (str(tmp_path / "b"),)
    assert make_config("quick").recipe.teacher is None


WRONG = {
    "image_size": (0, -1, 31, 1025, 1040),
    "epochs": (0, -1, 10**30, 2.5),
    "batch_size": (0, -1, 10**30, math.nan),
    "seed": (-1, 2**32),
}


@pytest.mark.parametrize(
    ("option", "value"), [(option, value) for option, values in WRONG.items() for value in values]
)
def test_an_option_that_no_recipe_may_hold_is_refused_before_anything_starts(option, value):
    with pytest.raises((InputError, RecipeError)) as caught:
        make_config("standard", **{option: value})
    assert caught.value.code == ("invalid-seed" if option == "seed" else "invalid-recipe")
    assert option.removeprefix("image_") in caught.value.message
    assert caught.value.hint


def settings_of(config, photos):
    """Return the settings of a training on a data set of one photo."""
    return config.settings(Dataset(photos, ("hat",), (Photo("hat/1.jpg", "hat", "train"),), (), ()))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"image_size": 1024},
        {"image_size": 32, "backbone": "tiny"},
        {"epochs": 1, "batch_size": 1, "seed": 0},
        {"epochs": 1_000_000, "batch_size": 65_536, "seed": 2**32 - 1},
        {"cut": "block_13_expand_relu", "weights": "none"},
        {"recipe": "tutorial", "backbone": "ResNet50"},
        {"group_by": "folder"},
        {"recipe": "best", "weights": Path("weights.h5")},
    ],
    ids=str,
)
def test_every_option_comes_back_from_the_run_folder(options, tmp_path):
    config = make_config(**{"recipe": "standard", **options})
    write_recipe(tmp_path / RECIPE, config.recipe, settings_of(config, tmp_path))
    (tmp_path / SPLIT).write_text("path,label,split\nhat/1.jpg,hat,train\n")
    run = load_run(tmp_path)
    require_same(config, run)
    again = make_config(earlier=run)
    assert again == replace(config, weights=config.weights_source)
    assert (run.recipe, run.settings.image_size, run.settings.cut) == (
        config.recipe,
        config.image_size,
        options.get("cut"),
    )


def test_a_configuration_without_options_is_the_recipe_itself():
    config, recipe = make_config("standard"), load_recipe("standard")
    assert config.recipe.model_dump(exclude={"image"}) == recipe.model_dump(exclude={"image"})


def test_another_recipe_is_named_before_what_differs_in_it(tmp_path):
    quick, best = make_config("quick"), make_config("best")
    earlier = Run(tmp_path, settings_of(quick, tmp_path), quick.recipe, ())
    with pytest.raises(RunError) as caught:
        require_same(best, earlier)
    assert caught.value.code == "changed-settings"
    assert "with recipe quick, not best" in caught.value.message


@pytest.fixture
def selected(monkeypatch):
    """Let `auto` choose InceptionV3; return the budgets and options that it was chosen for."""
    calls = []

    def select(budget, recipe, *, weights, image_size, progress):
        calls.append((budget.text, recipe.name, weights, image_size))
        taken = Candidate(find_backbone("inceptionv3"), image_size or 299, Outcome.TAKEN)
        return Selection(budget, (taken,), 1.0)

    monkeypatch.setattr("shutterless.training.config.select_backbone", select)
    return calls


def test_auto_chooses_a_backbone_for_a_budget_which_is_then_like_a_named_one(selected):
    config = make_config("standard", backbone="auto", budget="8ms")
    named = make_config("standard", backbone="inceptionv3")
    assert selected == [("8ms", "standard", "imagenet", None)]
    assert (config.recipe, config.backbone, config.weights) == (named.recipe, named.backbone, named.weights)
    assert config.selection.taken.backbone is config.backbone
    assert named.selection is None


def test_auto_measures_the_whole_backbone_even_if_the_recipe_cuts_it(selected):
    config = make_config("tutorial", backbone="auto", budget="4MB", weights="none", image_size=200)
    assert config.recipe.backbone.model_dump() == {"name": "inceptionv3", "cut": None, "scaling": None}
    assert selected == [("4MB", "tutorial", "none", 200)]


@pytest.mark.parametrize("role", ["earlier", "from_run"])
def test_a_run_that_is_resumed_or_continued_keeps_its_backbone_without_measuring(role, selected, tmp_path):
    quick = make_config("quick", backbone="mobilenet")
    run = Run(tmp_path, settings_of(quick, tmp_path), quick.recipe, ())
    config = make_config(backbone="auto", budget="8ms", **{role: run})
    assert config.backbone.name == "mobilenet"
    assert config.selection is None
    assert selected == []


def test_a_budget_without_auto_is_refused():
    with pytest.raises(InputError) as caught:
        make_config(budget="8ms")
    assert caught.value.code == "conflicting-options"
