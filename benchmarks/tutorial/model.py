"""Build the tutorial's network with random weights as .tflite: python benchmarks/tutorial/model.py FILE.

InceptionV3 at 150 × 150 cut at mixed7, Flatten, Dense 1024, Dropout 0.5, Dense 10: 47.5 million parameters.
"""

import sys
import tempfile
from pathlib import Path

import keras
import tensorflow as tf

keras.utils.set_random_seed(1)
backbone = keras.applications.InceptionV3(weights=None, include_top=False, input_shape=(150, 150, 3))
x = keras.layers.Flatten()(backbone.get_layer("mixed7").output)
x = keras.layers.Dense(1024, activation="relu")(x)
x = keras.layers.Dropout(0.5)(x)
model = keras.Model(backbone.input, keras.layers.Dense(10, activation="softmax")(x))
with tempfile.TemporaryDirectory() as folder:
    model.export(folder, verbose=False)
    Path(sys.argv[1]).write_bytes(tf.lite.TFLiteConverter.from_saved_model(folder).convert())
