import collections
import io
import os
import pickle
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from shutterless.errors import RecipeError
from shutterless.training.backbones.torch_file import MAGIC, PROTOCOL, read_torch_file

FLOATS = np.arange(24, dtype=np.float32)


class FloatStorage:
    __module__ = "torch"


def _rebuild_tensor_v2(*_):
    pass


_rebuild_tensor_v2.__module__ = "torch._utils"


class Tensor:
    """What PyTorch's pickles call a tensor: a view of a storage."""

    def __init__(self, shape, strides, offset=0, length=24, dtype=FloatStorage):
        self.arguments = (SimpleNamespace(length=length, dtype=dtype), offset, shape, strides, False, {})

    def __reduce__(self):
        return _rebuild_tensor_v2, self.arguments


class TorchPickler(pickle.Pickler):
    def persistent_id(self, thing):
        if isinstance(thing, SimpleNamespace):
            return ("storage", thing.dtype, "7", "cpu", thing.length, None)
        return None


@pytest.fixture(autouse=True)
def torch(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", package := ModuleType("torch"))
    monkeypatch.setitem(sys.modules, "torch._utils", utils := ModuleType("torch._utils"))
    package.FloatStorage, utils._rebuild_tensor_v2 = FloatStorage, _rebuild_tensor_v2


@pytest.fixture
def save(tmp_path):
    """Return a function that writes what `torch.save` wrote before PyTorch 1.6."""

    def save(tensors, keys=("7",), values=FLOATS, magic=MAGIC):
        file = io.BytesIO()
        for part in (magic, PROTOCOL, {"little_endian": True}, tensors, list(keys)):
            TorchPickler(file, protocol=2).dump(part)
        file.write(len(values).to_bytes(8, "little") + values.tobytes())
        (path := tmp_path / "weights.pth").write_bytes(file.getvalue())
        return path

    return save


def refusal(path):
    with pytest.raises(RecipeError) as caught:
        read_torch_file(path)
    return caught.value.code


def test_tensors_are_views_of_their_storage_in_any_order_of_axes(save):
    tensors = collections.OrderedDict(
        a=Tensor((4, 3, 2), (6, 2, 1)), b=Tensor((2, 3), (1, 2), offset=12), c=Tensor((), (), offset=5)
    )
    arrays = read_torch_file(save(tensors))
    assert list(arrays) == ["a", "b", "c"]
    np.testing.assert_array_equal(arrays["a"], FLOATS.reshape(4, 3, 2))
    np.testing.assert_array_equal(arrays["b"], [[12, 14, 16], [13, 15, 17]])
    assert arrays["c"] == 5


class Hostile:
    def __init__(self, function, *arguments):
        self.reduced = function, arguments

    def __reduce__(self):
        return self.reduced


@pytest.mark.parametrize("function", [os.system, eval, getattr, io.open, np.frombuffer])
def test_what_is_no_array_is_refused_and_not_run(save, tmp_path, function):
    (target := tmp_path / "target").touch()
    assert refusal(save({"a": Hostile(function, f"rm {target}")})) == "unreadable-weights"
    assert target.exists()


@pytest.mark.parametrize(
    "tensor",
    [
        Tensor((5, 5), (5, 1)),
        Tensor((2,), (1,), offset=23),
        Tensor((2,), (1,), offset=-1),
        Tensor((2,), (-1,), offset=5),
        Tensor((2**62, 2**62), (1, 1)),
        Tensor((2**40,), (0,)),
        Tensor((2,), (1, 1)),
        Tensor((0,), (1,)),
        Tensor((1,), (1,), length=2**40),
        Tensor((1,), (1,), length=-1),
        Tensor((1,), (1,), dtype="FloatStorage"),
    ],
)
def test_a_tensor_that_is_not_in_the_file_is_refused(save, tensor):
    assert refusal(save({"a": tensor})) == "unreadable-weights"


def test_other_keys_contents_and_numbers_are_refused(save):
    tensor = Tensor((24,), (1,))
    assert refusal(save({"a": tensor}, keys=("8",))) == "unreadable-weights"
    assert refusal(save({"a": tensor, "b": "text"})) == "unreadable-weights"
    assert refusal(save([tensor])) == "unreadable-weights"
    assert refusal(save({"a": tensor}, magic=1)) == "unreadable-weights"


def test_a_file_that_ends_early_is_refused(save):
    path = save({"a": Tensor((24,), (1,))})
    content = path.read_bytes()
    for length in (0, 10, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        assert refusal(path) == "unreadable-weights"


def test_the_zip_format_of_newer_versions_is_refused(tmp_path):
    (path := tmp_path / "weights.pth").write_bytes(b"PK\x03\x04" + bytes(60))
    assert refusal(path) == "unreadable-weights"
