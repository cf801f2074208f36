import pytest

from shutterless.errors import InputError
from shutterless.export import Precision
from shutterless.training.backbones.catalogue import BACKBONES
from shutterless.training.backbones.registry import register_backbone
from shutterless.training.recipe import load_recipe
from shutterless.training.selection import selection
from shutterless.training.selection.budget import parse_budget
from shutterless.training.selection.measurement import Measurement
from shutterless.training.selection.selection import Outcome, select_backbone

PEAK = 100.0  # billion multiply-adds a second


@pytest.fixture
def measured(monkeypatch, tmp_path):
    """Let backbones take ten times as long as their multiply-adds do at the peak; return what was measured.

    No weights are on the machine, and those of keras.applications can be downloaded.
    """
    names = []

    def measure(backbone, precisions, *, image_size, head):
        names.append(backbone.name)
        scale = (image_size / backbone.image_size) ** 2
        time = 10_000 * scale * (backbone.multiply_adds or 0.01) / PEAK
        return tuple(
            Measurement(each, time, selection.BYTES_PER_WEIGHT[each] * (backbone.parameters or 0))
            for each in precisions
        )

    monkeypatch.setattr(selection, "measure", measure)
    monkeypatch.setattr(selection, "measure_peak", lambda precision: PEAK)
    monkeypatch.setattr(selection, "can_download", lambda: True)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    before = set(BACKBONES)
    yield names
    for name in set(BACKBONES) - before:
        del BACKBONES[name]


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """Let nothing be downloaded; the weights of MobileNetV2 are on the machine."""
    monkeypatch.setattr(selection, "can_download", lambda: False)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / BACKBONES["mobilenetv2"].weights.file).touch()


def select(budget, recipe="quick", **options):
    return select_backbone(parse_budget(budget), load_recipe(recipe), **options)


def outcomes(result):
    return {each.backbone.name: each.outcome for each in result.candidates}


def test_the_most_accurate_within_the_budget_is_taken(measured):
    result = select("25ms")
    assert result.taken.backbone.name == "mobilenetv3large"
    assert result.taken.measurements[0].milliseconds == pytest.approx(22)
    top1 = [each.backbone.top1 for each in result.candidates]
    assert top1 == sorted(top1, reverse=True)
    assert outcomes(result)["efficientnetb0"] is Outcome.OVER_BUDGET


def test_only_what_can_be_within_the_budget_and_is_more_accurate_is_measured(measured):
    result = select("25ms")
    by_outcome = outcomes(result)
    assert by_outcome["resnet152"] is Outcome.TOO_LARGE  # 113 ms at the peak
    assert by_outcome["efficientnetv2b3"] is Outcome.OVER_BUDGET  # 30 ms at the peak, which may be inexact
    assert by_outcome["mobilenetv2"] is Outcome.LESS_ACCURATE
    assert measured == [each.backbone.name for each in result.candidates if each.measurements]
    assert {"resnet152", "mobilenetv2", "tiny"}.isdisjoint(measured)


def test_a_size_is_a_budget_too(measured):
    result = select("7MB")
    assert result.taken.backbone.name == "mobilenetv3large"  # 6.0 MB in float16
    assert outcomes(result)["efficientnetb0"] is Outcome.OVER_BUDGET  # 8.1 MB
    assert outcomes(result)["efficientnetb1"] is Outcome.TOO_LARGE


def test_without_a_network_only_weights_on_this_machine_count(measured, offline):
    result = select("100ms")
    assert outcomes(result)["efficientnetb1"] is Outcome.NO_DOWNLOAD
    assert "mobilenetv3large" not in measured
    local = {each.backbone.name for each in result.candidates if each.is_local}
    assert result.taken.backbone.name in local


def test_packages_of_weights_that_are_not_installed_are_named_and_not_taken(measured, monkeypatch):
    monkeypatch.setattr("shutterless.training.backbones.weights.find_spec", lambda name: None)
    result = select("60ms", image_size=240)
    assert outcomes(result)["efficientnetlite1"] in (Outcome.NOT_INSTALLED, Outcome.LESS_ACCURATE)
    assert outcomes(result)["efficientnetlite2"] is Outcome.NOT_INSTALLED


@pytest.mark.parametrize(
    ("recipe", "precisions"),
    [
        ("quick", [Precision.INT8_MIXED, Precision.FLOAT16]),
        ("standard", [Precision.FLOAT16, Precision.INT8_MIXED]),
    ],
)
def test_integers_are_promised_only_where_the_head_alone_is_trained(measured, offline, recipe, precisions):
    taken = select("31ms", recipe).taken
    assert taken.backbone.name == "mobilenetv2"
    assert [each.precision for each in taken.measurements] == precisions


def test_the_image_size_of_the_option_the_recipe_or_the_backbone_is_used(measured):
    sizes = {each.backbone.name: each.image_size for each in select("25ms").candidates}
    assert (sizes["mobilenetv2"], sizes["efficientnetlite1"]) == (224, 240)
    assert {each.image_size for each in select("25ms", "best").candidates} == {256}
    result = select("25ms", image_size=64)
    assert {each.image_size for each in result.candidates} == {64}
    assert outcomes(result)["inceptionv3"] in (Outcome.INPUT_TOO_SMALL, Outcome.LESS_ACCURATE)


def test_a_registered_backbone_is_a_candidate_if_it_states_its_accuracy(measured):
    register_backbone("accurate", lambda shape: None, image_size=64, top1=99.0)
    register_backbone("silent", lambda shape: None, image_size=64)
    result = select("2ms")
    assert result.taken.backbone.name == "accurate"
    assert "silent" not in outcomes(result)


def test_backbones_without_weights_are_candidates_for_random_weights_only(measured):
    assert "efficientnetlite4" not in outcomes(select("25ms"))
    assert "efficientnetlite4" in outcomes(select("25ms", weights="none"))


@pytest.mark.parametrize("budget", ["3ms", "0.001ms", "1KB"])
def test_a_budget_that_nothing_keeps_is_refused_with_the_quickest(measured, budget):
    with pytest.raises(InputError) as caught:
        select(budget)
    assert caught.value.code == "nothing-within-budget"
    assert "mobilenetv3small" in caught.value.message
