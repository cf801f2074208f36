"""LiteRT's C library: results as of its Python interpreter, and every object destroyed."""

import collections
import gc

import numpy as np
import pytest

from shutterless.errors import BundleError
from shutterless.runtime.model import litert
from shutterless.runtime.model.bundle import read_bundle
from shutterless.runtime.model.classifier import Classifier
from shutterless.runtime.model.interpreter import InterpretedModel
from shutterless.runtime.model.litert import CompiledModel, load_library, load_model
from tests.small_models import make_colour_model

pytestmark = pytest.mark.skipif(load_library() is None, reason="this system's LiteRT has no C library")


class CountingLibrary:
    """The library, with how often each of its functions was called."""

    def __init__(self) -> None:
        self.calls = collections.Counter()

    def __getattr__(self, name):
        function = getattr(load_library(), name)

        def call(*arguments):
            self.calls[name] += 1
            return function(*arguments)

        return call


@pytest.fixture
def library() -> CountingLibrary:
    return CountingLibrary()


@pytest.fixture(scope="module")
def model(colour_bundle) -> bytes:
    return read_bundle(colour_bundle).model


@pytest.fixture
def without_library(monkeypatch):
    monkeypatch.setattr(litert, "load_library", lambda: None)


def test_every_function_is_called_and_every_object_is_destroyed(library):
    compiled = CompiledModel(library, make_colour_model([(0, 0, 1), (1, 0, 0)]), threads=1)
    compiled.run(bytes(32 * 32 * 3), [*compiled.outputs])
    assert compiled.count_subgraphs() == 1
    assert not library.calls.keys() & {"LiteRtDestroyModel", "LiteRtDestroyCompiledModel"}
    del compiled
    gc.collect()
    assert library.calls.keys() == {*litert.FUNCTIONS, *litert.DESTRUCTORS}
    assert library.calls["LiteRtDestroyTensorBuffer"] == 4
    assert {library.calls[name] for name in litert.DESTRUCTORS} == {1, 4}


def test_what_was_made_of_a_damaged_model_is_destroyed(library, model):
    with pytest.raises(RuntimeError):
        CompiledModel(library, b"no model", threads=1)
    with pytest.raises(RuntimeError):
        CompiledModel(library, model[:10_000] + bytes(len(model) - 10_000), threads=1)
    gc.collect()
    calls = library.calls
    assert calls["LiteRtDestroyOptions"] == calls["LiteRtCreateOptions"]
    assert calls["LiteRtDestroyTensorBuffer"] == 0


def test_results_are_those_of_the_python_interpreter_bit_for_bit(model):
    compiled, interpreted = load_model(model, threads=1), InterpretedModel(model, threads=1)
    assert isinstance(compiled, CompiledModel)
    assert (compiled.inputs, compiled.outputs) == (interpreted.inputs, interpreted.outputs)
    assert compiled.inputs == "uint8[1, 32, 32, 3]"
    assert "float32[1, 3]" in compiled.outputs.values()
    rng = np.random.default_rng(3)
    pictures = [rng.integers(0, 256, 32 * 32 * 3, np.uint8).tobytes() for _ in range(50)]
    names = [*compiled.outputs]
    results = [compiled.run(picture, names) for picture in pictures]
    assert results == [interpreted.run(picture, names) for picture in pictures]
    assert len({str(result) for result in results}) == 50


def test_outputs_are_read_by_name_in_any_order():
    model = make_colour_model([(0, 0, 1), (1, 0, 0)])
    picture = bytes((0, 51, 102)) * 32 * 32
    for loaded in (load_model(model, threads=1), InterpretedModel(model, threads=1)):
        assert loaded.outputs == {
            "probabilities": "float32[1, 2]",
            "embedding": "float32[1, 3]",
            "novelty": "float32[1, 2]",
        }
        (embedding,) = loaded.run(picture, ["embedding"])
        assert embedding == pytest.approx([0, 0.2, 0.4])
        novelty, probabilities = loaded.run(picture, ["novelty", "probabilities"])
        assert novelty == pytest.approx([0.2**2 + 0.6**2, 0.2])
        assert probabilities[0] == pytest.approx(1 - probabilities[1])


def test_two_outputs_of_the_same_name_are_refused():
    model = make_colour_model([(0, 0, 1), (1, 0, 0)], names=("a", "b", "a"))
    for load in (load_model, InterpretedModel):
        with pytest.raises(RuntimeError):
            load(model, threads=1)


def test_a_model_of_many_outputs_is_refused(monkeypatch, library):
    monkeypatch.setattr(litert, "MAX_TENSORS", 2)
    with pytest.raises(RuntimeError):
        CompiledModel(library, make_colour_model([(0, 0, 1), (1, 0, 0)]), threads=1)
    assert library.calls["LiteRtDestroyModel"] == library.calls["LiteRtDestroyCompiledModel"] == 1


@pytest.mark.parametrize("change", [-1, 1])
def test_an_input_of_another_size_is_refused(model, change):
    for loaded in (load_model(model, threads=1), InterpretedModel(model, threads=1)):
        with pytest.raises(ValueError):
            loaded.run(bytes(32 * 32 * 3 + change), [*loaded.outputs])
        assert len(loaded.run(bytes(32 * 32 * 3), [*loaded.outputs])) == len(loaded.outputs)


def test_without_the_library_the_python_interpreter_answers_alike(colour_bundle, without_library):
    bundle = read_bundle(colour_bundle)
    interpreted = Classifier(bundle)
    assert isinstance(interpreted._idle[0], InterpretedModel)
    interpreted.warm_up()
    rng = np.random.default_rng(4)
    pictures = rng.integers(0, 256, (8, 32, 32, 3), np.uint8)
    compiled = CompiledModel(load_library(), bundle.model, threads=1)
    names = [name for name in compiled.outputs if name not in ("embedding", "novelty")]
    expected = [compiled.run(picture.tobytes(), names)[0] for picture in pictures]
    assert Classifier(bundle.replace(temperature=1.0)).probabilities(pictures).tolist() == expected


@pytest.mark.parametrize("content", [b"", b"no model", b"\x1c\0\0\0TFL3" + bytes(100)])
def test_without_the_library_a_damaged_model_gets_the_same_error(colour_bundle, without_library, content):
    with pytest.raises(BundleError) as caught:
        Classifier(read_bundle(colour_bundle).replace(model=content))
    assert caught.value.code == "unreadable-model"


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("LIBRARY", "missing.so"),
        ("FUNCTIONS", {"LiteRtOfAnotherVersion": ()}),
        ("PathFinder.find_spec", lambda name: None),
        ("sys.platform", "win32"),
    ],
)
def test_a_library_that_does_not_fit_is_left_alone(monkeypatch, place, value):
    monkeypatch.setattr(f"shutterless.runtime.model.litert.{place}", value)
    assert load_library.__wrapped__() is None
