import pytest

from shutterless.errors import InputError
from shutterless.export import Precision
from shutterless.training.selection.budget import parse_budget, require_budget_options
from shutterless.training.selection.measurement import Measurement


@pytest.mark.parametrize(
    ("text", "quantity", "limit"),
    [
        ("8ms", "milliseconds", 8),
        ("0.008s", "milliseconds", 8),
        (" 7.5 MS ", "milliseconds", 7.5),
        ("4MB", "bytes", 4_000_000),
        ("800KB", "bytes", 800_000),
        ("1.5 mb", "bytes", 1_500_000),
    ],
)
def test_a_budget_is_a_time_or_a_size(text, quantity, limit):
    budget = parse_budget(text)
    assert (budget.quantity, budget.limit) == (quantity, pytest.approx(limit))


@pytest.mark.parametrize(
    "text", ["", "8", "ms", "0ms", "0.0MB", "-8ms", "8 m", "4GiB", "1e3ms", "8ms 4MB", "٨ms"]
)
def test_what_is_no_time_or_size_is_refused(text):
    with pytest.raises(InputError) as caught:
        parse_budget(text)
    assert caught.value.code == "invalid-budget"


def test_a_budget_limits_its_own_quantity_only():
    measurement = Measurement(Precision.FLOAT16, 8.0, 5_000_000)
    assert parse_budget("8ms").admits(measurement)
    assert not parse_budget("7.9ms").admits(measurement)
    assert parse_budget("5MB").admits(measurement)
    assert not parse_budget("4.9MB").admits(measurement)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"budget": "8ms"}, "conflicting-options"),
        ({"budget": "8ms", "backbone": "mobilenetv2"}, "conflicting-options"),
        ({"budget": "8ms", "backbone": "auto", "cut": "out_relu"}, "conflicting-options"),
        ({"budget": "8ms", "backbone": "auto", "weights": "mine.h5"}, "conflicting-options"),
        ({"backbone": "auto"}, "missing-budget"),
        ({"backbone": "AUTO"}, "missing-budget"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options, code):
    defaults = {"backbone": None, "budget": None, "weights": None, "cut": None}
    with pytest.raises(InputError) as caught:
        require_budget_options(**(defaults | options))
    assert caught.value.code == code


def test_auto_goes_with_random_weights():
    require_budget_options("auto", "8ms", "none", None)
