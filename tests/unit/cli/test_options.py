import pytest
import typer

from shutterless.cli.options import parse_tags, share


@pytest.mark.parametrize("text", ["10%", "10", "0.1", ".1", "10.0 %", " 10% ", 0.1])
def test_a_percentage_is_read_with_its_sign_without_it_and_as_a_share(text):
    assert share(text) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("text", "meant"), [("0", 0), ("0%", 0), ("100%", 1), ("100", 1), ("1%", 0.01), ("0.5%", 0.005)]
)
def test_the_ends_of_the_range_and_percentages_below_one_are_read(text, meant):
    assert share(text) == pytest.approx(meant)


@pytest.mark.parametrize(
    "text", ["1", "1.0", 1.0, "101", "101%", "-1", "-1%", "ten", "", "%", "nan", "1e3", "5%%", "٣%٣"]
)
def test_what_could_mean_two_things_or_is_no_percentage_is_refused(text):
    with pytest.raises(typer.BadParameter):
        share(text)


def test_tags_are_pairs_and_an_empty_one_stands_for_none():
    assert parse_tags(["team=vision", "cost=a=b", "empty="]) == {"team": "vision", "cost": "a=b", "empty": ""}
    assert parse_tags([""]) == {}
    assert parse_tags([]) is None
    assert parse_tags(None) is None


@pytest.mark.parametrize("values", [["team"], ["a=1", "a=2"]])
def test_what_is_no_pair_or_comes_twice_is_no_tag(values):
    with pytest.raises(typer.BadParameter):
        parse_tags(values)
