"""Features at two depths of a trained model: where fine-tuning begins, and where the head reads them."""

from collections.abc import Sequence
from functools import reduce
from pathlib import Path

import keras
import numpy as np

from shutterless.dataset import Photo, PhotoReader
from shutterless.dataset.types import NOTHING_DECODED, Decoded
from shutterless.errors import RunError
from shutterless.novelty.types import Floats
from shutterless.training import Run
from shutterless.training.model import find_backbone_layer
from shutterless.training.recipe import ModelPhase
from shutterless.utils.pipeline import map_ahead
from shutterless.utils.progress import Progress, silent

END = ""  # the feature map that the head reads
# Share of the layers below the inner depth, where a training has frozen all of them or none.
INNER_SHARE = 0.5
# Photos that are decoded and run together, while the next ones are decoded.
CHUNK = 64


def choose_layers(run: Run) -> tuple[str, str]:
    """Return the layers whose features tell strange pictures: the backbone's end, and one inside.

    Networks lose their sense of foreign photos where they are fine-tuned (arXiv 2603.11269), so the second is
    the last layer that a training leaves as it was. Where none or all of the backbone was trained, it is the
    layer half-way.
    """
    phases = run.recipe.phases(pretrained=run.settings.weights != "none").values()
    shares = [phase.frozen_share for phase in phases if isinstance(phase, ModelPhase)]
    return END, inner_layer(find_backbone_layer(run.model), max(shares, default=0) or INNER_SHARE)


def inner_layer(backbone: keras.Model, share: float) -> str:
    """Return the last layer within the first `share` of a backbone's layers that ends a block.

    Everything passes through such a layer, and no layer with weights is tapped, because its output would no
    longer be fused with the normalization or activation behind it. If the last one is not in the second half
    of those layers (NASNet has hardly any), the last feature map is taken.

    Args:
        backbone: A functional model.
        share: From 0 to 1.
    """
    operations = backbone.operations
    place = operations.index(backbone.layers[max(1, round(share * len(backbone.layers))) - 1])
    maps = [index for index in range(1, place + 1) if len(operations[index].output.shape) == 4] or [0]
    ends = [index for index in _block_ends(operations) if max(1, place // 2) <= index <= place]
    name: str = operations[max(ends, default=maps[-1])].name
    return name


def _block_ends(operations: Sequence[keras.Operation]) -> list[int]:
    """Return the places of feature maps without weights that all later operations depend on alone."""
    source = {id(operation.output): place for place, operation in enumerate(operations)}
    last_use = [0] * len(operations)
    for place, operation in enumerate(operations[1:], start=1):
        for tensor in keras.tree.flatten(operation.input):
            last_use[source[id(tensor)]] = place
    ends, reach = [], 0
    for place, operation in enumerate(operations):
        if reach <= place and len(operation.output.shape) == 4 and not getattr(operation, "weights", ()):
            ends.append(place)
        reach = max(reach, last_use[place])
    return ends


def feature_model(model: keras.Model, layers: Sequence[str]) -> keras.Model:
    """Return a model uint8[n, height, width, 3] → features float32[n, c] at each of several layers."""
    return keras.Model(model.input, tap(model, layers)[1])


def tap(model: keras.Model, layers: Sequence[str]) -> tuple[keras.KerasTensor, list[keras.KerasTensor]]:
    """Return symbolic tensors within a model, which share its weights.

    Args:
        model: A model that `build_model` built, perhaps saved and loaded since.
        layers: Names of operations of its backbone; `END` for its last one.

    Returns:
        The feature map that the pooling before the head reads, and the feature maps of the layers, averaged
        over all places.
    """
    backbone = find_backbone_layer(model)
    operations = model.operations
    scaling = operations[1 : operations.index(backbone)]
    network_input = reduce(lambda tensor, operation: operation(tensor), scaling, model.input)
    outputs = {END: backbone.output, **{each.name: each.output for each in backbone.operations}}
    taps = keras.Model(backbone.input, [backbone.output, *(outputs[layer] for layer in layers)])
    feature_map, *maps = taps(network_input)
    return feature_map, [keras.layers.GlobalAveragePooling2D()(each) for each in maps]


class FeatureReader:
    """Computes the features of photos by a run's model, at several depths in one pass.

    Attributes:
        layers: The depths, see `choose_layers`.
    """

    def __init__(self, run: Run, root: Path, progress: Progress = silent) -> None:
        """Build the model.

        Args:
            run: The run.
            root: The folder that the photos' paths are relative to.
            progress: Called with the number of photos after each chunk.
        """
        self.layers = choose_layers(run)
        self._model = feature_model(run.model, self.layers)
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
        chunks = [np.arange(start, min(start + CHUNK, len(photos))) for start in range(0, len(photos), CHUNK)]
        rows = []
        for chunk, pixels in zip(chunks, map_ahead(reader.__getitem__, chunks, workers=1), strict=True):
            self._progress("computing features", int(chunk[0]), len(photos))
            rows.append(self._model.predict_on_batch(pixels))
        self._progress("computing features", len(photos), len(photos))
        columns = [np.concatenate(column) for column in zip(*rows, strict=True)]
        if not all(np.isfinite(column).all() for column in columns):
            raise RunError(
                "not-finite",
                f"The model in {self._run.path} computes features that are not finite numbers",
                "Train again with a lower learning_rate in the recipe.",
            )
        return dict(zip(self.layers, columns, strict=True))
