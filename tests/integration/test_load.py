"""The benchmark of many clients at once, for a moment: no answer is wrong, and none fails but by 503."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_64_clients_at_once_get_each_the_right_answer(colour_bundle, colour_photos):
    photos = colour_photos / "validation"
    command = [sys.executable, "-m", "benchmarks.load", colour_bundle, photos]
    process = subprocess.run(
        [*command, "--clients", "64", "--seconds", "2"], cwd=ROOT, capture_output=True, text=True
    )
    assert process.returncode == 0, process.stdout + process.stderr
    assert "'200'" in process.stdout
    assert "wrong" not in process.stdout
