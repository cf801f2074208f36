import numpy as np
import pytest

from shutterless.dataset.groups.duplicates import Duplicates
from shutterless.dataset.inspect.findings import Finding, find_problems
from shutterless.dataset.photo_stats import PhotoStats
from shutterless.dataset.types import Dataset, Photo, Unreadable


def seen(*, width: int = 400, height: int = 400, contrast: float = 50.0) -> PhotoStats:
    return PhotoStats(
        1, "JPEG", width, height, np.zeros(4, np.uint64), contrast, np.zeros((64, 64), np.uint8)
    )


def photos(label: str, split: str = "train", count: int = 20) -> list[Photo]:
    return [Photo(f"{split}/{label}/{number}.jpg", label, split) for number in range(count)]


def faults(
    members, *, stats=None, duplicates=(), unreadable=(), warnings=(), labels=None
) -> dict[str, Finding]:
    labels = labels or tuple(sorted({photo.label for photo in members}))
    dataset = Dataset(None, labels, tuple(members), unreadable, ())
    stats = {photo: (stats or {}).get(photo, seen()) for photo in members}
    found = find_problems(dataset, stats, duplicates, warnings)
    assert all(finding.title and finding.advice for finding in found)
    return {finding.kind: finding for finding in found}


GOOD = [*photos("hat"), *photos("cap"), *photos("hat", "validation", 5), *photos("cap", "validation", 5)]


def test_a_good_data_set_has_no_findings():
    assert faults(GOOD) == {}


def test_duplicates_in_two_splits_are_leakage():
    group = Duplicates((GOOD[0], GOOD[40]), exact=True, distance=0)
    found = faults(GOOD, duplicates=[group])
    assert list(found) == ["leakage", "exact-duplicates"]
    assert found["leakage"].level == "high"
    assert found["leakage"].files == (("train/hat/0.jpg", "validation/hat/0.jpg"),)


def test_duplicates_under_two_labels_are_a_conflict():
    group = Duplicates((GOOD[0], GOOD[20]), exact=False, distance=7)
    found = faults(GOOD, duplicates=[group])
    assert [(finding.kind, finding.level) for finding in found.values()] == [
        ("label-conflict", "high"),
        ("near-duplicates", "low"),
    ]


def test_files_that_cannot_be_read_and_warnings_are_findings():
    found = faults(GOOD, unreadable=(Unreadable("train/hat/x.jpg", "empty"),), warnings=["no photo of 'cap'"])
    assert found["unreadable"].files == (("train/hat/x.jpg",),)
    assert found["layout"].title == "no photo of 'cap'"


@pytest.mark.parametrize(("count", "levels"), [(20, []), (19, ["medium"]), (0, ["high"])])
def test_few_photos_to_train_on_are_a_finding_and_none_are_a_grave_one(count, levels):
    found = faults([*photos("hat"), *photos("cap", count=count)], labels=("cap", "hat"))
    assert [finding.level for kind, finding in found.items() if kind == "few-photos"] == levels


@pytest.mark.parametrize(("count", "unbalanced"), [(79, False), (80, True)])
def test_four_times_as_many_photos_are_an_imbalance(count, unbalanced):
    found = faults([*photos("hat"), *photos("cap", count=count)])
    assert ("imbalance" in found) is unbalanced


def test_a_single_label_is_nothing_to_tell_apart():
    assert faults(photos("hat"))["one-label"].level == "high"


@pytest.mark.parametrize(
    ("look", "kind"),
    [
        (seen(contrast=2.9), "blank"),
        (seen(width=111, height=200), "small"),
        (seen(width=801), "odd-aspect"),
        (seen(height=801), "odd-aspect"),
        (seen(width=112, height=224, contrast=3.0), None),
    ],
)
def test_odd_photos_are_named(look, kind):
    found = faults(GOOD, stats={GOOD[3]: look})
    assert {kind: finding.files for kind, finding in found.items()} == (
        {kind: (("train/hat/3.jpg",),)} if kind else {}
    )


def test_copies_beyond_the_first_are_to_be_removed_and_those_not_for_training_stay():
    same = (GOOD[0], GOOD[1], GOOD[40])
    found = faults(GOOD, duplicates=[Duplicates(same, exact=True, distance=0)])
    kinds = ("leakage", "exact-duplicates")
    assert [[each.path for each in found[kind].suggestions] for kind in kinds] == [
        [GOOD[0].path, GOOD[1].path]
    ] * 2
    assert {each.action for kind in kinds for each in found[kind].suggestions} == {"remove"}


def test_of_one_photo_under_two_labels_each_may_be_removed_and_no_label_is_preferred():
    found = faults(GOOD, duplicates=[Duplicates((GOOD[0], GOOD[20]), exact=False, distance=7)])
    assert len(found["label-conflict"].suggestions) == 2
    assert found["near-duplicates"].suggestions == ()


def test_a_finding_as_json_has_all_there_is():
    finding = Finding("small", "low", "title", "advice", (("a", "b"),))
    assert finding.to_json() == {
        "kind": "small",
        "level": "low",
        "title": "title",
        "advice": "advice",
        "files": [["a", "b"]],
        "suggestions": [],
    }
