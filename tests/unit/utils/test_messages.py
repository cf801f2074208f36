import pytest

from shutterless.utils.messages import closest, did_you_mean, plural, quoted, shortened

NETWORKS = ["MobileNet", "mobilenetv2", "resnet50", "resnet101", "vgg16"]


def test_the_likeliest_name_comes_first_whatever_its_case():
    assert closest("MOBILENETV", NETWORKS)[:2] == ["mobilenetv2", "MobileNet"]
    assert closest("resnet", ["resnet1", "resnet3", "resnet2", "resnet4"]) == [
        "resnet1",
        "resnet3",
        "resnet2",
    ]


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("vgg15", "Did you mean vgg16? "),
        ("resnet10", "Did you mean resnet101 or resnet50? "),
        ("quite another", ""),
    ],
)
def test_a_misspelt_name_gets_a_suggestion(name, suggestion):
    assert did_you_mean(name, NETWORKS) == suggestion


def test_a_long_list_is_counted_and_three_of_it_shown():
    assert shortened([str(number) for number in range(71)]) == "0, 1, 2 and 68 more"
    assert shortened(("hat", "shoe", "skirt")) == "hat, shoe, skirt"
    assert shortened([]) == ""


def test_a_number_agrees_with_its_noun():
    assert [plural(count, "photo") for count in (0, 1, 1200)] == ["0 photos", "1 photo", "1,200 photos"]
    assert plural(2, "photo has", "photos have") == "2 photos have"


def test_quoted_names_are_sorted_and_cut_short():
    assert quoted({"hat"}) == "'hat'"
    assert quoted("dbeac") == "'a', 'b', 'c' and 2 more"
