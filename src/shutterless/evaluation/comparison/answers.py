"""A model's answers to photos, with what it accepts and how unlike its training photos they are."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from shutterless.dataset import Photo
from shutterless.dataset.types import Decoded
from shutterless.evaluation.predict import Predictor, apply_to_photos, predict_photos
from shutterless.runtime.model.classifier import Classifier
from shutterless.runtime.model.prediction import Prediction
from shutterless.utils.parallel import map_in_threads
from shutterless.utils.progress import Progress, silent


@dataclass(frozen=True)
class Answers:
    """A model's answers to photos.

    Attributes:
        labels: The model's labels in output order.
        probabilities: float32[photos, labels].
        accepted: Whether each answer is accepted, bool[photos]; None for a run, which has no threshold.
        familiar: Whether each photo is familiar, bool[photos]; None if the model can't tell.
        novelty: How unlike the training photos each photo is, 0 to 1, float64[photos]; None likewise.
        threshold: Confidence from which answers are accepted, 0 to 1.
    """

    labels: tuple[str, ...]
    probabilities: npt.NDArray[np.float32]
    accepted: npt.NDArray[np.bool_] | None = None
    familiar: npt.NDArray[np.bool_] | None = None
    novelty: npt.NDArray[np.float64] | None = None
    threshold: float = 0.0

    @property
    def guesses(self) -> list[str]:
        """The most probable label of each photo."""
        return [self.labels[index] for index in self.probabilities.argmax(axis=1)]

    @property
    def confidence(self) -> npt.NDArray[np.float32]:
        """The highest score of each photo, float32[photos]."""
        confidence: npt.NDArray[np.float32] = self.probabilities.max(axis=1)
        return confidence

    def at(self, indices: npt.NDArray[np.int64]) -> "Answers":
        """Return the answers to some of the photos."""
        return replace(
            self,
            probabilities=self.probabilities[indices],
            accepted=None if self.accepted is None else self.accepted[indices],
            familiar=None if self.familiar is None else self.familiar[indices],
            novelty=None if self.novelty is None else self.novelty[indices],
        )


def answer_photos(
    model: Predictor, root: Path, photos: Sequence[Photo], *, decoded: Decoded, progress: Progress, what: str
) -> Answers:
    """Run a model on photos, a chunk at a time.

    Args:
        model: The model.
        root: The folder that the photos' paths are relative to.
        photos: The photos.
        decoded: Photos that need not be read again.
        progress: Called for each chunk.
        what: Name of the work, for `progress`.
    """
    if not isinstance(model, Classifier):
        probabilities = predict_photos(model, root, photos, decoded=decoded, progress=progress, what=what)
        return Answers(model.labels, probabilities)

    def classify(pixels: npt.NDArray[np.uint8]) -> Iterator[Prediction]:
        return map_in_threads(model.classify, [*pixels], progress=silent, what=what)

    chunks = apply_to_photos(
        classify, model.input, root, photos, decoded=decoded, progress=progress, what=what
    )
    predictions = [prediction for chunk in chunks for prediction in chunk]
    can_tell = model.bundle.familiarity is not None
    return Answers(
        model.labels,
        np.array([[*prediction.scores.values()] for prediction in predictions], np.float32),
        np.array([prediction.accepted for prediction in predictions]),
        np.array([bool(prediction.familiar) for prediction in predictions]) if can_tell else None,
        np.array([prediction.novelty or 0.0 for prediction in predictions]) if can_tell else None,
        model.threshold,
    )
