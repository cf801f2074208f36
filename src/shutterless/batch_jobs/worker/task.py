"""What a batch job asks of its workers, and the row that they return for each photo.

Standard library and runtime only: a worker process imports neither NumPy nor pyarrow.
"""

import json
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

from shutterless.batch_jobs.options import BatchOptions
from shutterless.runtime.model.bundle import Bundle, parse_description

# The error of a photo whose worker died each time it was tried, as by a crash or for lack of memory.
WORKER_DIED = "worker-died"


@dataclass(frozen=True)
class Task:
    """What every worker of a job does.

    Attributes:
        description: Content of bundle.json.
        model: Content of model.tflite.
        folder: The bundle's folder, for messages.
        options: The job's options; `per_host` is what this worker may fetch from a host at the same time.
    """

    description: bytes  # a `Bundle` itself cannot be sent to a worker
    model: bytes
    folder: str
    options: BatchOptions

    @classmethod
    def of(cls, bundle: Bundle, options: BatchOptions) -> Self:
        """Return the task of classifying photos with a bundle."""
        return cls(json.dumps(bundle.to_json()).encode(), bundle.model, bundle.folder, options)

    def bundle(self) -> Bundle:
        """Return the bundle that the photos are classified with."""
        return parse_description(self.description, self.folder).with_model(self.model)

    def shared_by(self, workers: int) -> "Task":
        """Return the task of each of several workers, who share what may be fetched from a host."""
        per_host = max(1, self.options.per_host // workers)
        return replace(self, options=replace(self.options, per_host=per_host))


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
