"""The gate: is the file that will ship as good as the network that was trained?"""

import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from shutterless.dataset import read_pixels
from shutterless.errors import ConversionError
from shutterless.evaluation import Metrics, Predictions
from shutterless.runtime.model.classifier import Classifier

TIMED_RUNS = 30


@dataclass(frozen=True)
class Comparison:
    """A converted file beside the Keras network, on the same photos.

    keras, converted: the figures of both. agreement: share of photos with the same best label.
    largest_difference: the largest difference of any one score. bytes: size of the file.
    milliseconds: median time of one inference of the file on one core of this machine.
    """

    precision: str
    keras: Metrics
    converted: Metrics
    agreement: float
    largest_difference: float
    bytes: int
    milliseconds: float

    @property
    def drop(self) -> float:
        """How much accuracy the conversion cost; negative if it gained."""
        return self.keras.accuracy - self.converted.accuracy

    def to_json(self) -> dict[str, Any]:
        """Return the figures as plain values for a JSON document."""
        return {**asdict(self), "drop": self.drop}


class ConversionRefusedError(ConversionError):
    """The converted file lost more accuracy than was permitted; `comparison` has the figures."""

    def __init__(self, comparison: Comparison, max_drop: float) -> None:
        super().__init__(
            "accuracy-drop",
            f"The {comparison.precision} file loses {comparison.drop:.2%} accuracy "
            f"({comparison.converted.right:,} instead of {comparison.keras.right:,} of "
            f"{comparison.keras.photos:,} validation photos right), more than the {max_drop:.2%} allowed; "
            "nothing was written",
            "Choose --precision float16, or permit the loss with --max-drop.",
        )
        self.comparison = comparison


def compare(file: Classifier, size: int, converted: Predictions, keras: Predictions) -> Comparison:
    """Compare what a converted file, of `size` bytes, and Keras said of the same photos."""
    scores, expected = converted.probabilities, keras.probabilities
    return Comparison(
        precision=file.bundle.precision,
        keras=keras.measure(),
        converted=converted.measure(),
        agreement=float(np.mean(scores.argmax(axis=1) == expected.argmax(axis=1))),
        largest_difference=float(np.abs(scores - expected).max()),
        bytes=size,
        milliseconds=_milliseconds(file, read_pixels(converted.root, converted.photos[:1], file.input)),
    )


def _milliseconds(classifier: Classifier, photo: npt.NDArray[np.uint8]) -> float:
    times = []
    for _ in range(TIMED_RUNS):
        started = time.perf_counter()
        classifier.probabilities(photo)
        times.append((time.perf_counter() - started) * 1000)
    return float(np.median(times))


def check_drop(comparison: Comparison, max_drop: float) -> None:
    """Raise `ConversionRefusedError` if the accuracy drop, a share of 1, is beyond `max_drop`."""
    if comparison.drop > max_drop + 1e-9:  # the difference of two shares is off by rounding
        raise ConversionRefusedError(comparison, max_drop)
