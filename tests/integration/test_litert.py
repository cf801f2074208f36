"""LiteRT's C library beside its Python interpreter: each precision, many calls, damaged models."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from shutterless.export import Exporter, Precision
from shutterless.runtime.image.decoder import InputSpec, decode
from shutterless.runtime.model.interpreter import InterpretedModel
from shutterless.runtime.model.litert import CompiledModel, load_library
from shutterless.training import load_run

pytestmark = pytest.mark.skipif(load_library() is None, reason="this system's LiteRT has no C library")

PHOTOS = Path(__file__).parents[3] / "shared" / "datasets" / "clothing" / "validation"
SCRIPT = Path(__file__).parents[2] / "scripts" / "try_litert.py"
SIGNALS = ("SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGSEGV", "without end")


@pytest.fixture(scope="module")
def pictures(colour_photos) -> list[bytes]:
    """Return photos as a model of 32 px takes them: those of ../shared if they are there, and drawn ones."""
    files = [*sorted(PHOTOS.glob("*/*.jpg")), *sorted(colour_photos.rglob("*.png"))]
    return [decode(file.read_bytes(), InputSpec(32, 32)).tobytes() for file in files]


@pytest.mark.parametrize("precision", Precision)
def test_in_every_precision_each_photo_gets_the_interpreters_scores_bit_for_bit(
    precision, colour_run, pictures
):
    arrays = [np.frombuffer(picture, np.uint8).reshape(32, 32, 3) for picture in pictures]
    with Exporter(load_run(colour_run).model, np.stack(arrays[-40:])) as exporter:
        content = exporter.export(precision)
    compiled = CompiledModel(load_library(), content, threads=1)
    interpreted = InterpretedModel(content, threads=1)
    (name,) = compiled.outputs
    scores = [compiled.run(picture, [name])[0] for picture in pictures]
    (interpreted_name,) = interpreted.outputs
    assert scores == [interpreted.run(picture, [interpreted_name])[0] for picture in pictures]
    assert len({tuple(row) for row in scores}) > len(pictures) / 5  # an int8 model has few different scores


def test_memory_stays_flat_and_damaged_models_end_no_more_processes_than_in_the_interpreter(colour_bundle):
    command = [sys.executable, SCRIPT, colour_bundle, "--calls", "2000", "--damaged", "40"]
    result = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert result["calls_kb"] < 500
    assert result["loads_kb"] < 5_000  # twenty models of 1 MB that leaked would be more
    for count in (result["compiled"], result["interpreted"]):
        assert sum(count.values()) == 40
    assert crashes(result["compiled"]) <= crashes(result["interpreted"])
    assert result["compiled"]["refused"] > 5


def crashes(count: dict[str, int]) -> int:
    return sum(count.get(name, 0) for name in SIGNALS)
