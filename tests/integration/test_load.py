"""The benchmark of many clients at once, for a moment: no answer is wrong, and none fails but by 503."""

import subprocess
import sys
from pathlib import Path

LOAD = Path(__file__).parents[2] / "benchmarks" / "load.py"


def test_64_clients_at_once_get_each_the_right_answer(colour_bundle, colour_photos):
    photos = colour_photos / "validation"
    command = [sys.executable, LOAD, colour_bundle, photos, "--clients", "64", "--seconds", "2"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "'200'" in done.stdout
    assert "wrong" not in done.stdout
