import signal
import subprocess
import time

from shutterless.evaluation import evaluate
from shutterless.training import MODEL, load_run

PATIENCE = 120  # seconds in which one epoch on small pictures is done on any machine


def test_ctrl_c_in_the_middle_of_training_leaves_a_network_that_works(shutterless, colour_photos, tmp_path):
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
    assert "The best network so far is in" in words
    assert {file.name for file in run.iterdir()} == {MODEL, "history.csv", "recipe.toml", "split.csv"}
    assert evaluate(load_run(run), colour_photos).photos == 9


def test_a_server_ends_in_order_at_ctrl_c(shutterless, colour_bundle):
    command = [shutterless, "serve", str(colour_bundle), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        assert server.stdout.readline().startswith("http://127.0.0.1:")
        server.send_signal(signal.SIGINT)
        _, words = server.communicate()
    assert server.returncode == 130
    assert "Traceback" not in words
