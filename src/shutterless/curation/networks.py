"""The networks that photos can be compared with: a backbone with its ImageNet weights, a run or a bundle."""

from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from shutterless.artifacts.run_files import is_run
from shutterless.features.embedding import DEFAULT_MODEL, Embedder
from shutterless.features.network import Network
from shutterless.model_check import open_bundle
from shutterless.runtime.image.decoder import InputSpec
from shutterless.runtime.model.bundle import DESCRIPTION
from shutterless.runtime.model.classifier import Classifier
from shutterless.training.backbones.builder import build_backbone
from shutterless.training.backbones.registry import import_backbone
from shutterless.training.backbones.scaling import scale
from shutterless.training.model import feature_maps, pool
from shutterless.training.run import load_run


@dataclass(frozen=True)
class BundleNetwork:
    """The embedding of a bundle of format 2."""

    classifier: Classifier

    @property
    def name(self) -> str:
        """The bundle's name."""
        return f"the bundle {self.classifier.bundle.name}"

    @property
    def identity(self) -> str:
        """A hash that changes with everything that changes the features."""
        return f"{self.classifier.bundle.sha256} {self.input}"

    @property
    def input(self) -> InputSpec:
        """Size and resizing of the model's input."""
        return self.classifier.input

    def features(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return the embeddings float32[n, d] of uint8[n, height, width, 3]."""
        return self.classifier.embeddings(pixels)


def load_network(model: str | Path = DEFAULT_MODEL) -> Embedder:
    """Return the network that a user names.

    Args:
        model: The folder of a run or of a bundle, or the name of a backbone, which has its ImageNet weights.

    Raises:
        RunError: The run is damaged or unfinished.
        BundleError: The bundle does not verify, or has no embedding (`no-embedding`), as with format 1.
        RecipeError: There is no such backbone, or its weights cannot be loaded, as without a network.
    """
    folder = Path(model)
    if is_run(folder):
        return _run_network(folder)
    if (folder / DESCRIPTION).is_file():
        return BundleNetwork(Classifier(open_bundle(folder)))
    return backbone_network(str(model))


def backbone_network(name: str, weights: str = "imagenet") -> Network:
    """Return a backbone, averaged over all places of its feature map.

    Args:
        name: A backbone of the catalogue.
        weights: `imagenet`, `none` for random weights, or a file.

    Raises:
        RecipeError: There is no such backbone, or its weights cannot be loaded.
    """
    backbone = import_backbone(name)
    side = backbone.image_size
    base = build_backbone(backbone, image_size=side, weights=weights)
    pixels = keras.Input((side, side, 3), dtype="uint8")
    features = keras.layers.GlobalAveragePooling2D()(base(scale(pixels, backbone.scaling)))
    return Network(backbone.name, keras.Model(pixels, features), InputSpec(side, side))


def _run_network(folder: Path) -> Network:
    run = load_run(folder)
    features = keras.Model(run.model.inputs[0], pool(run.model, feature_maps(run.model)))
    return Network(f"the run {folder}", features, run.input)
