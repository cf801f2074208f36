"""The tutorial's network with random weights.

InceptionV3 at 150 × 150 cut at mixed7, Flatten, Dense 1024, Dropout 0.5, Dense 10: 47.5 million parameters.
"""

from pathlib import Path

import keras
import tensorflow as tf


def build(labels: int = 10) -> keras.Model:
    """Return the network with its backbone frozen, as the tutorial trains it."""
    keras.utils.set_random_seed(1)
    backbone = keras.applications.InceptionV3(weights=None, include_top=False, input_shape=(150, 150, 3))
    for layer in backbone.layers:
        layer.trainable = False
    x = keras.layers.Flatten()(backbone.get_layer("mixed7").output)
    x = keras.layers.Dense(1024, activation="relu")(x)
    x = keras.layers.Dropout(0.5)(x)
    return keras.Model(backbone.input, keras.layers.Dense(labels, activation="softmax")(x))


def write(job: dict[str, str]) -> dict[str, str]:
    """Write the network below `folder` as model.keras and model.tflite."""
    folder, model = Path(job["folder"]), build()
    folder.mkdir(parents=True, exist_ok=True)
    model.save(folder / "model.keras")
    (folder / "model.tflite").write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
    return {}
