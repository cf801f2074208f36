"""Read the arrays in a PyTorch weights file without PyTorch, and without running what the file says.

The format is what `torch.save` wrote before PyTorch 1.6: four pickles (magic number, protocol, sizes, and a
dictionary of tensors that refer to storages), a pickled list of the storages' keys, and then, for each of
them, its length in 64 bits and its content.
"""

import collections
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from shutterless.errors import RecipeError

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
_DTYPES = {"FloatStorage": "<f4", "HalfStorage": "<f2", "LongStorage": "<i8"}


@dataclass(frozen=True)
class _Storage:
    """A one-dimensional array, which follows in the file."""

    dtype: np.dtype[np.generic]
    key: str
    length: int


@dataclass(frozen=True)
class _Tensor:
    """A view of a storage."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]  # in elements

    def view(self, values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """Return the tensor as a copy of a part of its storage."""
        steps = zip(self.shape, self.strides, strict=True)
        last = self.offset + sum((side - 1) * stride for side, stride in steps)
        if min(self.offset, *self.shape, *self.strides, 0) < 0 or 0 in self.shape or last >= len(values):
            raise ValueError("a tensor reaches beyond its storage")
        if prod(self.shape) > len(values):  # which strides of 0 allow
            raise ValueError("a tensor is larger than its storage")
        size = values.itemsize
        strides = tuple(stride * size for stride in self.strides)
        return np.lib.stride_tricks.as_strided(values[self.offset :], self.shape, strides).copy()


def _rebuild_tensor(
    storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: object
) -> _Tensor:
    return _Tensor(storage, offset, shape, strides)


_GLOBALS: dict[tuple[str, str], Callable[..., object] | np.dtype[np.generic]] = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    **{("torch", name): np.dtype(dtype) for name, dtype in _DTYPES.items()},
}


class _WeightsUnpickler(pickle.Unpickler):
    """Unpickles dictionaries, numbers, text and tensors; whatever else a file names is refused."""

    def find_class(self, module: str, name: str) -> Callable[..., object] | np.dtype[np.generic]:
        """Return the stand-in for a global name of PyTorch."""
        try:
            return _GLOBALS[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}") from None

    def persistent_load(self, reference: object) -> _Storage:
        """Return the storage for PyTorch's reference to it."""
        match reference:
            case ("storage", np.dtype() as dtype, str(key), _, int(length), None):
                return _Storage(dtype, key, length)
        raise pickle.UnpicklingError("it refers to something other than a storage")


def read_torch_file(path: Path) -> dict[str, npt.NDArray[np.generic]]:
    """Read a PyTorch file of weights, in the format from before PyTorch 1.6.

    Args:
        path: The file.

    Returns:
        The arrays by their names, in the file's order, in PyTorch's axes.

    Raises:
        RecipeError: It is no such file, is damaged, or asks for anything but arrays
            (`unreadable-weights`).
    """
    try:
        with path.open("rb") as file:
            return _read(file)
    except Exception as error:  # a pickle of a stranger can raise anything
        raise RecipeError(
            "unreadable-weights",
            f"The weights in {path} cannot be read: {error}",
            "Download or install that file again.",
        ) from error


def _read(file: BinaryIO) -> dict[str, npt.NDArray[np.generic]]:
    def load() -> object:
        return _WeightsUnpickler(file).load()

    if (load(), load()) != (MAGIC, PROTOCOL):
        raise ValueError("it is no PyTorch file of before version 1.6")
    load()  # sizes of types, on the machine that wrote the file
    tensors, keys = load(), load()
    if not isinstance(tensors, dict) or not all(isinstance(each, _Tensor) for each in tensors.values()):
        raise ValueError("it does not contain tensors only")
    storages = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
    if not isinstance(keys, list) or set(keys) != set(storages):
        raise ValueError("its storages are not those of its tensors")
    contents = {key: _read_storage(file, storages[key]) for key in keys}
    return {name: tensor.view(contents[tensor.storage.key]) for name, tensor in tensors.items()}


def _read_storage(file: BinaryIO, storage: _Storage) -> npt.NDArray[np.generic]:
    length = int.from_bytes(file.read(8), "little", signed=True)
    content = file.read(length * storage.dtype.itemsize) if length == storage.length > 0 else b""
    if not content or len(content) != length * storage.dtype.itemsize:
        raise ValueError("a storage is cut off")
    return np.frombuffer(content, storage.dtype)
