"""A bundle's model in memory: loaded once, it classifies any number of pictures, from any thread."""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter

from shutterless.errors import BundleError
from shutterless.runtime.image.decoder import InputSpec
from shutterless.runtime.model.bundle import Bundle
from shutterless.runtime.model.prediction import Prediction


class Classifier:
    """A bundle's model, ready to predict.

    An interpreter has one set of buffers, so each prediction borrows one; there are as many as there were
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
        if bundle.path is None:
            raise BundleError(
                "bundle-without-folder", "The bundle was not read from a folder", "Use read_bundle."
            )
        self.bundle = bundle
        self._threads = threads
        first = self._load()
        self._input, self._output = _tensors(first, bundle)
        self._idle = [first]

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

    def probabilities(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return the scores of several pictures.

        They are classified at the same time, on all cores, each by an interpreter of its own; the scores
        are the same as one after the other.

        Args:
            pixels: uint8[n, height, width, 3].

        Returns:
            float32[n, labels]; each row adds up to 1.
        """
        if len(pixels) == 1:
            return self._infer(pixels[0])[np.newaxis]
        from concurrent.futures import ThreadPoolExecutor  # which answering a request does not need

        from shutterless.runtime.host_resources import cores

        with ThreadPoolExecutor(max(1, cores() // self._threads)) as pool:
            return np.array([*pool.map(self._infer, pixels)], np.float32).reshape(-1, len(self.labels))

    def warm_up(self) -> None:
        """Run the model once, so that the first picture takes no longer than the others.

        Raises:
            BundleError: `not-probabilities` if its scores are not finite and positive with a sum of 1.
        """
        scores = self._infer(np.zeros((self.input.height, self.input.width, 3), np.uint8))
        tolerance = 0.01 + len(scores) / 512  # an int8 model rounds each score to the next 256th
        if not (np.isfinite(scores).all() and scores.min() >= 0 and abs(scores.sum() - 1) <= tolerance):
            raise BundleError(
                "not-probabilities",
                f"The scores of the model of {self.bundle.path} are not probabilities",
                "Train again with a lower learning rate if they are not finite, and convert again.",
            )

    def classify(self, pixels: npt.NDArray[np.uint8]) -> Prediction:
        """Classify one picture.

        Args:
            pixels: uint8[height, width, 3], as `decoder.decode` returns them.
        """
        scores = self._infer(pixels)
        best = int(scores.argmax())
        confidence = float(scores[best])
        return Prediction(
            label=self.labels[best],
            confidence=confidence,
            accepted=confidence >= self.bundle.threshold,
            scores=dict(zip(self.labels, map(float, scores), strict=True)),
        )

    def _infer(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        with self._borrowed() as interpreter:
            interpreter.set_tensor(self._input, pixels[np.newaxis])
            interpreter.invoke()
            scores: npt.NDArray[np.float32] = interpreter.get_tensor(self._output)[0]
        if self.bundle.temperature == 1:
            return scores
        # softmax(logits / T) from softmax(logits): p^(1/T), scaled to add up to 1 again. The highest is
        # scaled to 1 first, so that a low temperature cannot make all of them vanish.
        powers = (scores / scores.max()) ** np.float32(1 / self.bundle.temperature)
        return powers / powers.sum()

    @contextmanager
    def _borrowed(self) -> Iterator[Interpreter]:
        try:
            interpreter = self._idle.pop()  # a list's pop and append are atomic
        except IndexError:
            interpreter = self._load()
        try:
            yield interpreter
        finally:
            self._idle.append(interpreter)

    def _load(self) -> Interpreter:
        try:
            with _without_notice():
                interpreter = Interpreter(model_content=self.bundle.model, num_threads=self._threads)
                interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise BundleError(
                "unreadable-model",
                f"LiteRT cannot load the model of {self.bundle.path}: {error}",
                "Convert the run again.",
            ) from error
        return interpreter


# LiteRT writes this to standard error with the first model of a process, and no setting turns it off.
_NOTICE = b"Created TensorFlow Lite XNNPACK delegate for CPU"
PIPE_CAPACITY = 64 * 1024  # on Linux
_redirecting = threading.Lock()
_is_notice_written = False


@contextmanager
def _without_notice() -> Iterator[None]:
    """Keep LiteRT's notice, but nothing else, off standard error."""
    global _is_notice_written
    if _is_notice_written or not hasattr(os, "set_blocking"):  # Windows before Python 3.12
        yield
        return
    with _redirecting:
        pipe, restore = _redirect_stderr()
        try:
            yield
        finally:
            restore()
            with os.fdopen(pipe, "rb", buffering=0) as stream:
                output = stream.read(PIPE_CAPACITY) or b""
            _is_notice_written = _NOTICE in output
            rest = b"".join(line for line in output.splitlines(True) if _NOTICE not in line)
            with contextlib.suppress(OSError):  # nobody reads it
                os.write(2, rest)


def _redirect_stderr() -> tuple[int, Callable[[], None]]:
    """Redirect standard error into a pipe; return its other end, and a function that undoes it.

    Neither end blocks: what does not fit into the pipe is lost.
    """
    pipe, writing = os.pipe()
    try:
        stderr = os.dup(2)
    except OSError:  # it is closed
        os.close(writing)
        return pipe, lambda: None
    for end in (pipe, writing):
        os.set_blocking(end, False)
    os.dup2(writing, 2)
    os.close(writing)

    def restore() -> None:
        os.dup2(stderr, 2)
        os.close(stderr)

    return pipe, restore


def _tensors(interpreter: Interpreter, bundle: Bundle) -> tuple[int, int]:
    """Return the indices of the input and the output tensor, which must be what the bundle says."""
    spec = bundle.input
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    types = tuple(", ".join(map(_describe_tensor, details)) for details in (inputs, outputs))
    bundle_types = f"uint8[1, {spec.height}, {spec.width}, 3]", f"float32[1, {len(bundle.labels)}]"
    if types != bundle_types:
        raise BundleError(
            "mismatched-model",
            f"The model of {bundle.path} maps {types[0]} to {types[1]}, but its bundle says "
            f"{bundle_types[0]} to {bundle_types[1]}",
            "Convert the run again.",
        )
    return inputs[0]["index"], outputs[0]["index"]


def _describe_tensor(details: dict[str, npt.NDArray[np.int32]]) -> str:
    return f"{np.dtype(details['dtype']).name}{[int(side) for side in details['shape']]}"
