"""Compare a converted model with the Keras model, and refuse it if it lost too much accuracy."""

import time
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from shutterless.dataset import read_pixels
from shutterless.errors import ConversionError
from shutterless.evaluation import Metrics, Predictions
from shutterless.runtime.json_types import JsonObject
from shutterless.runtime.model.classifier import Classifier

TIMED_RUNS = 30


@dataclass(frozen=True)
class Comparison:
    """The metrics of a converted model and of the Keras model on the same photos.

    Attributes:
        precision: How the converted weights are stored, such as `float16`.
        keras: Metrics of the Keras model.
        converted: Metrics of the converted model.
        agreement: Share of photos with the same most probable label, from 0 to 1.
        largest_difference: Largest difference of any score.
        bytes: Size of the converted model.
        milliseconds: Median duration of one inference of the converted model on one core of this machine.
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
        """Accuracy that was lost, from -1 to 1; negative if it was gained."""
        return self.keras.accuracy - self.converted.accuracy

    def to_json(self) -> JsonObject:
        """Return the comparison as a JSON object."""
        return {**asdict(self), "drop": self.drop}


class ConversionRefusedError(ConversionError):
    """The converted model lost more accuracy than allowed.

    Attributes:
        comparison: The metrics of both models.
    """

    def __init__(self, comparison: Comparison, max_drop: float) -> None:
        super().__init__(
            "accuracy-drop",
            f"The {comparison.precision} model loses {comparison.drop:.2%} accuracy "
            f"({comparison.converted.right:,} instead of {comparison.keras.right:,} of "
            f"{comparison.keras.photos:,} validation photos right), more than the {max_drop:.2%} allowed; "
            "nothing was written",
            "Choose --precision float16, or allow the loss with --max-drop.",
        )
        self.comparison = comparison


def compare(
    classifier: Classifier, size: int, predictions: Predictions, reference: Predictions
) -> Comparison:
    """Compare the predictions of a converted model and of the Keras model.

    Args:
        classifier: The converted model, which is also timed.
        size: Its size in bytes.
        predictions: Its predictions.
        reference: The predictions of the Keras model for the same photos.
    """
    scores, keras_scores = predictions.probabilities, reference.probabilities
    pixels = read_pixels(predictions.root, predictions.photos[:1], classifier.input)
    return Comparison(
        precision=classifier.bundle.precision,
        keras=reference.measure(),
        converted=predictions.measure(),
        agreement=float(np.mean(scores.argmax(axis=1) == keras_scores.argmax(axis=1))),
        largest_difference=float(np.abs(scores - keras_scores).max()),
        bytes=size,
        milliseconds=_median_milliseconds(classifier, pixels),
    )


def _median_milliseconds(classifier: Classifier, pixels: npt.NDArray[np.uint8]) -> float:
    times = []
    for _ in range(TIMED_RUNS):
        start_time = time.perf_counter()
        classifier.probabilities(pixels)
        times.append((time.perf_counter() - start_time) * 1000)
    return float(np.median(times))


def check_drop(comparison: Comparison, max_drop: float) -> None:
    """Refuse a converted model that lost too much accuracy.

    Args:
        comparison: The metrics of both models.
        max_drop: Accuracy that may be lost, from 0 to 1.

    Raises:
        ConversionRefusedError: It lost more.
    """
    if comparison.drop > max_drop + 1e-9:  # the difference of two shares is off by rounding
        raise ConversionRefusedError(comparison, max_drop)
