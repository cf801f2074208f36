"""A worker process of a batch job: classifies chunks of photos; `supervisor.py` starts it.

It ends as soon as the process that started it does, however that ends.
"""

import os
import sys
from array import array
from collections.abc import Sequence
from io import BytesIO
from multiprocessing.connection import Connection
from queue import SimpleQueue
from threading import Thread

from PIL import Image

from shutterless.batch_jobs.worker.reading import read_photos
from shutterless.batch_jobs.worker.task import Row, Task
from shutterless.errors import ShutterlessError
from shutterless.runtime.image.budget import Budget
from shutterless.runtime.image.decoder import InputSpec, read_header
from shutterless.runtime.image.isolation import decode_isolated
from shutterless.runtime.image.ordinary import decode_ordinary
from shutterless.runtime.model.classifier import Classifier

# What one photo may take; a batch job has more time than a request.
PHOTO_SECONDS, PHOTO_CPU_SECONDS = 60.0, 10.0
THUMBNAIL_QUALITY = 80


class PhotoClassifier:
    """Classifies chunks of photos with one model.

    Args:
        task: What to do with each photo.

    Raises:
        BundleError: The model cannot be loaded.
    """

    def __init__(self, task: Task) -> None:
        self._options = task.options
        self._classifier = Classifier(task.bundle())
        self._classifier.warm_up()

    def classify(self, uris: Sequence[str]) -> list[Row]:
        """Return a row for each photo, in their order."""
        rows = [Row(uri) for uri in uris]
        for index, content in read_photos(uris, self._options):
            if isinstance(content, str):
                rows[index] = Row(uris[index], content)
            else:
                rows[index] = self._classify_one(uris[index], content)
        return rows

    def _classify_one(self, uri: str, data: bytes) -> Row:
        try:
            pixels = decode(data, self._classifier.input)
            embedding = thumbnail = None
            if self._options.embedding:
                prediction, values = self._classifier.classify_and_embed(pixels)
                embedding = array("f", values).tobytes()
            else:
                prediction = self._classifier.classify(pixels)
            if self._options.thumbnail:
                thumbnail = make_thumbnail(data, self._options.thumbnail)
        except ShutterlessError as error:
            return Row(uri, error.code, len(data))
        return Row(
            uri,
            None,
            len(data),
            prediction.label,
            prediction.confidence,
            prediction.accepted,
            prediction.familiar,
            prediction.novelty,
            array("f", prediction.scores.values()).tobytes(),
            embedding,
            thumbnail,
        )


def decode(data: bytes, spec: InputSpec) -> Image.Image:
    """Decode a photo as the service does: in this process if it is ordinary, else in one with limits.

    Raises:
        Problem: It cannot be decoded.
    """
    budget = Budget(PHOTO_SECONDS, PHOTO_CPU_SECONDS)
    return decode_ordinary(data, spec, budget) or decode_isolated(data, spec, budget)


def make_thumbnail(data: bytes, side: int) -> bytes:
    """Return a photo as a small JPEG in its own proportions.

    Args:
        data: The photo's file.
        side: Pixels of its longer side; smaller photos keep their size.

    Raises:
        Problem: It cannot be decoded.
    """
    header = read_header(data)
    scale = min(1.0, side / max(header.width, header.height))
    size = InputSpec(max(1, round(header.height * scale)), max(1, round(header.width * scale)))
    file = BytesIO()
    decode(data, size).save(file, "JPEG", quality=THUMBNAIL_QUALITY)
    return file.getvalue()


def main(descriptor: str) -> None:
    """Classify the chunks that come from a connection until its other end is closed."""
    connection = Connection(int(descriptor))
    task: Task = connection.recv()
    chunks: SimpleQueue[list[str]] = SimpleQueue()
    Thread(target=_receive, args=(connection, chunks), daemon=True).start()
    classifier = PhotoClassifier(task)
    connection.send(None)
    while True:
        connection.send(classifier.classify(chunks.get()))


def _receive(connection: Connection, chunks: "SimpleQueue[list[str]]") -> None:
    try:
        while True:
            chunks.put(connection.recv())
    except (EOFError, OSError):
        os._exit(1)  # whoever waits for the rows is gone


if __name__ == "__main__":
    main(*sys.argv[1:])
