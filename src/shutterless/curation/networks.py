"""The networks that photos can be compared with: a backbone with its ImageNet weights, or a run."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from shutterless.artifacts.run_files import MODEL, is_run
from shutterless.curation.embedding import DEFAULT_MODEL, Embedder, weights_hash
from shutterless.errors import InputError
from shutterless.runtime.image.decoder import InputSpec
from shutterless.runtime.model.bundle import DESCRIPTION
from shutterless.training.backbones.builder import build_backbone, find_backbone
from shutterless.training.backbones.scaling import scale
from shutterless.training.run import load_run

POOLING = "pooling"  # the layer before the head


@dataclass(frozen=True)
class Network:
    """A Keras model that ends before its head.

    Attributes:
        name: What messages call it.
        model: uint8[n, height, width, 3] → features float32[n, d].
        input: Size and resizing of its input.
        identity: A hash that changes with everything that changes the features.
    """

    name: str
    model: keras.Model
    input: InputSpec
    identity: str

    def features(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return the features float32[n, d] of uint8[n, height, width, 3]."""
        return np.asarray(self.model.predict_on_batch(pixels), np.float32)


def load_network(model: str | Path = DEFAULT_MODEL) -> Embedder:
    """Return the network that a user names.

    Args:
        model: A run folder, or the name of a backbone, which has its ImageNet weights.

    Raises:
        RunError: The run is damaged or unfinished.
        RecipeError: There is no such backbone, or its weights cannot be loaded, as without a network.
        InputError: It is a folder, but not a run (`not-a-run`).
    """
    folder = Path(model)
    if is_run(folder):
        return _run_network(folder)
    if (folder / DESCRIPTION).is_file():
        raise InputError(
            "bundle-without-features",
            f"{folder} is a bundle, which gives labels and not the features of its network",
            "Give the run folder that it was converted from, or the name of a backbone.",
        )
    return backbone_network(str(model))


def backbone_network(name: str, weights: str = "imagenet") -> Network:
    """Return a backbone, averaged over all places of its feature map.

    Args:
        name: A backbone of the catalogue.
        weights: `imagenet`, `none` for random weights, or a file.

    Raises:
        RecipeError: There is no such backbone, or its weights cannot be loaded.
    """
    backbone = find_backbone(name)
    side = backbone.image_size
    base = build_backbone(backbone, image_size=side, weights=weights)
    pixels = keras.Input((side, side, 3), dtype="uint8")
    features = keras.layers.GlobalAveragePooling2D()(base(scale(pixels, backbone.scaling)))
    spec = InputSpec(side, side)
    identity = weights_hash(base.get_weights(), backbone.name, spec)
    return Network(backbone.name, keras.Model(pixels, features), spec, identity)


def _run_network(folder: Path) -> Network:
    run = load_run(folder)
    features = keras.Model(run.model.inputs, run.model.get_layer(POOLING).output)
    with (folder / MODEL).open("rb") as file:
        file_hash = hashlib.file_digest(file, "sha256").hexdigest()
    return Network(f"the run {folder}", features, run.input, f"{file_hash} {run.input}")
