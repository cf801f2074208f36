"""Measure how long a request takes on this machine, to estimate the cost before anything is deployed."""

import io
import statistics
import time
from pathlib import Path
from random import Random

ROUNDS = 20
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


def _draw_photo() -> bytes:
    from shutterless.dataset.synthetic.render import draw_garment

    file = io.BytesIO()
    draw_garment("dress", PHOTO_PX, Random(42)).save(file, "JPEG", quality=90)
    return file.getvalue()
