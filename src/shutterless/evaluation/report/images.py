"""Choose and decode the photos that a report shows."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from shutterless.dataset import read_pixels
from shutterless.evaluation.calibration import CalibrationResult
from shutterless.evaluation.predict import Predictions
from shutterless.evaluation.report.thumbnails import data_uri, overlay, read_thumbnails
from shutterless.evaluation.robustness import CONDITIONS, UNCHANGED, perturb

MAX_SAMPLES = 40
MAX_WORST = 12
HEAT_MAPS = 4  # of correct answers, and as many of wrong ones
# Photos of mistakes: the page of a poor model, or of one with many labels, must still open in a browser.
MAX_MISTAKES, MAX_PER_CONFUSION, MAX_CONFUSIONS = 240, 24, 80
NO_HEAT = "Nothing in this photo raises the score of the predicted label."

Pixels = npt.NDArray[np.uint8]
HeatMap = Callable[[Pixels, int], npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Picture:
    """A photo with its true and its predicted label.

    Attributes:
        pixels: uint8[height, width, 3].
        path: The photo's path in its data set.
        truth: The true label.
        guess: The predicted label.
        score: Confidence of the prediction, 0 to 1.
        note: Text to show with the photo.
    """

    pixels: Pixels
    path: str
    truth: str
    guess: str
    score: float
    note: str = ""

    @property
    def right(self) -> bool:
        """Whether the prediction is correct."""
        return self.truth == self.guess

    @cached_property
    def uri(self) -> str:
        """The picture as a data: URI."""
        return data_uri(self.pixels)


@dataclass(frozen=True)
class ConfusedPhotos:
    """Photos of one label that were predicted as another.

    Attributes:
        anchor: Id of their section in the page.
        truth: The true label.
        guess: The predicted label.
        count: Number of such photos.
        pictures: Those that are shown, the most confident first.
    """

    anchor: str
    truth: str
    guess: str
    count: int
    pictures: tuple[Picture, ...]


class ReportImages:
    """The photos of a report's sections, each decoded once.

    Args:
        predictions: The model's answers.
        calibration: Their calibrated scores.
        seed: Seed of the random choices.

    Attributes:
        samples: One photo of each label, chosen at random; at most `MAX_SAMPLES`.
        worst: The wrong answers with the highest confidence, the most confident first.
    """

    def __init__(self, predictions: Predictions, calibration: CalibrationResult, seed: int) -> None:
        self._predictions, self._calibration = predictions, calibration
        self._rng = np.random.default_rng(seed)
        self._truth, self._guesses = predictions.truth, calibration.scores.argmax(axis=1)
        confidence = calibration.scores.max(axis=1)
        wrong = np.flatnonzero(~calibration.right)
        self._wrong = [int(index) for index in wrong[np.argsort(-confidence[wrong], kind="stable")]]
        sample = self._sample()
        per_confusion = self._per_confusion
        mistakes = (index for group in self._by_confusion.values() for index in group[:per_confusion])
        indices = sorted({*sample, *self._wrong[:MAX_WORST], *mistakes})
        thumbnails = read_thumbnails(predictions.root, [predictions.photos[index] for index in indices])
        self._pictures = dict(zip(indices, map(self._picture, indices, thumbnails), strict=True))
        self.samples = [self._pictures[index] for index in sample]
        self.worst = [self._pictures[index] for index in self._wrong[:MAX_WORST]]

    def _picture(self, index: int, pixels: Pixels, note: str = "") -> Picture:
        photo, guess = self._predictions.photos[index], int(self._guesses[index])
        score = float(self._calibration.scores[index, guess])
        return Picture(pixels, photo.path, photo.label, self._predictions.labels[guess], score, note)

    def _sample(self) -> list[int]:
        """Choose one photo of each label at random: choosing by hand would favour good ones."""
        labels = np.unique(self._truth)
        if len(labels) > MAX_SAMPLES:
            labels = np.sort(self._rng.choice(labels, MAX_SAMPLES, replace=False))
        return [int(self._rng.choice(np.flatnonzero(self._truth == label))) for label in labels]

    @cached_property
    def _by_confusion(self) -> dict[tuple[int, int], list[int]]:
        """(true label, predicted label) → photos, for the most frequent confusions."""
        confusions: dict[tuple[int, int], list[int]] = {}
        for index in self._wrong:
            confusions.setdefault((int(self._truth[index]), int(self._guesses[index])), []).append(index)
        by_size = sorted(confusions.items(), key=lambda item: (-len(item[1]), item[0]))
        return dict(by_size[:MAX_CONFUSIONS])

    @property
    def _per_confusion(self) -> int:
        return max(1, min(MAX_PER_CONFUSION, MAX_MISTAKES // max(1, len(self._by_confusion))))

    @cached_property
    def confusions(self) -> dict[tuple[str, str], ConfusedPhotos]:
        """(true label, predicted label) → photos, the most frequent confusions first."""
        labels = self._predictions.labels
        return {
            (labels[truth], labels[guess]): ConfusedPhotos(
                f"confusion-{truth}-{guess}",
                labels[truth],
                labels[guess],
                len(indices),
                tuple(self._pictures[index] for index in indices[: self._per_confusion]),
            )
            for (truth, guess), indices in self._by_confusion.items()
        }

    def perturbed(self) -> dict[str, Pixels]:
        """Return one photo as the model gets it, unchanged and under each condition of `robustness`."""
        photo = self._predictions.photos[int(self._rng.integers(len(self._predictions.photos)))]
        (pixels,) = read_pixels(self._predictions.root, [photo], self._predictions.input)
        return {UNCHANGED: pixels, **{name: perturb(pixels, name) for name in CONDITIONS}}

    def heat_maps(self, heat_map: HeatMap) -> list[tuple[Picture, Picture]]:
        """Draw heat maps of the most confident mistakes and of some correct answers.

        Args:
            heat_map: Maps the model's input, uint8[height, width, 3], and the index of a label to
                float32[h, w], 0 to 1.

        Returns:
            Each photo as the model gets it, without and with its heat map.
        """
        right = np.flatnonzero(self._calibration.right)
        choice = sorted(self._rng.choice(right, min(HEAT_MAPS, len(right)), replace=False).tolist())
        indices = [*self._wrong[:HEAT_MAPS], *choice]
        photos = [self._predictions.photos[index] for index in indices]
        inputs = read_pixels(self._predictions.root, photos, self._predictions.input)
        pairs = []
        for index, pixels in zip(indices, inputs, strict=True):
            heat = heat_map(pixels, int(self._guesses[index]))
            note = "" if np.any(heat > 0) else NO_HEAT
            pairs.append((self._picture(index, pixels), self._picture(index, overlay(pixels, heat), note)))
        return pairs
