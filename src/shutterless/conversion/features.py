"""Features inside a trained model, which tell pictures that are like its training photos from others."""

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from shutterless.dataset import Photo, PhotoReader, index_chunks
from shutterless.dataset.types import NOTHING_DECODED, Decoded
from shutterless.errors import RunError
from shutterless.novelty.types import Floats
from shutterless.training import Run
from shutterless.training.model import find_backbone_layer, scaled_pixels
from shutterless.utils.pipeline import map_ahead
from shutterless.utils.progress import Progress, silent

END = ""  # the feature map that the head reads
# Depths that tell strange pictures. Features from further inside notice less: docs/confidence.md.
LAYERS = (END,)
# Photos that are decoded and run together, while the next ones are decoded.
CHUNK = 64


def feature_model(model: keras.Model, layers: Sequence[str]) -> keras.Model:
    """Return a model uint8[n, height, width, 3] → a dictionary from each layer to features float32[n, c]."""
    return keras.Model(model.input, dict(zip(layers, tap(model, layers)[1], strict=True)))


def tap(model: keras.Model, layers: Sequence[str]) -> tuple[list[keras.KerasTensor], list[keras.KerasTensor]]:
    """Return symbolic tensors within a model, which share its weights.

    Args:
        model: A model that `build_model` built, perhaps saved and loaded since.
        layers: Names of operations of its backbone; `END` for its last one.

    Returns:
        The feature maps that the pooling before the head reads, and those of the layers, averaged over all
        places.
    """
    backbone = find_backbone_layer(model)
    last, *others = backbone.outputs
    outputs = {END: last, **{each.name: each.output for each in backbone.operations}}
    taps = keras.Model(backbone.input, [last, *others, *(outputs[layer] for layer in layers)])
    tensors: list[keras.KerasTensor] = keras.tree.flatten(taps(scaled_pixels(model)))
    count = len(backbone.outputs)
    return tensors[:count], [keras.layers.GlobalAveragePooling2D()(each) for each in tensors[count:]]


class FeatureReader:
    """Computes the features of photos by a run's model, at the depths `LAYERS` in one pass."""

    def __init__(self, run: Run, root: Path, progress: Progress = silent) -> None:
        """Build the model.

        Args:
            run: The run.
            root: The folder that the photos' paths are relative to.
            progress: Called with the number of photos after each chunk.
        """
        self._model = feature_model(run.model, LAYERS)
        self._run, self._root, self._progress = run, root, progress

    def read(self, photos: Sequence[Photo], decoded: Decoded = NOTHING_DECODED) -> dict[str, Floats]:
        """Return the features of photos.

        Args:
            photos: One or more photos.
            decoded: Photos that need not be decoded again.

        Returns:
            Layer → float32[photos, c].

        Raises:
            DatasetError: A photo is missing or damaged since the data set was loaded (`unreadable-photo`).
            RunError: Features are not finite (`not-finite`).
        """
        reader = PhotoReader(self._root, photos, self._run.input, memory_limit=0, decoded=decoded)
        rows: list[dict[str, Floats]] = []
        for pixels in map_ahead(reader.__getitem__, index_chunks(len(photos), CHUNK), workers=1):
            self._progress("computing features", CHUNK * len(rows), len(photos))
            rows.append(self._model.predict_on_batch(pixels))
        self._progress("computing features", len(photos), len(photos))
        features = {layer: np.concatenate([row[layer] for row in rows]) for layer in LAYERS}
        if not all(np.isfinite(each).all() for each in features.values()):
            raise RunError(
                "not-finite",
                f"The model in {self._run.path} computes features that are not finite numbers",
                "Train again with a lower learning_rate in the recipe.",
            )
        return features
