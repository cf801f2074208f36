"""Outputs written whole or not at all, also when the process is killed in the middle."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from shutterless import files
from shutterless.errors import OutputError
from shutterless.files import (
    BUNDLE,
    CONTEXT,
    INSPECTION,
    INSPECTION_MARK,
    REPORT,
    REPORT_MARK,
    RUN,
    atomic_directory,
    atomic_file,
    ensure_empty,
    ensure_outside,
    ensure_replaceable,
    recognise_output,
)

KILL = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"


def kill_while(code: str, folder: Path) -> None:
    """Run code that kills its own process, in `folder`."""
    script = "from pathlib import Path\nfrom shutterless import files\n" + code
    done = subprocess.run([sys.executable, "-c", script], cwd=folder, check=False)
    assert done.returncode == -signal.SIGKILL


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def fill(folder: Path, **contents: bytes | str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        data = content.encode() if isinstance(content, str) else content
        (folder / name.replace("__", ".")).write_bytes(data)
    return folder


@pytest.fixture(params=["exchanged", "renamed twice"])
def system(request, monkeypatch):
    """Let folders change places in one step, and also as where the system cannot."""
    if request.param == "renamed twice":
        monkeypatch.setattr(files, "_exchange", lambda one, other: False)


def test_a_file_is_there_once_the_block_has_ended(tmp_path):
    with atomic_file(tmp_path / "a" / "out.csv") as draft:
        draft.write_text("new")
        assert not (tmp_path / "a" / "out.csv").exists()
        assert draft.suffix == ".csv"
    assert (tmp_path / "a" / "out.csv").read_text() == "new"
    assert names(tmp_path / "a") == ["out.csv"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_an_older_file_and_an_older_folder_survive_a_failure(tmp_path, error):
    (tmp_path / "out.csv").write_text("older")
    fill(tmp_path / "out", mine="older")
    expected = OutputError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected), atomic_file(tmp_path / "out.csv") as draft:
        draft.write_text("half")
        raise error
    with pytest.raises(expected), atomic_directory(tmp_path / "out", "it") as folder:
        (folder / "half").touch()
        raise error
    assert (tmp_path / "out.csv").read_text() == (tmp_path / "out" / "mine").read_text() == "older"
    assert names(tmp_path) == ["out", "out.csv"]


@pytest.mark.usefixtures("system")
@pytest.mark.parametrize("before", ["nothing", "an empty folder", "an older output"])
def test_a_folder_takes_the_place_of_what_was_there(tmp_path, before):
    target = tmp_path / "out"
    if before != "nothing":
        target.mkdir()
    if before == "an older output":
        fill(target, old="old")
    with atomic_directory(target, "it") as folder:
        (folder / "new").touch()
    assert names(target) == ["new"]
    assert names(tmp_path) == ["out"]


def test_two_folders_change_places_in_one_step_on_linux(tmp_path):
    fill(tmp_path / "one", first="")
    fill(tmp_path / "other", second="")
    assert files._exchange(tmp_path / "one", tmp_path / "other") is (sys.platform == "linux")
    if sys.platform == "linux":
        assert (names(tmp_path / "one"), names(tmp_path / "other")) == (["second"], ["first"])


def test_a_link_to_a_folder_stays_a_link(tmp_path):
    fill(tmp_path / "out", old="")
    (tmp_path / "current").symlink_to(tmp_path / "out")
    with atomic_directory(tmp_path / "current", "it") as folder:
        (folder / "new").touch()
    assert (tmp_path / "current").is_symlink()
    assert names(tmp_path / "out") == ["new"]


def test_the_working_folder_is_filled_and_stays_the_same_folder(tmp_path, monkeypatch):
    fill(tmp_path / "here", old="", both="old")
    (tmp_path / "here" / "folder").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with atomic_directory(Path(), "it") as folder:
        fill(folder, both="new")
        fill(folder / "folder", inner="")
    assert names(Path()) == ["both", "folder"]
    assert Path("both").read_text() == "new"
    assert names(Path("folder")) == ["inner"]


def test_a_killed_process_leaves_the_older_output_and_the_next_run_removes_its_draft(tmp_path):
    fill(tmp_path / "out", old="")
    kill_while(f"with files.atomic_directory(Path('out'), 'it') as folder: {KILL}", tmp_path)
    kill_while(f"with files.atomic_file(Path('out.csv')) as draft: draft.touch(); {KILL}", tmp_path)
    assert names(tmp_path / "out") == ["old"]
    assert len(names(tmp_path)) == 3
    with atomic_directory(tmp_path / "out", "it"):
        pass
    with atomic_file(tmp_path / "out.csv") as draft:
        draft.touch()
    assert names(tmp_path) == ["out", "out.csv"]


def test_what_was_killed_between_two_renames_is_put_back_by_the_next_run(tmp_path):
    fill(tmp_path / "out", old="")
    kill = f"""
files._exchange = lambda one, other: False
rename = Path.rename
def rename_and_die(path, target):
    rename(path, target)
    {KILL}
Path.rename = rename_and_die
with files.atomic_directory(Path("out"), "it") as folder: (folder / "new").touch()
"""
    kill_while(kill, tmp_path)
    assert not (tmp_path / "out").exists()
    with pytest.raises(KeyboardInterrupt), atomic_directory(tmp_path / "out", "it"):
        raise KeyboardInterrupt
    assert names(tmp_path / "out") == ["old"]
    assert names(tmp_path) == ["out"]


def test_an_output_that_cannot_be_replaced_comes_back(tmp_path, monkeypatch):
    fill(tmp_path / "out", old="")
    rename = Path.rename

    def refuse_the_new(path: Path, target: Path) -> Path:
        if path.name == files.NEW:
            raise PermissionError(13, "Permission denied")
        return rename(path, target)

    monkeypatch.setattr(files, "_exchange", lambda one, other: False)
    monkeypatch.setattr(Path, "rename", refuse_the_new)
    with pytest.raises(OutputError) as caught, atomic_directory(tmp_path / "out", "it"):
        pass
    assert caught.value.code == "cannot-write"
    assert names(tmp_path / "out") == ["old"]


def test_the_draft_of_a_living_process_is_left_alone(tmp_path):
    with atomic_file(tmp_path / "out") as first:
        with atomic_file(tmp_path / "out") as second:
            second.write_text("second")
        first.write_text("first")
    assert (tmp_path / "out").read_text() == "first"
    assert names(tmp_path) == ["out"]


def test_only_drafts_of_the_same_output_are_removed(tmp_path):
    others = [".out.notes.0123abcd.part", ".out.part", "out.0123abcd.part"]
    for name in others:
        (tmp_path / name).mkdir()
    with atomic_directory(tmp_path / "out", "it"):
        pass
    assert names(tmp_path) == sorted([*others, "out"])


OURS = {
    RUN: {"recipe__toml": "", "split__csv": ""},
    BUNDLE: {"bundle__json": '{"format_version": 1}', "model__tflite": ""},
    REPORT: {"report__html": b"<head>" + REPORT_MARK},
    INSPECTION: {"index__html": b"<head>" + INSPECTION_MARK},
    CONTEXT: {"Dockerfile": "", "dependencies__tar": "", "runtime__tar": "", "bundle__tar": ""},
}


@pytest.mark.parametrize("output", OURS, ids=lambda output: output.name)
def test_an_output_of_ours_is_recognised_and_may_be_replaced_unless_something_else_is_there(tmp_path, output):
    folder = fill(tmp_path / "out", **OURS[output])
    assert recognise_output(folder) is output
    ensure_replaceable(folder, output)
    (folder / "mine.txt").touch()
    assert recognise_output(folder) is output
    with pytest.raises(OutputError) as caught:
        ensure_replaceable(folder, output)
    assert caught.value.code == "not-ours"


@pytest.mark.parametrize(
    ("output", "contents"),
    [
        (BUNDLE, {"bundle__json": '{"my": "own"}', "model__tflite": ""}),
        (BUNDLE, {"model__tflite": ""}),
        (REPORT, {"report__html": "my own page"}),
        (INSPECTION, {"index__html": "my own page"}),
        (CONTEXT, {"Dockerfile": ""}),
    ],
)
def test_a_users_own_files_of_the_same_names_are_not_ours(tmp_path, output, contents):
    folder = fill(tmp_path / "out", **contents)
    assert recognise_output(folder) is None
    with pytest.raises(OutputError) as caught:
        ensure_replaceable(folder, output)
    assert caught.value.code == "not-ours"


def test_a_new_and_an_empty_folder_may_be_filled_and_a_file_may_not(tmp_path):
    (tmp_path / "empty" / ".out.0123abcd.part").mkdir(parents=True)
    (tmp_path / "file").touch()
    for folder in (tmp_path / "new", tmp_path / "empty"):
        ensure_empty(folder)
        ensure_replaceable(folder, BUNDLE)
    for folder in (tmp_path / "file", tmp_path):
        with pytest.raises(OutputError) as caught:
            ensure_empty(folder)
        assert caught.value.code == "not-empty"
    with pytest.raises(OutputError) as caught:
        ensure_replaceable(tmp_path / "file", BUNDLE)
    assert caught.value.code == "not-ours"


@pytest.mark.parametrize("inside", ["photos", "photos/run", "photos/a/b", "link/run", "photos/../photos/run"])
def test_an_output_among_the_photos_is_refused(tmp_path, inside):
    (tmp_path / "photos").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "photos")
    with pytest.raises(OutputError) as caught:
        ensure_outside(tmp_path / inside, tmp_path / "photos")
    assert caught.value.code == "output-inside-photos"
    ensure_outside(tmp_path / "photos-run", tmp_path / "photos")
    ensure_outside(tmp_path, tmp_path / "photos")
