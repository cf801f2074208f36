import pytest

from shutterless.errors import ShutterlessError
from shutterless.training.recipe import load_recipe, parse_recipe, recipe_names


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
    with pytest.raises(ShutterlessError, match="'fast'") as caught:
        load_recipe("fast")
    assert "quick, standard" in caught.value.hint


def test_a_wrong_field_is_named():
    with pytest.raises(ShutterlessError, match=r"head_training\.learning_rate"):
        parse_recipe(
            'name = "x"\ndescription = ""\n[head_training]\nepochs = 1\nlearning_rate = -1\n'
            "[from_scratch]\nepochs = 1\nlearning_rate = 1\n",
            "x.toml",
        )


def test_a_misspelt_field_is_not_passed_over():
    with pytest.raises(ShutterlessError, match=r"head\.droput"):
        parse_recipe(
            'name = "x"\ndescription = ""\n[head]\ndroput = 0.5\n[head_training]\nepochs = 1\n'
            "learning_rate = 1\n[from_scratch]\nepochs = 1\nlearning_rate = 1\n",
            "x.toml",
        )


def test_broken_toml_names_the_line():
    with pytest.raises(ShutterlessError, match="line 2"):
        parse_recipe("name = 'x'\nhead = nothing\n", "x.toml")
