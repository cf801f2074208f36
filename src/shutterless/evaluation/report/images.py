"""The photos that a report shows: which ones, how many, and in what order."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from shutterless.dataset import read_pixels
from shutterless.evaluation.calibration import Judgement
from shutterless.evaluation.predict import Predictions
from shutterless.evaluation.report.thumbnails import data_uri, overlay, read_thumbnails

MAX_SAMPLES = 40
MAX_WORST = 12
HEAT_MAPS = 4  # of correct answers, and as many of wrong ones
# Of mistakes, so that the page of a poor model or of many labels can still be opened.
MAX_MISTAKES, MAX_PER_CONFUSION, MAX_CONFUSIONS = 240, 24, 80
NO_HEAT = "Nothing in this photo raises the score of the predicted label."

Pixels = npt.NDArray[np.uint8]
HeatMap = Callable[[Pixels, int], npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Picture:
    """A photo, uint8[height, width, 3], with its true label and what the model answered."""

    pixels: Pixels
    path: str
    truth: str
    guess: str
    score: float
    note: str = ""

    @property
    def right(self) -> bool:
        """Whether the guess is the truth."""
        return self.truth == self.guess

    @cached_property
    def uri(self) -> str:
        """The picture as an address that holds it."""
        return data_uri(self.pixels)


@dataclass(frozen=True)
class ConfusedPhotos:
    """The photos of one label that got one other; `pictures` are the most confident of `count`."""

    anchor: str
    truth: str
    guess: str
    count: int
    pictures: tuple[Picture, ...]


class ReportImages:
    """The photos of a report's sections, each decoded once.

    Attributes:
        samples: One photo of each label, chosen at random; of `MAX_SAMPLES` labels if there are more.
        worst: The wrong answers of the highest confidence, the most confident first.
    """

    def __init__(self, predictions: Predictions, judgement: Judgement, seed: int) -> None:
        self._predictions, self._judgement = predictions, judgement
        self._rng = np.random.default_rng(seed)
        self._truth, self._guesses = predictions.truth, judgement.scores.argmax(axis=1)
        confidence = judgement.scores.max(axis=1)
        wrong = np.flatnonzero(~judgement.right)
        self._wrong = [int(number) for number in wrong[np.argsort(-confidence[wrong], kind="stable")]]
        sampled = self._one_of_each_label()
        numbers = sorted({*sampled, *self._shown_mistakes()})
        thumbnails = read_thumbnails(predictions.root, [predictions.photos[number] for number in numbers])
        self._pictures = dict(zip(numbers, map(self._picture, numbers, thumbnails), strict=True))
        self.samples = [self._pictures[number] for number in sampled]
        self.worst = [self._pictures[number] for number in self._wrong[:MAX_WORST]]

    def _picture(self, number: int, pixels: Pixels, note: str = "") -> Picture:
        photo, guess = self._predictions.photos[number], int(self._guesses[number])
        score = float(self._judgement.scores[number, guess])
        return Picture(pixels, photo.path, photo.label, self._predictions.labels[guess], score, note)

    def _one_of_each_label(self) -> list[int]:
        """Choose at random, so that nobody has chosen the best."""
        places = np.unique(self._truth)
        if len(places) > MAX_SAMPLES:
            places = np.sort(self._rng.choice(places, MAX_SAMPLES, replace=False))
        return [int(self._rng.choice(np.flatnonzero(self._truth == place))) for place in places]

    @cached_property
    def _by_confusion(self) -> dict[tuple[int, int], list[int]]:
        """The mistakes' numbers by truth and guess: the largest confusions, the most confident first."""
        confusions: dict[tuple[int, int], list[int]] = {}
        for number in self._wrong:
            confusions.setdefault((int(self._truth[number]), int(self._guesses[number])), []).append(number)
        largest = sorted(confusions.items(), key=lambda item: (-len(item[1]), item[0]))
        return dict(largest[:MAX_CONFUSIONS])

    @property
    def _per_confusion(self) -> int:
        return max(1, min(MAX_PER_CONFUSION, MAX_MISTAKES // max(1, len(self._by_confusion))))

    def _shown_mistakes(self) -> list[int]:
        each = self._per_confusion
        of_confusions = (number for numbers in self._by_confusion.values() for number in numbers[:each])
        return [*self._wrong[:MAX_WORST], *of_confusions]

    @cached_property
    def confusions(self) -> dict[tuple[str, str], ConfusedPhotos]:
        """The mistakes by true and predicted label, the most frequent first."""
        labels = self._predictions.labels
        return {
            (labels[truth], labels[guess]): ConfusedPhotos(
                f"confusion-{truth}-{guess}",
                labels[truth],
                labels[guess],
                len(numbers),
                tuple(self._pictures[number] for number in numbers[: self._per_confusion]),
            )
            for (truth, guess), numbers in self._by_confusion.items()
        }

    def heat_maps(self, heat_map: HeatMap) -> list[tuple[Picture, Picture]]:
        """Return the most confident mistakes and some correct answers, each without and with its heat map.

        The photos are as the model gets them.
        """
        right = np.flatnonzero(self._judgement.right)
        drawn = sorted(self._rng.choice(right, min(HEAT_MAPS, len(right)), replace=False).tolist())
        numbers = [*self._wrong[:HEAT_MAPS], *drawn]
        photos = [self._predictions.photos[number] for number in numbers]
        inputs = read_pixels(self._predictions.root, photos, self._predictions.input)
        return [self._pair(number, pixels, heat_map) for number, pixels in zip(numbers, inputs, strict=True)]

    def _pair(self, number: int, pixels: Pixels, heat_map: HeatMap) -> tuple[Picture, Picture]:
        heat = heat_map(pixels, int(self._guesses[number]))
        note = "" if np.any(heat > 0) else NO_HEAT
        return self._picture(number, pixels), self._picture(number, overlay(pixels, heat), note)
