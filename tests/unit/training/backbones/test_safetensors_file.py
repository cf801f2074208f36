import json

import numpy as np
import pytest

from shutterless.errors import RecipeError
from shutterless.training.backbones.safetensors_file import read_safetensors


def write(path, header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text + data)
    return path


def entry(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def test_arrays_are_read_by_name(tmp_path):
    matrix, half = np.arange(6, dtype="<f4").reshape(2, 3), np.array([0.5], "<f2")
    header = {
        "__metadata__": {"format": "pt"},
        "b.weight": entry("F16", [1], [24, 26]),
        "a.weight": entry("F32", [2, 3], [0, 24]),
        "count": entry("I64", [], [26, 34]),
    }
    data = matrix.tobytes() + half.tobytes() + np.int64(7).tobytes()
    arrays = read_safetensors(write(tmp_path / "weights.safetensors", header, data))
    assert arrays.keys() == {"a.weight", "b.weight", "count"}
    assert (arrays["a.weight"] == matrix).all()
    assert arrays["b.weight"] == half
    assert arrays["count"] == 7


@pytest.mark.parametrize(
    "damage",
    [
        {"header": {"a": entry(offsets=[0, 16])}},  # beyond the file
        {"header": {"a": entry(offsets=[8, 0])}},
        {"header": {"a": entry(offsets=[-8, 0])}},
        {"header": {"a": entry(offsets=[0, 8, 16])}},
        {"header": {"a": entry(offsets=[0.0, 8.0])}},
        {"header": {"a": entry(shape=[3])}},  # of another size
        {"header": {"a": entry(shape=[-1, -2])}},
        {"header": {"a": entry(shape=[True, 2])}},
        {"header": {"a": entry(shape=[1] * 200 + [2])}},
        {"header": {"a": entry(shape=[2**40, 2**40])}},
        {"header": {"a": entry("O")}},
        {"header": {"a": entry("BF16")}},
        {"header": {"a": {"dtype": "F32"}}},
        {"header": {"a": None}},
        {"header": []},
        {"header": b"{"},
        {"header": b"\xff\xfe"},
        {"header": b"[" * 200_000},
        {"header": {"a": entry()}, "length": 2**63},
        {"header": {"a": entry()}, "length": 0},
        {"header": {"a": entry()}, "length": 500},
    ],
    ids=str,
)
def test_a_damaged_file_is_refused(tmp_path, damage):
    with pytest.raises(RecipeError) as caught:
        read_safetensors(write(tmp_path / "weights.safetensors", data=b"\0" * 8, **damage))
    assert caught.value.code == "unreadable-weights"


@pytest.mark.parametrize("content", [b"", b"\x01", b"not a file of weights at all"])
def test_another_file_is_refused(tmp_path, content):
    (file := tmp_path / "weights.safetensors").write_bytes(content)
    with pytest.raises(RecipeError) as caught:
        read_safetensors(file)
    assert caught.value.code == "unreadable-weights"
