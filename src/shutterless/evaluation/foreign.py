"""Measure how many pictures of other things a bundle notices."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from shutterless.dataset import find_pictures
from shutterless.errors import BundleError, InputError
from shutterless.evaluation.intervals import wilson_interval
from shutterless.evaluation.metrics import ForeignMetrics, ForeignPhoto
from shutterless.evaluation.predict import Predictions, Predictor, apply_to_photos
from shutterless.novelty import auroc
from shutterless.runtime.image import decoder
from shutterless.runtime.model.classifier import Classifier
from shutterless.runtime.model.familiarity import Familiarity, combine
from shutterless.runtime.problems import Problem
from shutterless.utils.progress import Progress, silent

MAX_EXAMPLES = 10


def measure_foreign(
    model: Predictor,
    predictions: Predictions,
    folder: str | Path,
    *,
    progress: Progress = silent,
    on_warning: Callable[[str], None] = lambda warning: None,
) -> ForeignMetrics:
    """Classify pictures that fit no label, and count those that are noticed.

    Args:
        model: A bundle's classifier.
        predictions: Its answers to photos of its labels, which the pictures are compared with.
        folder: The pictures, at any depth.
        progress: Called after each picture.
        on_warning: Called with each picture that cannot be read, which is left out.

    Raises:
        InputError: `no-pictures` if there are none that can be read.
        BundleError: `no-novelty` if the model is a run, or a bundle of format 1.
    """
    classifier, familiarity = require_novelty(model)
    scores, examples = [], []
    for path, pixels in _read(Path(folder), classifier, progress, on_warning):
        prediction = classifier.classify(pixels)
        scores.append(_scores(classifier, familiarity, pixels[np.newaxis])[0])
        examples.append(
            ForeignPhoto(
                path,
                prediction.label,
                prediction.confidence,
                float(prediction.novelty or 0),
                prediction.familiar is not False,
            )
        )
    if not examples:
        raise InputError(
            "no-pictures", f"There are no pictures in {folder}", "Give a folder with .jpg, .png … files."
        )
    noticed = sum(not example.familiar for example in examples)
    by_score = sorted(range(len(examples)), key=scores.__getitem__)
    return ForeignMetrics(
        photos=len(examples),
        noticed=noticed,
        share=noticed / len(examples),
        share_interval=wilson_interval(noticed, len(examples)),
        auroc=auroc(_familiar_scores(classifier, familiarity, predictions), np.array(scores)),
        most_familiar=tuple(examples[index] for index in by_score[:MAX_EXAMPLES]),
    )


def require_novelty(model: Predictor) -> tuple[Classifier, Familiarity]:
    """Return the classifier of a bundle that tells pictures of other things, and what it compares them with.

    Raises:
        BundleError: `no-novelty` if the model is a run, or a bundle of format 1.
    """
    if isinstance(model, Classifier) and model.bundle.familiarity is not None:
        return model, model.bundle.familiarity
    raise BundleError(
        "no-novelty",
        "This model can't tell whether a picture fits none of its labels",
        "Convert the run again, and evaluate the bundle.",
    )


def _read(
    folder: Path, model: Classifier, progress: Progress, on_warning: Callable[[str], None]
) -> Iterator[tuple[str, npt.NDArray[np.uint8]]]:
    """Yield the path and the pixels of each picture that can be read, uint8[height, width, 3]."""
    pictures, left_out = find_pictures(folder)
    for reason in left_out:
        on_warning(f"{folder}: {reason}")
    for index, picture in enumerate(pictures, start=1):
        path = str(picture.relative_to(folder))
        try:
            yield path, np.asarray(decoder.decode(decoder.read(picture), model.input))
        except (OSError, Problem) as error:
            on_warning(f"{path} was left out: {error}")
        progress("measuring foreign pictures", index, len(pictures))


def _familiar_scores(
    model: Classifier, familiarity: Familiarity, predictions: Predictions
) -> npt.NDArray[np.float64]:
    score = partial(_scores, model, familiarity)
    return np.concatenate([*apply_to_photos(score, model.input, predictions.root, predictions.photos)])


def _scores(
    model: Classifier, familiarity: Familiarity, pixels: npt.NDArray[np.uint8]
) -> npt.NDArray[np.float64]:
    return np.array([combine(familiarity.weights, row) for row in model.distances(pixels)])
