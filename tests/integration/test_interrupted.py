import csv
import signal
import subprocess
import time

import pytest

from shutterless.models import evaluate
from shutterless.training import MODEL, load_run, train
from shutterless.training.callbacks.checkpoint import CHECKPOINT

PATIENCE = 120  # seconds in which one epoch on small pictures is done on any machine


def test_ctrl_c_in_the_middle_of_training_leaves_a_model_that_works(shutterless, colour_photos, tmp_path):
    run = tmp_path / "run"
    command = [shutterless, "train", colour_photos, "-o", run, "--backbone", "tiny", "--image-size", "32"]
    with subprocess.Popen(
        [*map(str, command), "--epochs", "100000"], stderr=subprocess.PIPE, text=True
    ) as training:
        deadline = time.monotonic() + PATIENCE
        while not (run / MODEL).exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        training.send_signal(signal.SIGINT)
        _, words = training.communicate()
    assert training.returncode == 130, words
    assert words.endswith("error: Stopped by Ctrl-C\n")
    assert str(run) in words and "--resume" in words
    files = {MODEL, CHECKPOINT, "history.csv", "recipe.toml", "split.csv"}
    assert {file.name for file in run.iterdir()} <= {*files, ".checkpoint.npz.part"}
    assert files <= {file.name for file in run.iterdir()}
    assert evaluate(load_run(run), colour_photos).photos == 9


def figures(run):
    """Return the losses and accuracies of history.csv, line by line."""
    with (run / "history.csv").open() as stream:
        return [
            [float(line[name]) for name in ("epoch", "loss", "val_loss", "val_accuracy")]
            for line in csv.DictReader(stream)
        ]


def test_a_training_that_is_killed_again_and_again_ends_as_if_it_had_not_been(
    shutterless, colour_photos, tmp_path
):
    """It is killed somewhere in its second epoch, and resumed and killed somewhere from its fourth on."""
    options = {"backbone": "tiny", "image_size": 32, "batch_size": 2, "epochs": 8}
    unbroken = train(colour_photos, tmp_path / "unbroken", **options)
    run = tmp_path / "killed"
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    command = [shutterless, "train", str(colour_photos), "-o", str(run), "--resume", *flags]
    reached = []
    for epochs in (1, 3):
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as training:
            deadline = time.monotonic() + PATIENCE
            while not ((run / "history.csv").exists() and len(figures(run)) >= epochs):
                assert training.poll() is None and time.monotonic() < deadline
                time.sleep(0.01)
            training.kill()
        assert training.returncode == -signal.SIGKILL
        reached.append(len(figures(run)))
    assert 1 <= reached[0] <= reached[1] < 8
    resumed = train(colour_photos, run, resume=True, **options)
    assert [line[0] for line in figures(run)] == list(range(1, 9))
    assert figures(run) == [pytest.approx(line, rel=0.01, abs=0.02) for line in figures(unbroken.path)]
    assert {file.name for file in run.iterdir()} == {file.name for file in unbroken.path.iterdir()}
    assert resumed.metrics["validation"]["accuracy"] == unbroken.metrics["validation"]["accuracy"]


def test_a_server_ends_in_order_at_ctrl_c(shutterless, colour_bundle):
    command = [shutterless, "serve", str(colour_bundle), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        assert server.stdout.readline().startswith("http://127.0.0.1:")
        server.send_signal(signal.SIGINT)
        _, words = server.communicate()
    assert server.returncode == 130
    assert "Traceback" not in words
