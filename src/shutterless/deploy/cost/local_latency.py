"""How long a request takes on this machine, for an estimate before anything is deployed."""

import io
import statistics
import time
from pathlib import Path
from random import Random

ROUNDS = 20
# The photo that stands for users' own, where none is given: as the page sends them, shrunk by the browser.
PHOTO_PX = 1024


def measure(bundle: Path, photo: Path | None = None) -> float:
    """Return the milliseconds of one core of this machine that a request takes, the median of 20.

    From the photo's bytes to the answer; what a request waits for is not in it. photo: a typical one; a
    drawn JPEG of 1,024 × 1,024 pixels if not given. Raises `ShutterlessError` if the bundle does not
    verify or the photo cannot be read.
    """
    from shutterless.model_check import open_bundle
    from shutterless.runtime.image.decoder import decode, read
    from shutterless.runtime.model.classifier import Classifier

    classifier = Classifier(open_bundle(bundle), threads=1)
    data = read(photo) if photo else _drawn_photo()
    took = []
    for _ in range(ROUNDS):
        started = time.process_time()
        classifier.classify(decode(data, classifier.input))
        took.append((time.process_time() - started) * 1000)
    return statistics.median(took)


def _drawn_photo() -> bytes:
    from shutterless.dataset.synthetic.render import draw_garment

    file = io.BytesIO()
    draw_garment("dress", PHOTO_PX, Random(42)).save(file, "JPEG", quality=90)
    return file.getvalue()
