"""Read the arrays in a safetensors file, which may come from a stranger.

The format: the length of a header in 8 bytes, the header in JSON (name → dtype, shape and place of an array),
and the arrays one after the other. See https://github.com/huggingface/safetensors#format.
"""

import json
from math import prod
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt

from shutterless.errors import RecipeError

MAX_HEADER_BYTES = 10_000_000  # that of a network of a thousand layers takes 100 KB
_DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4"}


def read_safetensors(path: Path) -> dict[str, npt.NDArray[np.generic]]:
    """Read a safetensors file.

    Args:
        path: The file.

    Returns:
        The arrays by their names, read-only.

    Raises:
        RecipeError: It is no such file, or is damaged (`unreadable-weights`).
    """
    try:
        return _parse(path.read_bytes())
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        raise RecipeError(
            "unreadable-weights",
            f"The weights in {path} cannot be read: {error}",
            "Download that file again.",
        ) from error


def _parse(content: bytes) -> dict[str, npt.NDArray[np.generic]]:
    length = int.from_bytes(content[:8], "little")
    if not 2 <= length <= min(MAX_HEADER_BYTES, len(content) - 8):
        raise ValueError("it is no safetensors file")
    header, data = json.loads(content[8 : 8 + length].decode()), memoryview(content)[8 + length :]
    if not isinstance(header, dict):
        raise ValueError("its header is no object")
    return {name: _view(data, name, entry) for name, entry in header.items() if name != "__metadata__"}


def _view(data: memoryview, name: str, entry: object) -> npt.NDArray[np.generic]:
    """Return an array that the header describes, if it lies within the data."""
    match entry:
        case {"dtype": str(dtype), "shape": list(sides), "data_offsets": [int(start), int(end)]}:
            shape = cast(list[int], sides)
            if dtype not in _DTYPES:
                raise ValueError(f"{name} has the type {dtype:.20}")
            kind = np.dtype(_DTYPES[dtype])
            is_shape = len(shape) <= 8 and all(type(side) is int and side >= 0 for side in shape)
            if not is_shape or not 0 <= start <= end <= len(data):
                raise ValueError(f"{name} is not within the file")
            if prod(shape) * kind.itemsize != end - start:
                raise ValueError(f"{name} has another size than its shape")
            return np.frombuffer(data[start:end], kind).reshape(shape)
    raise ValueError(f"{name} has no type, shape and place")
