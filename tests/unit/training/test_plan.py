import pytest

from shutterless.training.plan import make_plan


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
