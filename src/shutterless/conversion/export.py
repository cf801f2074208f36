"""Export a Keras model as TFLite, in one of four precisions."""

import tempfile
from collections.abc import Iterable
from enum import StrEnum

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from shutterless.errors import ConversionError


class Precision(StrEnum):
    """How the weights are stored. With `INT8`, the activations are 8-bit integers too."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    DYNAMIC = "dynamic"
    INT8 = "int8"


def to_tflite(
    model: keras.Model, precision: Precision, calibration: Iterable[npt.NDArray[np.uint8]] = ()
) -> bytes:
    """Convert a Keras model to TFLite.

    Args:
        model: Maps uint8[n, height, width, 3] to probabilities float32[n, labels].
        precision: How the weights are stored.
        calibration: Typical photos, uint8[height, width, 3] each, which `INT8` measures the ranges of the
            activations on; other precisions ignore them.

    Returns:
        The content of a .tflite file. It maps one photo, uint8[1, height, width, 3], to float32[1, labels].

    Raises:
        ConversionError: TensorFlow cannot convert the model (`conversion-failed`).
    """
    with tempfile.TemporaryDirectory(prefix="shutterless-") as folder:
        # Through a SavedModel for inference, because `from_keras_model` fails with several Keras 3 releases.
        archive = keras.export.ExportArchive()
        archive.track(model)
        archive.add_endpoint(
            "serve",
            lambda pixels: model(pixels, training=False),
            input_signature=[tf.TensorSpec((1, *model.input_shape[1:]), tf.uint8)],
        )
        archive.write_out(folder, verbose=False)
        try:
            return bytes(_converter(folder, precision, calibration).convert())
        except Exception as error:
            raise ConversionError(
                "conversion-failed",
                f"TensorFlow cannot convert this model to {precision}: {error}",
                "Choose another precision; float32 always converts what was trained here.",
            ) from error


def _converter(
    saved_model: str, precision: Precision, calibration: Iterable[npt.NDArray[np.uint8]]
) -> tf.lite.TFLiteConverter:
    converter = tf.lite.TFLiteConverter.from_saved_model(saved_model)
    if precision is Precision.FLOAT32:
        return converter
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision is Precision.FLOAT16:
        converter.target_spec.supported_types = [tf.float16]
    if precision is Precision.INT8:
        converter.representative_dataset = lambda: ([photo[np.newaxis]] for photo in calibration)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.uint8
        converter.inference_output_type = tf.float32
    return converter
