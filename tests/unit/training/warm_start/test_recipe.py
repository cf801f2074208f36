import math
from dataclasses import replace

from shutterless.training.config import make_config
from shutterless.training.recipe import TeacherConfig, load_recipe
from shutterless.training.run import load_run
from shutterless.training.warm_start.recipe import with_fewer_epochs, with_network_of


def test_the_head_gets_all_its_epochs_and_the_network_a_quarter():
    whole = load_recipe("standard")
    recipe = with_fewer_epochs(whole)
    assert recipe.head_training == whole.head_training
    assert recipe.fine_tuning.epochs == math.ceil(whole.fine_tuning.epochs / 4)
    assert recipe.from_scratch.epochs == math.ceil(whole.from_scratch.epochs / 4)
    assert recipe.fine_tuning.warmup_epochs == whole.fine_tuning.warmup_epochs / 4
    assert recipe.frozen_training is None


def test_a_recipe_decides_how_to_train_and_the_run_what():
    recipe = with_network_of(load_recipe("quick"), load_recipe("best"))
    assert recipe.head_training == load_recipe("quick").head_training
    assert (recipe.image, recipe.head) == (load_recipe("best").image, load_recipe("best").head)


def test_epochs_are_not_divided_twice(colour_run, tmp_path):
    base = load_run(colour_run)
    once = make_config(from_run=base)
    assert once.recipe.from_scratch.epochs == 2
    continued = replace(
        base, recipe=once.recipe, settings=base.settings.model_copy(update={"from_run": tmp_path})
    )
    assert make_config(from_run=continued).recipe.from_scratch.epochs == 2
    assert make_config("quick", from_run=continued).recipe.from_scratch.epochs == 3
    assert make_config(from_run=continued, epochs=7).recipe.from_scratch.epochs == 7
    assert make_config(from_run=base, seed=3).seed == 3


def test_a_continued_run_does_not_keep_its_teacher_unless_asked_to(colour_run, tmp_path):
    base = load_run(colour_run)
    teacher = TeacherConfig(sources=(str(tmp_path),))
    taught = replace(base, recipe=base.recipe.model_copy(update={"teacher": teacher}))
    assert make_config(from_run=taught).recipe.teacher is None
    assert make_config(from_run=taught, teacher=tmp_path).recipe.teacher == teacher
    assert make_config(earlier=taught).recipe.teacher == teacher
