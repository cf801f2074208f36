"""A bundle's model in memory: loaded once, it classifies any number of pictures, from any thread."""

from __future__ import annotations

import math
import time
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from shutterless.errors import BundleError
from shutterless.runtime.image.decoder import InputSpec
from shutterless.runtime.model.bundle import Bundle
from shutterless.runtime.model.litert import load_model
from shutterless.runtime.model.notice import without_notice
from shutterless.runtime.model.prediction import Prediction

if TYPE_CHECKING:  # NumPy is only imported for many pictures at once: serving has none
    import numpy as np
    import numpy.typing as npt

    from shutterless.runtime.model.litert import Model


# A model that has answered within this time is healthy.
HEALTH_SECONDS = 10.0
# Names of a model's outputs, and their longest lengths.
PROBABILITIES, EMBEDDING, NOVELTY = "probabilities", "embedding", "novelty"
MAX_LENGTH = 4096
MAX_NAME = 100  # characters of a name in a message


class Pixels(Protocol):
    """A picture as the model takes it: Pillow's, in mode RGB, or an array uint8[height, width, 3]."""

    def tobytes(self) -> bytes:
        """Return its pixels, row by row."""


class Classifier:
    """A bundle's model, ready to predict.

    A loaded model has one set of buffers, so each prediction borrows one; there are as many as there were
    predictions at the same time.

    Attributes:
        bundle: The bundle.
    """

    def __init__(self, bundle: Bundle, threads: int = 1) -> None:
        """Load the model.

        Args:
            bundle: A bundle that was read from a folder.
            threads: How many threads one inference may use.

        Raises:
            BundleError: If the model does not load, or its input and output are not what the bundle says.
        """
        if not bundle.folder:
            raise BundleError(
                "bundle-without-folder", "The bundle was not read from a folder", "Use read_bundle."
            )
        self.bundle = bundle
        self._threads = threads
        first = self._load()
        self._lengths = _check_tensors(first.inputs, first.outputs, bundle)
        self._familiarity = bundle.familiarity
        scores = PROBABILITIES if PROBABILITIES in first.outputs else next(iter(first.outputs))
        self._outputs = [scores, NOVELTY] if self._familiarity else [scores]
        self._idle = [first]
        self._last_run = -HEALTH_SECONDS

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels in output order."""
        return self.bundle.labels

    @property
    def input(self) -> InputSpec:
        """How a picture becomes the model's input."""
        return self.bundle.input

    @property
    def threshold(self) -> float:
        """The confidence from which an answer is accepted."""
        return self.bundle.threshold

    @property
    def has_embedding(self) -> bool:
        """Whether the model has an output `embedding`, as those of format 2 do."""
        return bool(self._lengths.get(EMBEDDING))

    @property
    def has_branches(self) -> bool:
        """Whether the model has loops or branches, so that its time may depend on the picture."""
        return self._idle[0].count_subgraphs() > 1

    def probabilities(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return the scores of several pictures.

        They are classified at the same time, on all cores, each by a model of its own; the scores are the
        same as one after the other.

        Args:
            pixels: uint8[n, height, width, 3].

        Returns:
            float32[n, labels]; each row adds up to 1.
        """
        return self._map(lambda picture: self._infer(picture)[0], pixels, len(self.labels))

    def distances(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return the distances of several pictures from the training photos; larger is stranger.

        Args:
            pixels: uint8[n, height, width, 3].

        Returns:
            float32[n, k], what `familiarity.combine` weights.

        Raises:
            BundleError: `no-embedding` if the model has no such output, `not-finite` if they are not finite.
        """
        return self._read_output(NOVELTY, pixels)

    def embeddings(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return the embeddings of several pictures: similar pictures are close to each other.

        Args:
            pixels: uint8[n, height, width, 3].

        Returns:
            float32[n, d].

        Raises:
            BundleError: `no-embedding` if the model has no such output, `not-finite` if they are not finite.
        """
        return self._read_output(EMBEDDING, pixels)

    def warm_up(self) -> None:
        """Run the model once, so that the first picture takes no longer than the others.

        Raises:
            BundleError: `not-probabilities`, see `check`.
        """
        self.check(bytes(self.input.height * self.input.width * 3))

    def check(self, pixels: bytes) -> None:
        """Check that the scores of one picture are probabilities.

        Args:
            pixels: The picture, row by row, in RGB.

        Raises:
            BundleError: `not-probabilities` if they are not finite and positive with a sum of 1, `not-finite`
                if the distances are not finite.
        """
        scores, *_ = self._infer(pixels)
        tolerance = 0.01 + len(scores) / 512  # an int8 model rounds each score to the next 256th
        if abs(sum(scores) - 1) > tolerance:
            raise self._not_probabilities()

    def check_health(self) -> None:
        """Run the model on a black picture, unless it has classified any in the last `HEALTH_SECONDS`.

        Raises:
            BundleError: `not-probabilities`, see `check`.
        """
        if time.monotonic() - self._last_run > HEALTH_SECONDS:
            self.warm_up()

    def classify(self, pixels: Pixels) -> Prediction:
        """Classify one picture.

        Args:
            pixels: What `decoder.decode` returns, or an array uint8[height, width, 3].
        """
        scores, distances, _ = self._infer(pixels.tobytes())
        return self._predict(scores, distances)

    def classify_and_embed(self, pixels: Pixels) -> tuple[Prediction, Sequence[float]]:
        """Classify one picture and return its embedding, float32[d], too; the model runs once.

        Args:
            pixels: As for `classify`.

        Raises:
            BundleError: `no-embedding` if the model has none, `not-finite` if it is not finite.
        """
        if not self.has_embedding:
            raise self._no_output(EMBEDDING)
        scores, distances, embedding = self._infer(pixels.tobytes(), embed=True)
        return self._predict(scores, distances), embedding

    def _predict(self, scores: Sequence[float], distances: Sequence[float]) -> Prediction:
        confidence, familiar, novelty = max(scores), None, None
        if self._familiarity:
            p_value = self._familiarity.p_value(distances)
            familiar, novelty = p_value > self._familiarity.false_alarm_rate, 1 - p_value
        return Prediction(
            label=self.labels[scores.index(confidence)],
            confidence=confidence,
            accepted=familiar is not False and confidence >= self.bundle.threshold,
            scores=dict(zip(self.labels, scores, strict=True)),
            familiar=familiar,
            novelty=novelty,
        )

    def _infer(
        self, pixels: bytes, *, embed: bool = False
    ) -> tuple[Sequence[float], Sequence[float], Sequence[float]]:
        """Return the scores, the distances and the embedding of one picture.

        There are no distances if the bundle compares none, and no embedding unless it is asked for.

        Raises:
            BundleError: `not-probabilities` if a score is negative or not finite, `not-finite` if another
                value is not; such answers are never served.
        """
        names = [*self._outputs, EMBEDDING] if embed else self._outputs
        scores, *others = self._run(pixels, names)
        if not (min(scores) >= 0 and sum(scores) < math.inf):  # false, too, if any is NaN
            raise self._not_probabilities()
        for values in others:
            self._check_finite(values)
        embedding = others.pop() if embed else []
        self._last_run = time.monotonic()
        temperature = self.bundle.temperature
        calibrated = scores if temperature == 1 else _divide_logits(scores, temperature)
        return calibrated, others[0] if others else [], embedding

    def _no_output(self, name: str) -> BundleError:
        return BundleError(
            "no-embedding",
            f"The model of {self.bundle.folder} has no output {name}",
            "Convert the run again.",
        )

    def _not_probabilities(self) -> BundleError:
        return BundleError(
            "not-probabilities",
            f"The scores of the model of {self.bundle.folder} are not probabilities",
            "Train again with a lower learning rate if they are not finite, and convert again.",
        )

    def _read_output(self, name: str, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return one of the outputs that a model of format 2 has, for several pictures."""
        if not self._lengths.get(name):
            raise self._no_output(name)

        def read(picture: bytes) -> list[float]:
            (values,) = self._run(picture, [name])
            self._check_finite(values)
            return values

        return self._map(read, pixels, self._lengths[name])

    def _map(
        self, infer: Callable[[bytes], Sequence[float]], pixels: npt.NDArray[np.uint8], length: int
    ) -> npt.NDArray[np.float32]:
        """Return a row for each picture, float32[n, length], computed on all cores."""
        from concurrent.futures import ThreadPoolExecutor

        import numpy as np

        from shutterless.runtime.host_resources import cores

        if len(pixels) == 1:
            return np.array([infer(pixels.tobytes())], np.float32)
        with ThreadPoolExecutor(max(1, cores() // self._threads)) as pool:
            rows = [*pool.map(lambda picture: infer(picture.tobytes()), pixels)]
        return np.array(rows, np.float32).reshape(-1, length)

    def _run(self, pixels: bytes, outputs: Sequence[str]) -> list[list[float]]:
        with self._borrowed() as model:
            return model.run(pixels, outputs)

    def _check_finite(self, values: Sequence[float]) -> None:
        if not all(map(math.isfinite, values)):
            raise BundleError(
                "not-finite",
                f"The model of {self.bundle.folder} gives distances that are not finite numbers",
                "Convert the run again.",
            )

    @contextmanager
    def _borrowed(self) -> Iterator[Model]:
        try:
            model = self._idle.pop()  # a list's pop and append are atomic
        except IndexError:
            model = self._load()
        try:
            yield model
        finally:
            self._idle.append(model)

    def _load(self) -> Model:
        try:
            with without_notice():
                return load_model(self.bundle.model, self._threads)
        except (ValueError, RuntimeError) as error:
            raise BundleError(
                "unreadable-model",
                f"LiteRT cannot load the model of {self.bundle.folder}: {error}",
                "Convert the run again.",
            ) from error


def _divide_logits(scores: list[float], temperature: float) -> Sequence[float]:
    """Return softmax(logits / T) of softmax(logits), in float32: p^(1/T), scaled to add up to 1 again.

    The highest is scaled to 1 first, so that a low temperature cannot make all of them vanish.
    """
    highest = max(scores)
    if not highest:
        return scores
    powers = [(score / highest) ** (1 / temperature) for score in scores]
    total = sum(powers)
    return array("f", [power / total for power in powers])


def _check_tensors(inputs: str, outputs: Mapping[str, str], bundle: Bundle) -> dict[str, int]:
    """Check that a model's input and outputs are what its bundle says.

    Args:
        inputs: Types and shapes of the model's inputs.
        outputs: Name → type and shape of its outputs. A single one may have any name.
        bundle: The bundle.

    Returns:
        Name → length of the outputs.

    Raises:
        BundleError: `mismatched-model` if they are not.
    """
    spec = bundle.input
    lengths = {name: _length(tensor) for name, tensor in outputs.items()}
    if len(lengths) == 1:
        lengths = dict.fromkeys([PROBABILITIES], *lengths.values())
    input_type = f"uint8[1, {spec.height}, {spec.width}, 3]"
    distances = len(bundle.familiarity.weights) if bundle.familiarity else 0
    is_valid = inputs == input_type and lengths.get(PROBABILITIES) == len(bundle.labels)
    if distances or len(lengths) > 1:
        is_valid = (
            is_valid
            and lengths.keys() == {PROBABILITIES, EMBEDDING, NOVELTY}
            and all(1 <= lengths[name] <= MAX_LENGTH for name in (EMBEDDING, NOVELTY))
            and distances in (0, lengths[NOVELTY])
        )
    if is_valid:
        return lengths
    actual = ", ".join(f"{name[:MAX_NAME]} {tensor}" for name, tensor in outputs.items())
    raise BundleError(
        "mismatched-model",
        f"The model of {bundle.folder} maps {inputs} to {actual}, but its bundle says "
        f"{input_type} to probabilities float32[1, {len(bundle.labels)}]"
        + (f", embedding, and novelty float32[1, {distances}]" if distances else ""),
        "Convert the run again.",
    )


def _length(tensor: str) -> int:
    """Return n for a tensor float32[1, n], and 0 for any other."""
    digits = tensor.removeprefix("float32[1, ").removesuffix("]")
    return int(digits) if digits.isdecimal() else 0
