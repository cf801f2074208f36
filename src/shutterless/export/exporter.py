"""Export a Keras model as TFLite, in several precisions."""

import tempfile
import warnings
from collections.abc import Iterable
from enum import StrEnum
from functools import cached_property

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from shutterless.errors import ConversionError
from shutterless.export.graph import Graph
from shutterless.utils.quiet import quiet_start


class Precision(StrEnum):
    """How the weights are stored, and with `INT8` and `INT8_MIXED` the activations too."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    DYNAMIC = "dynamic"
    INT8 = "int8"
    INT8_MIXED = "int8-mixed"  # the first and the last layer in float32, where rounding costs the most

    @property
    def needs_photos(self) -> bool:
        """Whether the ranges of the activations are measured on typical photos."""
        return self in (Precision.INT8, Precision.INT8_MIXED)


class Exporter:
    """Converts a Keras model to TFLite in several precisions; what they have in common is computed once.

    A context manager, which removes its temporary files.
    """

    def __init__(self, model: keras.Model, calibration: Iterable[npt.NDArray[np.uint8]] = ()) -> None:
        """Export the model as a SavedModel.

        Args:
            model: Maps uint8[n, height, width, 3] to named outputs, as `with_novelty` returns it, or to
                probabilities only.
            calibration: Typical photos, uint8[height, width, 3] each, which `INT8` and `INT8_MIXED` measure
                the ranges of the activations on; read once, and not for other precisions.
        """
        self._calibration = calibration
        self._folder = tempfile.TemporaryDirectory(prefix="shutterless-")
        # Through a SavedModel for inference, because `from_keras_model` fails with several Keras 3 releases.
        archive = keras.export.ExportArchive()
        archive.track(model)
        archive.add_endpoint(
            "serve",
            lambda pixels: model(pixels, training=False),
            input_signature=[tf.TensorSpec((1, *model.input_shape[1:]), tf.uint8)],
        )
        archive.write_out(self._folder.name, verbose=False)

    def __enter__(self) -> "Exporter":
        """Return itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Remove the temporary files."""
        self._folder.cleanup()

    def export(self, precision: Precision) -> bytes:
        """Convert the model.

        Returns:
            The content of a .tflite file for one photo, uint8[1, height, width, 3]. Its signature has the
            model's outputs by their names.

        Raises:
            ConversionError: TensorFlow cannot convert the model (`conversion-failed`).
        """
        try:
            # TensorFlow's own quantizer uses an interpreter that TensorFlow warns of.
            with quiet_start(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return self._quantize(precision) if precision.needs_photos else self._convert(precision)
        except Exception as error:
            raise ConversionError(
                "conversion-failed",
                f"TensorFlow cannot convert this model to {precision}: {error}",
                "Choose another precision; float32 always converts what was trained here.",
            ) from error

    def _convert(self, precision: Precision) -> bytes:
        converter = tf.lite.TFLiteConverter.from_saved_model(self._folder.name)
        if precision is not Precision.FLOAT32:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if precision is Precision.FLOAT16:
            converter.target_spec.supported_types = [tf.float16]
        return bytes(converter.convert())

    def _quantize(self, precision: Precision) -> bytes:
        graph = Graph(self._ranges.calibrated_model)
        in_float = graph.novelty_branch()
        if precision is Precision.INT8_MIXED:
            in_float |= graph.outer_layers()
        options = tf.lite.experimental.QuantizationDebugOptions(denylisted_nodes=sorted(in_float))
        self._ranges.options = options
        return bytes(self._ranges.get_nondebug_quantized_model())

    @cached_property
    def _ranges(self) -> tf.lite.experimental.QuantizationDebugger:
        """The float model with the ranges of its activations: measuring them takes longer than the rest.

        TensorFlow's debugger is its public way to quantize a model several times after measuring once, and
        to leave layers in float. Weights are quantized by output channel, which is its default.
        """
        converter = tf.lite.TFLiteConverter.from_saved_model(self._folder.name)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([photo[np.newaxis]] for photo in self._calibration)
        return tf.lite.experimental.QuantizationDebugger(converter=converter)
