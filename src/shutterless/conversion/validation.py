"""Record what a converted model answers to the validation photos, for `drift`."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from shutterless.artifacts.validation_record import ValidationRecord, choose_photos
from shutterless.dataset import Photo
from shutterless.dataset.types import Decoded
from shutterless.evaluation import Predictions
from shutterless.evaluation.calibration import apply_temperature
from shutterless.evaluation.predict import apply_to_photos
from shutterless.novelty import Familiarity
from shutterless.runtime.model.classifier import Classifier


def record_validation(
    classifier: Classifier,
    predictions: Predictions,
    temperature: float,
    familiarity: Familiarity,
    decoded: Decoded,
) -> ValidationRecord:
    """Return the record of a model's answers to its validation photos, or to a sample of them.

    Args:
        classifier: The model.
        predictions: Its answers, without a temperature.
        temperature: The temperature that it is served with.
        familiarity: What its distances are compared with.
        decoded: Photos that need not be decoded again.
    """
    sample = choose_photos(len(predictions.photos))
    photos = [predictions.photos[index] for index in sample]
    outputs = {
        name: _outputs(classifier, name, predictions.root, photos, decoded)
        for name in ("embeddings", "distances")
    }
    names = [photo.group or photo.path for photo in photos]
    return ValidationRecord(
        scores=apply_temperature(predictions.probabilities[sample], temperature).astype(np.float16),
        truth=predictions.truth[sample].astype(np.int32),
        embeddings=outputs["embeddings"].astype(np.float16),
        novelty=familiarity.novelty(outputs["distances"]).astype(np.float32),
        groups=np.unique(names, return_inverse=True)[1].astype(np.int32),
    )


def _outputs(
    classifier: Classifier, name: str, root: Path, photos: Sequence[Photo], decoded: Decoded
) -> npt.NDArray[np.float32]:
    function = getattr(classifier, name)
    return np.concatenate([*apply_to_photos(function, classifier.input, root, photos, decoded=decoded)])
