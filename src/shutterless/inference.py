"""Classify pictures with a bundle or a run: files, folders, URLs, bytes, PIL images and arrays."""

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, overload

import numpy as np
import numpy.typing as npt
from PIL import Image

from shutterless.answers import Answer, answer_sources
from shutterless.artifacts.run_files import is_run, suggest_run
from shutterless.errors import BundleError, InputError, ShutterlessError
from shutterless.models import load_model
from shutterless.runtime.host_resources import cores
from shutterless.runtime.image import decoder, limits
from shutterless.runtime.model import classifier
from shutterless.runtime.model.bundle import DESCRIPTION
from shutterless.runtime.model.prediction import Prediction
from shutterless.runtime.problems import Problem
from shutterless.runtime.settings import Urls
from shutterless.sources import StrPath, expand_sources, is_url
from shutterless.utils.pipeline import map_ahead
from shutterless.utils.progress import Progress, automatic

if TYPE_CHECKING:
    from shutterless.evaluation import Predictor

Result = TypeVar("Result")
Picture = StrPath | bytes | Image.Image | npt.NDArray[np.uint8]


class Classifier:
    """A trained model that classifies pictures.

    Args:
        model: Folder of a bundle, or of a run, which needs the training packages.
        urls: Which addresses pictures may be fetched from: `public`, `any` (also private ones), or `off`.

    Raises:
        InputError: The folder is neither a bundle nor a run.
        BundleError: The bundle does not verify, or its model cannot be run safely.
        RunError: The run is damaged.

    Example:
        >>> import shutterless
        >>> classifier = shutterless.Classifier("bundle")
        >>> label = classifier.predict("photo.jpg").label
    """

    def __init__(self, model: StrPath, *, urls: Urls = "public") -> None:
        self._path = Path(model)
        self._urls = urls
        self._model = _load(self._path)
        self._bundle = self._model.bundle if isinstance(self._model, classifier.Classifier) else None
        # LiteRT runs one picture per thread; TensorFlow brings its own threads.
        self._workers = cores() if self._bundle else 1

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels in the order of the scores."""
        return self._model.labels

    @property
    def version(self) -> str:
        """Version of the bundle's model; "" for a run."""
        return self._bundle.version if self._bundle else ""

    @property
    def name(self) -> str:
        """Name of the bundle, or of the run's folder."""
        return self._bundle.name if self._bundle else self._path.name

    def __repr__(self) -> str:
        return f"<Classifier {self.name!r} of {len(self.labels):,} labels>"

    @overload
    def predict(self, pictures: Picture) -> Prediction: ...  # type: ignore[overload-overlap]
    @overload
    def predict(self, pictures: Sequence[Picture]) -> list[Prediction]: ...
    @overload
    def predict(self, pictures: Iterator[Picture]) -> Iterator[Prediction]: ...

    def predict(
        self, pictures: Picture | Sequence[Picture] | Iterator[Picture]
    ) -> Prediction | list[Prediction] | Iterator[Prediction]:
        """Classify one picture or several.

        Args:
            pictures: A file, a URL, the bytes of a file, a PIL image, or an array uint8[height, width, 3]
                or uint8[height, width]. Several: a list or another sequence of them, or an iterator; of
                an array uint8[n, height, width, 3] make a list.

        Returns:
            A prediction for one picture, a list for several, an iterator for an iterator, of which only a
            few pictures are read ahead.

        Raises:
            InputError: Something is not a picture, such as an array of floats.
            Problem: A file or URL cannot be read or decoded. Among several pictures, the message says which.
        """
        return self._apply(self._predict_one, pictures)

    @overload
    def embed(self, pictures: Picture) -> npt.NDArray[np.float32]: ...  # type: ignore[overload-overlap]
    @overload
    def embed(self, pictures: Sequence[Picture]) -> list[npt.NDArray[np.float32]]: ...
    @overload
    def embed(self, pictures: Iterator[Picture]) -> Iterator[npt.NDArray[np.float32]]: ...

    def embed(
        self, pictures: Picture | Sequence[Picture] | Iterator[Picture]
    ) -> npt.NDArray[np.float32] | list[npt.NDArray[np.float32]] | Iterator[npt.NDArray[np.float32]]:
        """Return the embedding of one picture or several: pictures that look alike to the model are close.

        Args:
            pictures: As for `predict`.

        Returns:
            float32[d] for one picture, a list of them for several, an iterator for an iterator.

        Raises:
            BundleError: `no-embedding` if the model has none: a run, or a bundle of format 1.
            InputError: Something is not a picture.
            Problem: A file or URL cannot be read or decoded.
        """
        return self._apply(self._embed_one, pictures)

    def answer(self, sources: Iterable[str]) -> Generator[Answer]:
        """Yield an answer for each file or URL, in their order: a prediction or a problem.

        Only a few sources are read ahead, so there may be any number of them.
        """
        return map_ahead(self._answer_one, sources, self._workers)

    def _answer_one(self, source: str) -> Answer:
        try:
            return Answer(source, self._predict_one(source), self.version)
        except Problem as problem:
            return Answer(source, code=problem.code, detail=problem.detail, hint=problem.hint)

    def _apply(
        self, function: Callable[[Picture], Result], pictures: Picture | Sequence[Picture] | Iterator[Picture]
    ) -> Result | list[Result] | Iterator[Result]:
        """Apply a function to one picture or to several, whose errors then say which picture it was."""
        if isinstance(pictures, str | os.PathLike | bytes | Image.Image | np.ndarray):
            return function(pictures)
        if not isinstance(pictures, Iterable):
            raise _not_a_picture(pictures)

        def apply(item: tuple[int, Picture]) -> Result:
            index, picture = item
            try:
                return function(picture)
            except ShutterlessError as error:
                name = f", {os.fspath(picture)}" if isinstance(picture, str | os.PathLike) else ""
                message = f"pictures[{index}]{name}: {error.message}"
                raise type(error)(error.code, message, error.hint) from error

        results = map_ahead(apply, enumerate(pictures), self._workers)
        return list(results) if isinstance(pictures, Sequence) else results

    def _predict_one(self, picture: Picture) -> Prediction:
        pixels = self._pixels(picture)
        if isinstance(self._model, classifier.Classifier):
            return self._model.classify(pixels)
        scores = dict(
            zip(self.labels, self._model.probabilities(pixels[np.newaxis])[0].tolist(), strict=True)
        )
        label = max(scores, key=scores.__getitem__)
        return Prediction(label, confidence=scores[label], accepted=True, scores=scores)

    def _embed_one(self, picture: Picture) -> npt.NDArray[np.float32]:
        if isinstance(self._model, classifier.Classifier):
            return self._model.embeddings(self._pixels(picture)[np.newaxis])[0]
        raise BundleError("no-embedding", f"{self._path} is a run", "Convert it and load the bundle.")

    def _pixels(self, picture: Picture) -> npt.NDArray[np.uint8]:
        """Return a picture as the model takes it, uint8[height, width, 3]."""
        if isinstance(picture, np.ndarray):
            picture = _from_array(picture)
        if isinstance(picture, Image.Image):
            return np.asarray(decoder.fit(picture, self._model.input))
        if not isinstance(picture, str | os.PathLike | bytes):
            raise _not_a_picture(picture)
        data = picture if isinstance(picture, bytes) else self._read(os.fspath(picture))
        return np.asarray(decoder.decode(data, self._model.input))

    def _read(self, source: str) -> bytes:
        if is_url(source):
            from shutterless.runtime import fetch

            return fetch.fetch(source, fetch.Policy(self._urls), max_bytes=limits.MAX_BYTES)
        if not source or Path(source).is_dir():
            raise Problem(
                "unreadable-image", f"{source or 'an empty name'} is not a picture", "Give a picture file."
            )
        try:
            return decoder.read(Path(source))
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise Problem("unreadable-image", f"the file cannot be read: {reason}") from error


def load(model: StrPath, *, urls: Urls = "public") -> Classifier:
    """Load a bundle or a run to classify pictures; see `Classifier` for arguments and errors.

    Example:
        >>> import shutterless
        >>> prediction = shutterless.load("bundle").predict("photo.jpg")
        >>> best_labels = prediction.top(3)
    """
    return Classifier(model, urls=urls)


@overload
def predict(model: StrPath, pictures: Picture) -> Prediction: ...  # type: ignore[overload-overlap]
@overload
def predict(model: StrPath, pictures: Sequence[Picture]) -> list[Prediction]: ...
@overload
def predict(model: StrPath, pictures: Iterator[Picture]) -> Iterator[Prediction]: ...


def predict(
    model: StrPath, pictures: Picture | Sequence[Picture] | Iterator[Picture]
) -> Prediction | list[Prediction] | Iterator[Prediction]:
    """Classify one picture or several with a bundle or a run; see `Classifier.predict`.

    It loads the model with each call: to classify repeatedly, use `load`.

    Args:
        model: Folder of a bundle or a run.
        pictures: One picture or several.

    Returns:
        A prediction for one picture, a list for several, an iterator for an iterator.

    Raises:
        ShutterlessError: See `Classifier` and `Classifier.predict`.

    Example:
        >>> import shutterless
        >>> prediction = shutterless.predict("bundle", "photo.jpg")
        >>> predictions = shutterless.predict("bundle", ["photo.jpg", "photo.jpg"])
    """
    return Classifier(model).predict(pictures)


def predict_many(
    model: StrPath | Classifier,
    sources: StrPath | Iterable[StrPath],
    *,
    output: StrPath | None = None,
    urls: Urls = "public",
    progress: Progress = automatic,
    on_note: Callable[[str], None] = lambda note: None,
) -> Generator[Answer]:
    """Classify any number of files, folders and URLs; unreadable pictures do not stop it.

    Args:
        model: Folder of a bundle or a run, or a loaded `Classifier`.
        sources: Files, folders, which are searched at any depth, and URLs. An iterator is read step by
            step.
        output: A .csv or .jsonl file to write the answers to. If it exists, pictures that it has an
            answer for are skipped, so that an interrupted run can be continued.
        urls: Which addresses pictures may be fetched from, see `Classifier`.
        progress: Called with what is being done, the steps done so far, and how many there are.
        on_note: Called with what is left out or skipped.

    Returns:
        A generator of answers, in the order of the pictures: each a prediction or a problem.

    Raises:
        InputError: A source is missing, or a folder has no pictures.
        OutputError: `output` cannot be written, is in a folder of `sources`, or has answers of another
            model.
        ShutterlessError: The model cannot be loaded, see `Classifier`.

    Example:
        >>> import shutterless
        >>> for answer in shutterless.predict_many("bundle", ["photo.jpg", "photos"], output="answers.csv"):
        ...     label = answer.prediction.label if answer.prediction else answer.detail
    """
    file = Path(output) if output else None
    names = expand_sources(sources, file, on_note)
    model = model if isinstance(model, Classifier) else Classifier(model, urls=urls)
    return answer_sources(model.answer, names, file, model.version, progress=progress, on_note=on_note)


def _load(path: Path) -> "Predictor":
    if not (path / DESCRIPTION).is_file() and not is_run(path):
        raise InputError("not-a-model", f"{path} is neither a bundle nor a run", suggest_run(path))
    return load_model(path)


def _from_array(array: npt.NDArray[np.uint8]) -> Image.Image:
    is_picture = array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3)
    if array.dtype != np.uint8 or not is_picture or not array.size:
        raise InputError(
            "not-a-picture",
            f"An array of {array.dtype}{list(array.shape)} is not a picture",
            "Give uint8[height, width, 3] or uint8[height, width], several of them as list(array).",
        )
    return Image.fromarray(array)


def _not_a_picture(value: object) -> InputError:
    return InputError(
        "not-a-picture",
        f"{type(value).__name__} is not a picture",
        "Give a path, a URL, bytes, a PIL image, an array, or several of them.",
    )
