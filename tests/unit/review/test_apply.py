"""Answers become photos of a data set, and can be taken back."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from shutterless.curation.fixes.additions import Addition, add_photos
from shutterless.curation.fixes.fix import undo_fixes
from shutterless.curation.fixes.problems import FixRefusedError
from shutterless.errors import InputError, OutputError
from shutterless.review.labels_file import Answer, Choice, write_labels
from shutterless.review.review import apply_review, open_review
from tests.unit.review.conftest import jpeg


def tree(root: Path) -> dict[str, str]:
    """Return path → hash of every visible file."""
    files = [file for file in root.rglob("*") if file.is_file() and ".shutterless" not in file.parts]
    return {str(file.relative_to(root)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


@pytest.fixture
def labelled(live: Path) -> Path:
    """Return records of which four photos have an answer."""
    review = open_review(live)
    choices = {"id-0": "hat", "id-1": "rain coat", "id-2": None, "id-3": "skip"}
    for name, label in choices.items():
        if label == "skip":
            review.answer(name, Choice.SKIP)
        elif label is None:
            review.answer(name, Choice.NONE)
        else:
            review.answer(name, Choice.LABEL, label)
    return live


def test_answers_are_added_below_their_labels(labelled: Path, photos: Path) -> None:
    before, records = tree(photos), tree(labelled)
    fix = apply_review(labelled, photos)
    new = {path: value for path, value in tree(photos).items() if path not in before}
    assert {path.split("/")[0] for path in new} == {"hat", "rain coat", "_other"}
    assert set(new.values()) == {hashlib.sha256(jpeg(number)).hexdigest() for number in (0, 1, 2)}
    assert [step.action for step in fix.steps] == ["add"] * 3
    assert tree(labelled) == records


def test_a_second_time_adds_nothing(labelled: Path, photos: Path) -> None:
    apply_review(labelled, photos)
    before = tree(photos)
    fix = apply_review(labelled, photos)
    assert (fix.steps, fix.already_applied) == ((), 3)
    assert tree(photos) == before


def test_undo_takes_the_photos_and_the_new_folders_out(labelled: Path, photos: Path) -> None:
    before = tree(photos)
    apply_review(labelled, photos)
    undo_fixes(photos)
    assert tree(photos) == before
    assert not (photos / "rain coat").exists()
    apply_review(labelled, photos)
    assert len(tree(photos)) == len(before) + 3


def test_another_answer_moves_the_photo(labelled: Path, photos: Path) -> None:
    apply_review(labelled, photos)
    count = len(tree(photos))
    open_review(labelled).answer("id-0", Choice.LABEL, "shirt")
    [step] = apply_review(labelled, photos).steps
    assert step.new_path.startswith("shirt/")
    assert len(tree(photos)) == count
    undo_fixes(photos)
    assert (photos / step.path).is_file()


def test_a_dry_run_changes_nothing(labelled: Path, photos: Path) -> None:
    before = tree(photos)
    assert len(apply_review(labelled, photos, dry_run=True).steps) == 3
    assert tree(photos) == before
    assert not (photos / ".shutterless").exists()


def test_a_photo_that_the_data_set_has_is_not_added_again(labelled: Path, photos: Path) -> None:
    (photos / "shirt" / "same.jpg").write_bytes(jpeg(0))
    assert len(apply_review(labelled, photos).steps) == 2


def test_where_folders_divide_the_photos_a_tenth_is_for_validation(tmp_path: Path) -> None:
    root = tmp_path / "photos"
    for number, split in enumerate(("test", "train", "validation")):
        for label in ("a", "b"):
            (root / split / label).mkdir(parents=True)
            (root / split / label / "photo.jpg").write_bytes(jpeg(200 + 2 * number + (label == "a")))
    additions = []
    for number in range(40):
        file = tmp_path / f"{number}.jpg"
        file.write_bytes(jpeg(number, (20 + number, 16)))
        additions.append(Addition(file, "a"))
    splits = [step.new_path.split("/")[0] for step in add_photos(root, additions).steps]
    tenth = [int(hashlib.sha256(each.file.read_bytes()).hexdigest()[:8], 16) % 10 == 0 for each in additions]
    assert splits == ["validation" if each else "train" for each in tenth]
    assert any(tenth)


def test_an_interruption_is_finished_by_the_next_call(
    labelled: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link, calls = os.link, []

    def fail_at_the_second(*args: object, **options: object) -> None:
        calls.append(args)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        link(*args, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", fail_at_the_second)
        with pytest.raises(OutputError) as caught:
            apply_review(labelled, photos)
    assert caught.value.code == "fix-interrupted"
    fix = apply_review(labelled, photos)
    assert fix.resumed == 1
    assert len([path for path in tree(photos) if "mine" not in path]) == 3


def test_photos_that_are_gone_refuse_the_whole(labelled: Path, photos: Path) -> None:
    review = open_review(labelled)
    file = review.items["id-1"].file
    assert file
    file.unlink()
    before = tree(photos)
    with pytest.raises(FixRefusedError) as caught:
        apply_review(labelled, photos)
    assert [problem.code for problem in caught.value.problems] == ["unreadable-photo"]
    assert tree(photos) == before


def test_no_answer_is_an_error(live: Path, photos: Path) -> None:
    with pytest.raises(InputError) as caught:
        apply_review(live, photos)
    assert caught.value.code == "no-answers"


def test_paths_that_lead_out_are_left_out(live: Path, photos: Path) -> None:
    (live.parent / "secret.jpg").write_bytes(jpeg(9))
    answers = {"x": Answer(Choice.LABEL, "hat", "../secret.jpg")}
    write_labels(live / "labels.csv", answers)
    warnings: list[str] = []
    assert apply_review(live, photos, on_warning=warnings.append).steps == ()
    assert len(warnings) == 1


@pytest.fixture
def reviewed(photos: Path) -> Callable[[Answer], str]:
    """Return a function that notes an answer about the first hat of the data set."""
    file = photos / "hat" / "mine-0.jpg"
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()

    def note(answer: Answer) -> str:
        write_labels(photos / ".shutterless" / "labels.csv", {sha256: answer})
        return sha256

    (photos / ".shutterless").mkdir()
    return note


def test_photos_of_a_data_set_are_moved(photos: Path, reviewed: Callable[[Answer], str]) -> None:
    reviewed(Answer(Choice.LABEL, "beret", "hat/mine-0.jpg", "hat"))
    [step] = apply_review(photos, photos).steps
    assert (step.action, step.new_path) == ("move", "beret/mine-0.jpg")
    assert apply_review(photos, photos).already_applied == 1
    undo_fixes(photos)
    assert (photos / "hat" / "mine-0.jpg").is_file()
    assert not (photos / "beret").exists()


def test_a_confirmed_label_moves_nothing(photos: Path, reviewed: Callable[[Answer], str]) -> None:
    reviewed(Answer(Choice.LABEL, "hat", "hat/mine-0.jpg", "hat"))
    assert apply_review(photos, photos).steps == ()


def test_answers_about_one_data_set_are_not_applied_to_another(
    photos: Path, reviewed: Callable[[Answer], str], tmp_path: Path
) -> None:
    reviewed(Answer(Choice.NONE, "", "hat/mine-0.jpg", "hat"))
    (tmp_path / "others").mkdir()
    with pytest.raises(InputError) as caught:
        apply_review(photos, tmp_path / "others")
    assert caught.value.code == "conflicting-options"
