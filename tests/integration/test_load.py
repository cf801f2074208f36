"""The benchmark of many clients at once, for a moment: no answer is wrong, and none fails but by 503."""

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.load import attacking

ROOT = Path(__file__).parents[2]
# Within 2 s where nothing else runs. An attack that works shuts others out for 10 s or longer.
SECONDS = 8


def test_64_clients_at_once_get_each_the_right_answer(colour_bundle, colour_photos):
    photos = colour_photos / "validation"
    command = [sys.executable, "-m", "benchmarks.load", colour_bundle, photos]
    process = subprocess.run(
        [*command, "--clients", "64", "--seconds", "2"], cwd=ROOT, capture_output=True, text=True
    )
    assert process.returncode == 0, process.stdout + process.stderr
    assert "'200'" in process.stdout
    assert "wrong" not in process.stdout


@pytest.fixture(scope="module")
def port(colour_bundle, shutterless) -> Iterator[int]:
    command = [shutterless, "serve", str(colour_bundle), "--port", "0", "--urls", "any"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    with subprocess.Popen(command, **pipes) as server:
        yield int(server.stdout.readline().rsplit(":", 1)[1])
        server.kill()


# What kept others out before, or takes another path: all of them are in `benchmarks.attacks`.
@pytest.mark.parametrize(
    "attack",
    [
        "idle after a byte",
        "unsent bodies",
        "silent URL hosts",
        "connection flood",
        "slow readers",
        "half-closed",
        "not HTTP",
        "bodies after the answer",
        "tiny chunks",
    ],
)
def test_a_photo_is_answered_whatever_other_clients_do(port, colour_photos, attack):
    with attacking(attack, port):
        for label in ("red", "green", "blue"):
            photo = (colour_photos / "test" / label / "00.png").read_bytes()
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
            connection.request("POST", "/predict", photo, {"Content-Type": "image/png"})
            with connection.getresponse() as response:
                assert (response.status, json.load(response)["label"]) == (200, label)
            connection.close()
