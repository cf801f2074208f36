from typing import get_args

import pytest
from pydantic import BaseModel

from shutterless.errors import RecipeError
from shutterless.training.backbones.registry import find_backbone
from shutterless.training.recipe import (
    Augmentation,
    BackboneConfig,
    HeadConfig,
    HeadPhase,
    ImageConfig,
    ModelPhase,
    Recipe,
    load_recipe,
    parse_recipe,
    recipe_names,
    recipe_text,
)


@pytest.mark.parametrize("name", recipe_names())
def test_a_shipped_recipe_is_valid_and_bears_its_name(name):
    assert load_recipe(name).name == name


def test_quick_leaves_the_backbone_frozen_and_standard_trains_it():
    assert load_recipe("quick").fine_tuning is None
    assert load_recipe("standard").fine_tuning.augmentation.flip


def test_a_recipe_of_the_user_is_read_from_its_file(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(
        'name = "mine"\ndescription = ""\n'
        "[head_training]\nepochs = 1\nlearning_rate = 0.1\n[from_scratch]\nepochs = 2\nlearning_rate = 0.1\n"
    )
    assert load_recipe(file).from_scratch.epochs == 2


def test_an_unknown_recipe_lists_the_known_ones():
    with pytest.raises(RecipeError) as caught:
        load_recipe("fast")
    assert caught.value.code == "unknown-recipe"
    assert all(name in caught.value.hint for name in recipe_names())


def test_a_wrong_field_is_named():
    with pytest.raises(RecipeError) as caught:
        parse_recipe(
            'name = "x"\ndescription = ""\n[head_training]\nepochs = 1\nlearning_rate = -1\n'
            "[from_scratch]\nepochs = 1\nlearning_rate = 1\n",
            "x.toml",
        )
    assert caught.value.code == "invalid-recipe"
    assert "head_training.learning_rate" in caught.value.message


def test_a_misspelt_field_is_not_passed_over():
    with pytest.raises(RecipeError) as caught:
        parse_recipe(
            'name = "x"\ndescription = ""\n[head]\ndroput = 0.5\n[head_training]\nepochs = 1\n'
            "learning_rate = 1\n[from_scratch]\nepochs = 1\nlearning_rate = 1\n",
            "x.toml",
        )
    assert caught.value.code == "invalid-recipe"
    assert "head.droput" in caught.value.message


def test_broken_toml_names_the_line():
    with pytest.raises(RecipeError) as caught:
        parse_recipe("name = 'x'\nhead = nothing\n", "x.toml")
    assert caught.value.code == "invalid-recipe"
    assert "line 2" in caught.value.message


@pytest.mark.parametrize(
    ("table", "names"),
    [
        ({}, ("head_training", "frozen_training", "fine_tuning")),
        ({"fine_tuning": {"mixup": 1, "cutmix": 1}}, ("fine_tuning", "mixup", "cutmix")),
        (
            {"fine_tuning": {"augmentation": {"aspect": 0.1, "like_keras": True}}},
            ("fine_tuning.augmentation", "aspect", "like_keras"),
        ),
        (
            {"fine_tuning": {"schedule": "constant", "warmup_epochs": 1}},
            ("fine_tuning", "schedule", "warmup_epochs"),
        ),
        ({"fine_tuning": {"optimizer": "lion"}}, ("fine_tuning.optimizer",)),
        ({"backbone": {"scaling": "half"}}, ("backbone.scaling",)),
    ],
)
def test_what_does_not_go_together_is_refused(table, names):
    import tomli_w

    phase = {"epochs": 1, "learning_rate": 1.0}
    document = {"name": "x", "description": "", **{name: {**phase, **rest} for name, rest in table.items()}}
    if "backbone" in table:
        document |= {"backbone": table["backbone"], "fine_tuning": phase}
    with pytest.raises(RecipeError) as caught:
        parse_recipe(tomli_w.dumps(document), "x.toml")
    assert caught.value.code == "invalid-recipe"
    assert all(name in caught.value.message for name in names)


def test_without_pretrained_weights_the_phase_from_scratch_is_all_there_is():
    standard = load_recipe("standard")
    assert list(standard.phases(pretrained=True)) == ["head_training", "fine_tuning"]
    assert list(standard.phases(pretrained=False)) == ["from_scratch"]


def test_a_recipe_without_a_phase_from_scratch_trains_its_phases_on_any_weights():
    tutorial = load_recipe("tutorial")
    assert list(tutorial.phases(pretrained=True)) == list(tutorial.phases(pretrained=False))


def test_the_tutorials_recipe_has_the_tutorials_figures():
    recipe = load_recipe("tutorial")
    phase = recipe.frozen_training
    assert recipe.backbone.model_dump() == {"name": "inceptionv3", "cut": "mixed7", "scaling": "unit"}
    assert recipe.image.model_dump() == {"size": 150, "resize": "stretch", "interpolation": "nearest"}
    assert recipe.head.model_dump() == {
        "features": "last",
        "pooling": "flatten",
        "hidden": 1024,
        "dropout": 0.5,
        "dropout_before_hidden": 0,
    }
    assert phase.augmentation.model_dump(exclude_defaults=True) == {
        "flip": True,
        "rotation": 40,
        "zoom": 0.2,
        "shift": 0.2,
        "shear": 0.2,
        "like_keras": True,
    }
    assert (phase.optimizer, phase.learning_rate, phase.schedule) == ("adam", 0.001, "constant")
    assert (phase.batch_size, phase.epochs, phase.patience) == (32, 100, None)
    assert (
        phase.weight_decay
        == phase.label_smoothing
        == phase.mixup
        == phase.cutmix
        == phase.sharpness_radius
        == 0
    )
    assert recipe.phases(pretrained=True) == {"frozen_training": phase}


@pytest.mark.parametrize("name", recipe_names())
def test_a_shipped_recipe_names_a_backbone_that_takes_its_size(name):
    recipe = load_recipe(name)
    backbone = find_backbone(recipe.backbone.name)
    assert (recipe.image.size or backbone.image_size) >= backbone.smallest


def test_the_text_of_a_recipe_is_that_of_its_file(tmp_path):
    (tmp_path / "mine.toml").write_text("# mine")
    assert recipe_text(tmp_path / "mine.toml") == "# mine"
    assert parse_recipe(recipe_text("quick"), "quick") == load_recipe("quick")


def test_a_recipe_that_is_no_text_is_refused_in_words(tmp_path):
    (tmp_path / "mine.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeError) as caught:
        load_recipe(tmp_path / "mine.toml")
    assert caught.value.code == "unreadable-recipe"


def test_a_recipe_of_before_there_were_backbones_in_it_is_still_one():
    old = {
        "name": "old",
        "description": "",
        "head_training": {"epochs": 1, "learning_rate": 1},
        "from_scratch": {"epochs": 1, "learning_rate": 1, "augmentation": {"flip": True}},
    }
    recipe = Recipe.model_validate(old)
    assert recipe.backbone.model_dump() == {"name": "mobilenetv2", "cut": None, "scaling": None}
    assert recipe.class_weights is None


TABLES = [Recipe, BackboneConfig, ImageConfig, HeadConfig, HeadPhase, ModelPhase, Augmentation]


@pytest.mark.parametrize("table", TABLES)
def test_every_field_says_what_it_is(table):
    fields = {name: field for name, field in table.model_fields.items() if not is_table(field.annotation)}
    assert [name for name, field in fields.items() if not field.description] == []


def is_table(annotation):
    kinds = get_args(annotation) or (annotation,)
    return any(isinstance(kind, type) and issubclass(kind, BaseModel) for kind in kinds)


def test_a_misspelt_recipe_is_answered_with_the_closest_one():
    with pytest.raises(RecipeError) as caught:
        load_recipe("standart")
    assert caught.value.hint.startswith("Did you mean standard?")


NUMBERS = ("nan", "inf", "-inf", "1e999")
FIELDS = (
    "learning_rate",
    "weight_decay",
    "label_smoothing",
    "warmup_epochs",
    "mixup",
    "sharpness_radius",
    "weight_average",
)


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("field", FIELDS)
def test_a_figure_that_is_not_finite_is_refused(field, number):
    figures = {"epochs": "1", "learning_rate": "1e-3", field: number}
    lines = "\n".join(f"{name} = {value}" for name, value in figures.items())
    with pytest.raises(RecipeError) as caught:
        parse_recipe(f'name = "x"\ndescription = ""\n[fine_tuning]\n{lines}\n', "mine")
    assert caught.value.code == "invalid-recipe"
    assert f"fine_tuning.{field}" in caught.value.message


@pytest.mark.parametrize("number", [str(10**30), "9" * 5000])
def test_more_epochs_than_anybody_can_wait_for_are_refused(number):
    text = f'name = "x"\ndescription = ""\n[head_training]\nlearning_rate = 1\nepochs = {number}\n'
    with pytest.raises(RecipeError) as caught:
        parse_recipe(text, "mine")
    assert caught.value.code == "invalid-recipe"


def test_a_recipe_of_nested_brackets_is_refused_in_words():
    with pytest.raises(RecipeError) as caught:
        parse_recipe("a = " + "[" * 20_000, "mine")
    assert caught.value.code == "invalid-recipe"


def test_a_file_far_too_large_is_not_read_as_a_recipe(tmp_path):
    with (tmp_path / "huge.toml").open("wb") as stream:
        stream.truncate(10**9)
    with pytest.raises(RecipeError) as caught:
        load_recipe(tmp_path / "huge.toml")
    assert caught.value.code == "unreadable-recipe"


def test_a_device_that_never_ends_is_not_read_as_a_recipe():
    with pytest.raises(RecipeError) as caught:
        load_recipe("/dev/zero")
    assert caught.value.code == "unreadable-recipe"


@pytest.mark.parametrize(("photos", "batch_size"), [(3068, 64), (480, 10), (50, 2), (7, 1)])
def test_with_few_photos_the_batches_of_a_head_are_smaller(photos, batch_size):
    phase = load_recipe("quick").head_training
    assert (phase.min_steps, phase.for_photos(photos).batch_size) == (48, batch_size)
    standard = load_recipe("standard").head_training
    assert standard.for_photos(photos).batch_size == min(64, photos)
