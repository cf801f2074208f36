import math
from dataclasses import replace
from pathlib import Path

import pytest

from shutterless.artifacts.run_files import RECIPE, SPLIT
from shutterless.dataset import Dataset, Photo
from shutterless.errors import ShutterlessError
from shutterless.training.config import make_plan, require_same
from shutterless.training.recipe import load_recipe
from shutterless.training.run import load_run, write_recipe


def test_a_plan_without_options_is_quick_on_mobilenetv2():
    plan = make_plan(None)
    assert (plan.recipe.name, plan.backbone.name, plan.image_size) == ("quick", "mobilenetv2", 224)
    assert (plan.weights, plan.seed) == ("imagenet", 42)
    assert list(plan.phases) == ["head_training"]


def test_options_override_what_the_recipe_names():
    plan = make_plan("tutorial", None, "none", "mixed10", 200, 3, 8, 0)
    assert plan.recipe.backbone.model_dump() == {"name": "inceptionv3", "cut": "mixed10", "scaling": "unit"}
    assert (plan.image_size, plan.weights, plan.seed) == (200, "none", 0)
    assert (plan.phases["frozen_training"].epochs, plan.phases["frozen_training"].batch_size) == (3, 8)


def test_another_backbone_than_the_recipes_is_cut_and_scaled_in_its_own_way():
    plan = make_plan("tutorial", "ResNet50")
    assert plan.recipe.backbone.model_dump() == {"name": "resnet50", "cut": None, "scaling": None}
    assert plan.image_size == 150


def test_epochs_are_those_of_the_last_phase_and_of_that_from_scratch():
    plan = make_plan("standard", epochs=3)
    before = make_plan("standard")
    assert plan.recipe.fine_tuning.epochs == plan.recipe.from_scratch.epochs == 3
    assert plan.recipe.head_training == before.recipe.head_training


@pytest.mark.parametrize(("backbone", "weights"), [("tiny", "none"), ("vgg16", "imagenet")])
def test_weights_are_pretrained_where_there_are_any(backbone, weights):
    assert make_plan("quick", backbone).weights == weights


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
    with pytest.raises(ShutterlessError) as caught:
        make_plan("standard", **{option: value})
    assert option.split("_")[-1] in caught.value.message
    assert caught.value.hint


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
    plan = make_plan(**{"recipe": "standard", **options})
    photos = (Photo("hat/1.jpg", "hat", "train"),)
    dataset = Dataset(tmp_path, ("hat",), photos, (), ())
    dataset.__dict__["fingerprint"] = "0"  # the photos' files do not matter here
    write_recipe(tmp_path / RECIPE, plan.recipe, plan.settings(dataset))
    (tmp_path / SPLIT).write_text("path,label,split\nhat/1.jpg,hat,train\n")
    run = load_run(tmp_path)
    require_same(plan, run)
    again = make_plan(None, earlier=run)
    assert again == replace(plan, weights=plan.weights_source)
    assert (run.recipe, run.settings.image_size, run.settings.cut) == (
        plan.recipe,
        plan.image_size,
        options.get("cut"),
    )


def test_a_plan_without_options_is_the_recipe_itself():
    plan, recipe = make_plan("standard"), load_recipe("standard")
    assert plan.recipe.model_dump(exclude={"image"}) == recipe.model_dump(exclude={"image"})
