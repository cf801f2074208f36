"""Compare a converted model with the Keras model: accuracy, agreement, size and time."""

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from shutterless.evaluation import Metrics, Predictions
from shutterless.runtime.json_types import JsonObject


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
        milliseconds: Processor time of one inference of the converted model on one core of this machine;
            the median of several.
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


def compare(
    precision: str,
    size: int,
    predictions: Predictions,
    reference: Predictions,
    times: npt.NDArray[np.float64],
) -> Comparison:
    """Compare the predictions of a converted model and of the Keras model.

    Args:
        precision: The converted model's.
        size: Its size in bytes.
        predictions: Its predictions.
        reference: The predictions of the Keras model for the same photos.
        times: What `time_models` measured for it, float64[rounds].
    """
    scores, keras_scores = predictions.probabilities, reference.probabilities
    return Comparison(
        precision=precision,
        keras=reference.measure(),
        converted=predictions.measure(),
        agreement=float(np.mean(scores.argmax(axis=1) == keras_scores.argmax(axis=1))),
        largest_difference=float(np.abs(scores - keras_scores).max()),
        bytes=size,
        milliseconds=float(np.median(times)),
    )


def keeps_accuracy(comparison: Comparison, max_drop: float) -> bool:
    """Tell whether a converted model loses no more accuracy than `max_drop`, from 0 to 1."""
    return comparison.drop <= max_drop + 1e-9  # the difference of two shares is off by rounding
