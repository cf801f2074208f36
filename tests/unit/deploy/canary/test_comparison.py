import json
import math
from dataclasses import asdict

import numpy as np
import pytest
from scipy.stats import chi2_contingency, hypergeom

from shutterless.deploy.canary.answers import Answer, LoggedRequest
from shutterless.deploy.canary.comparison import TOLERANCE, compare

ALPHA = 0.005
ERROR = LoggedRequest("1", True, ())


def request(*answers):
    return LoggedRequest("1", False, tuple(sorted((Answer(*answer) for answer in answers), key=str)))


HAT, CAP, PANTS = (request((label, True)) for label in ("hat", "cap", "pants"))
UNSURE = request(("hat", False))
REFUSED = request(("unreadable-image", None))
MIX = [HAT] * 9 + [CAP] * 8 + [PANTS] * 1


def figures(live, canary, **options):
    return {figure.measure: figure for figure in compare(live, canary, ALPHA, **options).figures}


def test_a_canary_that_answers_alike_is_healthy():
    comparison = compare(MIX * 50, MIX * 5, ALPHA)
    assert (comparison.verdict, comparison.live_requests, comparison.canary_requests) == ("healthy", 900, 90)
    assert [figure.measure for figure in comparison.figures] == ["errors", "accepted", "answers"]
    assert all(figure.distance == 0 and not figure.is_worse for figure in comparison.figures)


def test_a_canary_that_answers_500_is_turned_back_by_its_errors():
    comparison = compare(MIX * 5, [ERROR] * 5, ALPHA)
    assert comparison.verdict == "worse"
    worse = [figure for figure in comparison.figures if figure.is_worse]
    assert [(figure.measure, figure.live, figure.canary) for figure in worse] == [("errors", 0, 1)]


def test_a_canary_that_calls_everything_pants_is_turned_back_by_its_answers():
    comparison = compare(MIX * 5, [PANTS] * 10, ALPHA)
    assert comparison.verdict == "worse"
    worse = [figure for figure in comparison.figures if figure.is_worse]
    assert [(figure.measure, figure.answer, figure.canary) for figure in worse] == [("answers", "pants", 1)]
    assert worse[0].live == pytest.approx(1 / 18)


@pytest.mark.parametrize(("live", "canary"), [(0.9, 0.6), (0.6, 0.9)])
def test_a_share_of_accepted_answers_that_falls_or_rises_is_worse(live, canary):
    """Too many are as suspicious: a model without its temperature is sure of everything."""

    def answers(share):
        return [HAT] * round(200 * share) + [UNSURE] * round(200 * (1 - share))

    result = figures(answers(live), answers(canary))
    assert (result["accepted"].live, result["accepted"].canary) == pytest.approx((live, canary))
    assert result["accepted"].is_worse
    assert not result["answers"].is_worse


def test_pictures_that_only_the_canary_refuses_are_worse():
    """A problem is an answer too: a new decoder may lack a format."""
    result = figures(MIX * 20, (MIX + [REFUSED] * 6) * 2)["answers"]
    assert (result.is_worse, result.answer, result.live) == (True, "unreadable-image", 0)


def test_the_live_version_s_errors_do_not_turn_the_canary_back():
    result = figures([ERROR] * 100, MIX * 5)
    assert (result["errors"].live, result["errors"].canary) == (1, 0)
    assert not any(figure.is_worse for figure in result.values())


def test_errors_that_both_have_turn_nothing_back():
    assert compare([ERROR, HAT] * 100, [ERROR, HAT] * 20, ALPHA).verdict == "healthy"


@pytest.mark.parametrize("moved", [0.05, 0.15])
def test_only_a_difference_in_a_tenth_of_the_answers_matters(moved):
    """A retrained model answers some photos differently, which enough requests always show."""
    live = [HAT] * 10_000 + [CAP] * 10_000
    canary = [HAT] * round(10_000 * (1 - 2 * moved)) + [CAP] * round(10_000 * (1 + 2 * moved))
    result = figures(live, canary)["answers"]
    assert result.p_value < ALPHA / 3
    assert result.distance == pytest.approx(moved)
    assert result.is_worse == (moved >= TOLERANCE)


def test_a_new_label_may_take_a_tenth_of_the_answers():
    new = request(("scarf", True))
    assert compare(MIX * 50, MIX * 10 + [new] * 15, ALPHA).verdict == "healthy"
    assert figures(MIX * 50, MIX * 10 + [new] * 60)["answers"].answer == "scarf"
    assert compare(MIX * 50, MIX * 10 + [new] * 60, ALPHA).verdict == "worse"


def test_a_model_that_is_meant_to_answer_differently_is_judged_by_its_errors_alone():
    renamed = [request(("trousers", True))] * 50
    assert compare(MIX * 20, renamed, ALPHA).verdict == "worse"
    assert compare(MIX * 20, renamed, ALPHA, ignore_answers=True).verdict == "healthy"
    assert compare(MIX * 20, [ERROR] * 50, ALPHA, ignore_answers=True).verdict == "worse"


@pytest.mark.parametrize(("live", "canary"), [(0, 0), (50, 0), (0, 50), (50, 1), (6, 6), (1, 20)])
def test_with_too_few_requests_it_says_so(live, canary):
    """With six of twelve, even six errors of one version are chance twice in 924 times."""
    comparison = compare([HAT] * live, [ERROR] * canary, ALPHA)
    assert (comparison.verdict, comparison.figures) == ("too-few", ())
    assert (comparison.live_requests, comparison.canary_requests) == (live, canary)


@pytest.mark.parametrize("requests", [7, 20, 100, 1_000, 100_000])
def test_with_enough_requests_errors_alone_are_noticed(requests):
    assert compare([HAT] * requests, [ERROR] * requests, ALPHA).verdict == "worse"


@pytest.mark.parametrize(("live", "canary"), [((30, 10), (5, 5)), ((40, 10), (20, 20)), ((35, 5), (2, 4))])
def test_the_p_value_is_the_probability_of_all_choices_that_differ_as_much(live, canary):
    """Which the hypergeometric distribution gives for two outcomes."""
    result = figures([HAT] * live[0] + [UNSURE] * live[1], [HAT] * canary[0] + [UNSURE] * canary[1])
    total, hats, drawn = sum(live) + sum(canary), live[0] + canary[0], sum(canary)
    choices = np.arange(drawn + 1)
    distances = abs(choices - drawn * hats / total)
    is_as_large = distances >= distances[canary[0]] - 1e-9
    exact = hypergeom(total, hats, drawn).pmf(choices)[is_as_large].sum()
    assert result["accepted"].p_value == pytest.approx(exact, rel=0.3)


def test_the_p_value_of_a_large_table_is_that_of_the_chi_square_test():
    live = [HAT] * 400 + [CAP] * 300 + [PANTS] * 300
    canary = [HAT] * 80 + [CAP] * 45 + [PANTS] * 75
    expected = chi2_contingency([[400, 300, 300], [80, 45, 75]]).pvalue
    assert figures(live, canary)["answers"].p_value == pytest.approx(expected, rel=0.5)


def test_photos_of_one_request_count_as_one():
    """Sixteen photos of one hat, sent together, are not sixteen independent answers."""
    album, single = request(*[("hat", True)] * 16), [HAT, CAP, PANTS, CAP]
    live = single * 10
    result = figures(live, [album, *single])["answers"]
    assert result.p_value == pytest.approx(figures(live, [HAT, *single])["answers"].p_value, rel=0.1)
    assert not result.is_worse


def test_the_same_requests_always_give_the_same_figures():
    assert compare(MIX * 9, MIX + [PANTS] * 4, ALPHA) == compare(MIX * 9, MIX + [PANTS] * 4, ALPHA)


def test_a_canary_turned_back_is_an_error_with_the_figures():
    error = compare(MIX * 5, [PANTS] * 10, ALPHA).to_error("clothes")
    assert error.code == "canary-turned-back"
    assert all(text in error.message for text in ('"pants"', "6%", "100%", "90", "10"))
    assert "--canary-ignore-answers" in error.hint
    error = compare(MIX * 5, [ERROR] * 10, ALPHA).to_error("clothes")
    assert "--canary-ignore-answers" not in error.hint


def test_a_comparison_can_be_written_as_json():
    comparison = compare(MIX * 5, [PANTS] * 10, ALPHA)
    assert json.loads(json.dumps(asdict(comparison)))["verdict"] == "worse"
    assert all(math.isfinite(figure.p_value) for figure in comparison.figures)
