"""Measure a request and a start on this machine, to estimate the cost before anything is deployed."""

import io
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import Random

ROUNDS = 20
STARTS = 3
# What Lambda bills as initialization: everything from the start of Python to the loaded model.
START_PROGRAM = """
import time
from shutterless.runtime.adapters.lambda_function import load_service
load_service()
print(time.process_time())
"""
# The side of the drawn photo in pixels. The web page shrinks users' photos to about this size.
PHOTO_PX = 1024


def measure_latency(bundle: Path, photo: Path | None = None) -> float:
    """Return the milliseconds of one core that a request takes on this machine, the median of 20 rounds.

    It includes everything from the photo's bytes to the answer, but not time spent on waiting.

    Args:
        bundle: A bundle's folder.
        photo: A typical photo; by default a drawn JPEG of 1,024 × 1,024 pixels.

    Raises:
        ShutterlessError: The bundle does not verify, or the photo cannot be read.
    """
    from shutterless.model_check import open_bundle
    from shutterless.runtime.image.decoder import decode, read
    from shutterless.runtime.model.classifier import Classifier

    classifier = Classifier(open_bundle(bundle), threads=1)
    data = read(photo) if photo else _draw_photo()
    durations = []
    for _ in range(ROUNDS):
        start = time.process_time()
        classifier.classify(decode(data, classifier.input))
        durations.append((time.process_time() - start) * 1000)
    return statistics.median(durations)


def measure_start(bundle: Path) -> float:
    """Return the milliseconds of one core that a fresh process takes until it can answer, the median of 3.

    It does what an instance on Lambda does at a cold start, but not the reading of the image.

    Args:
        bundle: A bundle's folder.

    Raises:
        ShutterlessError: The bundle does not verify.
    """
    from shutterless.model_check import open_bundle
    from shutterless.packaging.layers import write_bundle

    command = [sys.executable, "-P", "-c", START_PROGRAM]  # -P: import nothing from the working folder
    with tempfile.TemporaryDirectory(prefix="shutterless-") as folder:
        write_bundle(Path(folder), open_bundle(bundle))
        environment = {**os.environ, "SHUTTERLESS_BUNDLE": folder, "OPENBLAS_NUM_THREADS": "1"}
        outputs = [
            subprocess.run(
                command, env=environment, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            ).stdout
            for _ in range(STARTS)
        ]
    return statistics.median(float(output) * 1000 for output in outputs)


def _draw_photo() -> bytes:
    from shutterless.dataset.synthetic.render import draw_garment

    file = io.BytesIO()
    draw_garment("dress", PHOTO_PX, Random(42)).save(file, "JPEG", quality=90)
    return file.getvalue()
