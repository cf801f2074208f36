"""What a batch job asks of its workers, and the row that they return for each photo.

Standard library and runtime only: a worker process imports neither NumPy nor pyarrow.
"""

import json
from dataclasses import dataclass, replace
from typing import NamedTuple

from shutterless.runtime.model.bundle import Bundle, parse_description
from shutterless.runtime.settings import Urls

# Photos that one worker reads ahead from URLs and S3.
READ_THREADS = 16
# The error of a photo whose worker died each time it was tried, as by a crash or for lack of memory.
WORKER_DIED = "worker-died"


@dataclass(frozen=True)
class Task:
    """What every worker of a job does.

    Attributes:
        description: Content of bundle.json.
        model: Content of model.tflite.
        folder: The bundle's folder, for messages.
        embedding: Whether to return the embedding of each photo.
        thumbnail: Longer side of a thumbnail in pixels; 0 for none.
        urls: Which addresses photos may be fetched from.
        per_host: Photos that one worker fetches from a host at the same time.
        timeout: Seconds for the fetch of one photo.
    """

    description: bytes
    model: bytes
    folder: str
    embedding: bool = False
    thumbnail: int = 0
    urls: Urls = "public"
    per_host: int = 8
    timeout: float = 10.0

    def shared_by(self, workers: int) -> "Task":
        """Return the task of each of several workers, who share what may be fetched from a host."""
        return replace(self, per_host=max(1, self.per_host // workers))

    def bundle(self) -> Bundle:
        """Return the bundle that the photos are classified with."""
        return parse_description(self.description, self.folder).with_model(self.model)


def describe_bundle(bundle: Bundle) -> bytes:
    """Return what `Task.description` holds for a bundle."""
    return json.dumps(bundle.to_json()).encode()


class Row(NamedTuple):
    """The answer to one photo; everything but `uri`, `error` and `size` is None if there is an error.

    Attributes:
        uri: The photo's path or URL.
        error: Code of the error; None if there is a prediction.
        size: Bytes of its file; 0 if it could not be read.
        scores: float32 for each label, as bytes.
        embedding: float32, as bytes; None unless asked for.
        thumbnail: A JPEG; None unless asked for.
    """

    uri: str
    error: str | None = None
    size: int = 0
    label: str | None = None
    confidence: float | None = None
    accepted: bool | None = None
    familiar: bool | None = None
    novelty: float | None = None
    scores: bytes | None = None
    embedding: bytes | None = None
    thumbnail: bytes | None = None
