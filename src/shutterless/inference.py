"""Classify pictures with a bundle or a run: files, bytes, PIL pictures, arrays and URLs."""

import os
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, overload

import numpy as np
import numpy.typing as npt
from PIL import Image

from shutterless.answers import Answer
from shutterless.errors import InputError
from shutterless.model_check import open_bundle
from shutterless.runtime.host_resources import cores
from shutterless.runtime.image import decoder, limits
from shutterless.runtime.model import classifier
from shutterless.runtime.model.prediction import Prediction
from shutterless.runtime.problems import Problem
from shutterless.runtime.settings import Urls
from shutterless.utils.pipeline import map_ahead

if TYPE_CHECKING:
    from shutterless.evaluation import Predictor

StrPath = str | os.PathLike[str]
Picture = StrPath | bytes | Image.Image | npt.NDArray[np.uint8]


class Classifier:
    """A trained model, ready to classify pictures.

    Args:
        model: The folder of a bundle, or of a run, which needs the training packages.
        urls: Which addresses pictures may be fetched from: `public` ones, `any`, or none (`off`).

    Raises:
        ShutterlessError: The folder is neither, or does not verify, or its model cannot be run safely.
    """

    def __init__(self, model: StrPath, *, urls: Urls = "public") -> None:
        self._path = Path(model)
        self._urls = urls
        self._model = _load(self._path)
        # An interpreter's answers come from as many threads as there are cores, TensorFlow's from its own.
        self._is_bundle = isinstance(self._model, classifier.Classifier)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels in the order of the scores."""
        return self._model.labels

    @property
    def version(self) -> str:
        """The version of a bundle's model, "" of a run."""
        return self._model.bundle.version if isinstance(self._model, classifier.Classifier) else ""

    @property
    def name(self) -> str:
        """The bundle's name, or that of the run's folder."""
        is_bundle = isinstance(self._model, classifier.Classifier)
        return cast(classifier.Classifier, self._model).bundle.name if is_bundle else self._path.name

    def __repr__(self) -> str:
        return f"<Classifier {self.name!r} of {len(self.labels)} labels>"

    @overload
    def predict(self, pictures: Picture) -> Prediction: ...
    @overload
    def predict(self, pictures: list[Any] | tuple[Any, ...]) -> list[Prediction]: ...
    @overload
    def predict(self, pictures: Iterator[Any]) -> Iterator[Prediction]: ...

    def predict(self, pictures: Any) -> Prediction | list[Prediction] | Iterator[Prediction]:
        """Classify one picture or many.

        Args:
            pictures: A file, a URL, the bytes of a file, a PIL picture, or an array
                uint8[height, width, 3] or uint8[height, width]. Many: a list, a tuple or an array of more
                dimensions, for a list of answers; or any iterator, for an iterator that reads few ahead.

        Raises:
            ShutterlessError: A picture is not there or cannot be read.
        """
        if isinstance(pictures, np.ndarray) and pictures.ndim == 4:
            pictures = list(pictures)
        if isinstance(pictures, (str, os.PathLike, bytes, Image.Image, np.ndarray)):
            return self._predict_one(pictures)
        if not isinstance(pictures, Iterable):
            raise InputError(
                "not-a-picture",
                f"{type(pictures).__name__} is not a picture",
                "Give a path, a URL, bytes, a PIL picture, an array, or several of them.",
            )
        predictions = map_ahead(self._predict_one, pictures, self._workers)
        return list(predictions) if isinstance(pictures, list | tuple) else predictions

    def answer(self, sources: Iterable[str]) -> Generator[Answer]:
        """Yield an answer for each file or URL, in their order: a prediction, or the problem in its place.

        Few sources are read ahead, so there may be any number of them.
        """
        return map_ahead(self._answer_one, sources, self._workers)

    @property
    def _workers(self) -> int:
        return cores() if self._is_bundle else 1

    def _answer_one(self, source: str) -> Answer:
        try:
            return Answer(source, self._predict_one(source), self.version)
        except Problem as problem:
            return Answer(source, code=problem.code, detail=problem.detail, hint=problem.hint)

    def _predict_one(self, picture: Picture) -> Prediction:
        scores = self._model.probabilities(self._pixels(picture)[np.newaxis])[0]
        best = int(scores.argmax())
        confidence = float(scores[best])
        return Prediction(
            label=self.labels[best],
            confidence=confidence,
            accepted=confidence >= getattr(self._model, "threshold", 0.0),
            scores=dict(zip(self.labels, map(float, scores), strict=True)),
        )

    def _pixels(self, picture: Picture) -> npt.NDArray[np.uint8]:
        """Return a picture as the model takes it, uint8[height, width, 3]."""
        if isinstance(picture, np.ndarray):
            picture = _from_array(picture)
        if isinstance(picture, Image.Image):
            return decoder.fit(picture, self._model.input)
        data = picture if isinstance(picture, bytes) else self._read(os.fspath(picture))
        return decoder.decode(data, self._model.input)

    def _read(self, source: str) -> bytes:
        if source.lower().startswith(("http://", "https://")):
            from shutterless.runtime import fetch

            return fetch.fetch(source, fetch.Policy(self._urls), max_bytes=limits.MAX_BYTES)
        if not source or Path(source).is_dir():
            raise Problem(
                "unreadable-image", f"{source or 'an empty name'} is not a picture", "Give its file."
            )
        try:
            return decoder.read(Path(source))
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise Problem("unreadable-image", f"the file cannot be read: {reason}") from error


def load(model: StrPath, *, urls: Urls = "public") -> Classifier:
    """Load a bundle or a run to classify pictures: `load("bundle").predict("photo.jpg")`.

    See `Classifier` for the arguments and what is raised.
    """
    return Classifier(model, urls=urls)


def predict(model: StrPath, pictures: Any) -> Any:
    """Classify one picture or many with a bundle or a run; see `Classifier.predict`.

    To classify again and again, `load` the model once.
    """
    return Classifier(model).predict(pictures)


def _load(path: Path) -> "Predictor":
    if (path / "bundle.json").is_file():
        return classifier.Classifier(open_bundle(path))
    if (path / "recipe.toml").is_file():
        from shutterless.models import load_model  # imports TensorFlow, which a bundle does not need

        return load_model(path)
    raise InputError(
        "not-a-model",
        f"{path} is neither a bundle nor a run",
        "Give the folder that `shutterless convert` or `train` wrote.",
    )


def _from_array(array: npt.NDArray[np.uint8]) -> Image.Image:
    has_shape = array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3)
    if array.dtype != np.uint8 or not has_shape or not array.size:
        raise InputError(
            "not-a-picture",
            f"An array of {array.dtype}{list(array.shape)} is not a picture",
            "Give uint8[height, width, 3] or uint8[height, width], with values from 0 to 255.",
        )
    return Image.fromarray(array)
