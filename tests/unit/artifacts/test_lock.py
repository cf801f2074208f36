import subprocess
import sys

import pytest

from shutterless.artifacts.lock import LOCK, locked
from shutterless.errors import OutputError, RunError

HOLD = """
import sys, time
from pathlib import Path
from shutterless.artifacts.lock import locked
with locked(Path(sys.argv[1])):
    print("locked", flush=True)
    time.sleep(600)
"""


def test_a_second_training_is_kept_out_until_the_first_one_ends(tmp_path):
    run = tmp_path / "run"
    with locked(run):
        with pytest.raises(RunError) as caught, locked(run):
            pass
        assert caught.value.code == "training-in-progress"
        (run / "model.keras").touch()
    with locked(run):
        assert (run / LOCK).exists()
    assert [path.name for path in run.iterdir()] == ["model.keras"]


def test_the_lock_of_a_killed_process_locks_nothing(tmp_path):
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "locked\n"
        with pytest.raises(RunError) as caught, locked(tmp_path):
            pass
        assert caught.value.code == "training-in-progress"
        assert str(holder.pid) in caught.value.message
        holder.kill()
        holder.wait()
    assert (tmp_path / LOCK).exists()
    with locked(tmp_path):
        pass
    assert not (tmp_path / LOCK).exists()


def test_folders_that_stay_empty_are_removed_and_those_that_were_there_are_kept(tmp_path):
    with pytest.raises(KeyError), locked(tmp_path / "deep" / "run"):
        raise KeyError
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "run").mkdir()
    with locked(tmp_path / "run"):
        pass
    assert (tmp_path / "run").is_dir()


def test_a_run_that_cannot_be_a_folder_is_refused_in_words(tmp_path):
    (tmp_path / "run").touch()
    with pytest.raises(OutputError) as caught, locked(tmp_path / "run"):
        pass
    assert caught.value.code == "cannot-write"
