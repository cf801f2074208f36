"""Answers of reviewers, in memory and on the disk."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from shutterless.errors import DatasetError, InputError, OutputError
from shutterless.review.labels_file import Answer, Choice, read_labels
from shutterless.review.review import open_review
from shutterless.review.session import check_label


def test_every_answer_is_on_the_disk_at_once_and_read_again(live: Path) -> None:
    review = open_review(live, count=20)
    first, second, third = list(review.items)[:3]
    review.answer(first, Choice.LABEL, "shirt", "Ada")
    review.answer(second, Choice.NONE)
    review.answer(third, Choice.SKIP)
    answers = read_labels(live / "labels.csv")
    assert (answers[first].label, answers[first].reviewer) == ("shirt", "Ada")
    assert answers[first].before == review.items[first].label
    assert (live / answers[first].photo).is_file()
    assert [answers[name].choice for name in (second, third)] == [Choice.NONE, Choice.SKIP]
    again = open_review(live, count=20)
    assert again.answers == answers
    assert again.remaining == 17


def test_an_answer_replaces_the_earlier_one_and_can_be_taken_back(live: Path) -> None:
    review = open_review(live)
    name = next(iter(review.items))
    review.answer(name, Choice.LABEL, "hat")
    review.answer(name, Choice.LABEL, "shoes")
    assert read_labels(live / "labels.csv")[name].label == "shoes"
    review.answer(name, None)
    assert read_labels(live / "labels.csv") == {}


def test_a_new_label_joins_the_others(live: Path) -> None:
    review = open_review(live)
    review.answer(next(iter(review.items)), Choice.LABEL, "  rain   coat ")
    assert review.labels == ("hat", "shirt", "shoes", "rain coat")


@pytest.mark.parametrize(
    "text",
    ["", " ", "a/b", "..", ".hidden", "_other", "_x", "a\\b", "a:b", "<script>", "x" * 101, "a\x1bb", "a."],
)
def test_what_is_no_name_of_a_folder_is_no_label(live: Path, text: str) -> None:
    review = open_review(live)
    with pytest.raises(InputError) as caught:
        review.answer(next(iter(review.items)), Choice.LABEL, text)
    assert caught.value.code == "invalid-label"
    assert not (live / "labels.csv").exists()


def test_labels_in_other_scripts_are_labels() -> None:
    assert check_label("Röcke und 帽子") == "Röcke und 帽子"


def test_a_photo_that_is_not_in_the_review_has_no_answer(live: Path) -> None:
    with pytest.raises(InputError) as caught:
        open_review(live).answer("../x", Choice.SKIP)
    assert caught.value.code == "unknown-photo"


def test_formulas_in_labels_stay_text_in_spreadsheets(make_live: Callable[..., Path]) -> None:
    live = make_live(4, label=["=1+1", "hat", "hat", "hat"])
    review = open_review(live)
    for name in review.items:
        review.answer(name, Choice.LABEL, "=cmd")
    text = (live / "labels.csv").read_text("utf-8")
    assert ",'=cmd," in text
    assert ",'=1+1," in text
    assert {answer.label for answer in read_labels(live / "labels.csv").values()} == {"=cmd"}


def test_answers_at_the_same_time_are_all_kept(live: Path) -> None:
    review = open_review(live)
    threads = [threading.Thread(target=review.answer, args=(name, Choice.SKIP)) for name in review.items]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read_labels(live / "labels.csv")) == 20


def test_an_answer_that_cannot_be_written_does_not_count(live: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    review = open_review(live)
    name = next(iter(review.items))
    (live / "labels.csv").mkdir()
    with pytest.raises(OutputError):
        review.answer(name, Choice.SKIP)
    assert review.remaining == 20


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("id,label\nx,hat\n", "missing-column"),
        ("id,answer,label\nx,perhaps,hat\n", "unreadable-labels"),
        ("id,answer,label\nx,label,\n", "unreadable-labels"),
        ('id,answer,label\n"x', "unreadable-labels"),
    ],
)
def test_a_damaged_file_of_answers_is_not_overwritten(live: Path, text: str, code: str) -> None:
    (live / "labels.csv").write_text(text, "utf-8")
    with pytest.raises(DatasetError) as caught:
        open_review(live)
    assert caught.value.code == code
    assert (live / "labels.csv").read_text("utf-8") == text


def test_a_spreadsheet_may_have_saved_the_answers(live: Path) -> None:
    (live / "labels.csv").write_bytes("id;answer;label\r\nid-3;Label;Röcke\r\n".encode("cp1252"))
    assert read_labels(live / "labels.csv") == {"id-3": Answer(Choice.LABEL, "Röcke")}


def test_the_accuracy_counts_the_random_photos_alone(live: Path) -> None:
    review = open_review(live, count=20)
    assert review.accuracy is None
    first, second = review.queue.sample
    for name in review.items:
        if name not in (first, second):
            review.answer(name, Choice.NONE)
    assert review.accuracy is None
    review.answer(second, Choice.NONE)
    assert review.accuracy is None  # the first of the random order has no answer yet
    review.answer(first, Choice.LABEL, review.items[first].label)
    accuracy = review.accuracy
    assert accuracy is not None
    assert (accuracy.photos, accuracy.right, accuracy.skipped) == (2, 1, 0)
    assert accuracy.interval == pytest.approx((0.0945, 0.9055), abs=1e-3)
    accepted = [review.items[name].is_accepted for name in (first, second)]
    assert (accuracy.accepted, accuracy.accepted_right) == (sum(map(bool, accepted)), int(bool(accepted[0])))
    review.answer(second, Choice.SKIP)
    accuracy = review.accuracy
    assert accuracy is not None
    assert (accuracy.photos, accuracy.right, accuracy.skipped) == (1, 1, 1)
