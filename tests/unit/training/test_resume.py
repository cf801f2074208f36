from dataclasses import replace

import pytest

from shutterless.dataset import Photo
from shutterless.errors import OutputError
from shutterless.training.resume import describe_changes, find_earlier, is_finished, require_unused


def photo(path, split="train", sha256="0" * 64):
    return Photo(path, "hat", split, sha256=sha256)


def test_each_kind_of_change_is_counted_with_three_paths():
    before = [photo("a"), photo("b"), photo("c"), photo("d", sha256="")]
    after = [photo("b"), photo("c", sha256="1" * 64), photo("d"), *(photo(f"new{n}") for n in range(5))]
    assert describe_changes(before, after) == (
        "5 added (new0, new1, new2 and 2 more), 1 removed (a), 1 changed (c)"
    )


def test_a_photo_that_only_moved_to_another_split_or_label_has_not_changed():
    before = [photo("a"), photo("b")]
    after = [photo("a", "test"), replace(photo("b"), label="shoe")]
    assert describe_changes(before, after) == "1 with another label (b), 1 in another split (a)"


def test_what_a_killed_training_left_before_it_had_begun_is_nothing_to_resume(tmp_path):
    for name in (".lock", "split.csv"):
        (tmp_path / name).touch()
    (tmp_path / ".recipe.toml.0123abcd.part").mkdir()
    assert find_earlier(tmp_path) is None


def test_a_folder_with_anything_in_it_is_used(tmp_path):
    (tmp_path / ".lock").touch()
    require_unused(tmp_path)
    (tmp_path / "letter.txt").touch()
    with pytest.raises(OutputError) as caught:
        require_unused(tmp_path)
    assert caught.value.code == "not-empty"


def test_a_run_is_finished_when_it_has_figures_and_no_checkpoint_is_left(tmp_path):
    assert not is_finished(tmp_path)
    (tmp_path / "metrics.json").touch()
    assert is_finished(tmp_path)
    (tmp_path / "checkpoint.npz").touch()
    assert not is_finished(tmp_path)
