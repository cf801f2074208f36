"""What importing and starting really loads and does, seen in processes of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import shutterless
from shutterless.runtime.model.litert import load_library

# LiteRT's Python interpreter, and NumPy, which serving needs where LiteRT's C library does not load.
INTERPRETER = ("ai_edge_litert", "numpy") if load_library() else ()
# All that is not for serving on Lambda, and its web server.
BLOCKED = (
    *INTERPRETER,
    "boto3",
    "docker",
    "keras",
    "pydantic",
    "rich",
    "sklearn",
    "tensorflow",
    "typer",
)
# Parts, and the libraries they use that change the environment on import: scikit-learn sets KMP_* variables.
PARTS: dict[str, tuple[str, ...]] = {
    "runtime": (),
    "dataset": (),
    "evaluation": ("sklearn",),
    "packaging": (),
    "deploy": (),
    "cli": (),
}


def run(code: str, folder: Path, *arguments: object, **environ: str) -> str:
    """Run Python code in `folder`, which is its home too; return what it prints."""
    process = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "HOME": str(folder), **environ},
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


def test_the_handler_answers_where_the_training_stack_cannot_be_imported(
    colour_bundle, colour_photos, tmp_path
):
    code = """
import base64, json, pathlib, sys
photo, *blocked = sys.argv[1:]
sys.modules.update(dict.fromkeys(blocked))  # importing one of them is an ImportError
from shutterless.runtime.adapters.lambda_function import lambda_handler
print(json.dumps(lambda_handler({"image": base64.b64encode(pathlib.Path(photo).read_bytes()).decode()})))
"""
    photo = colour_photos / "test" / "red" / "00.png"
    scores = json.loads(run(code, tmp_path, photo, *BLOCKED, SHUTTERLESS_BUNDLE=str(colour_bundle)))
    assert max(scores, key=scores.get) == "red"


def test_without_litert_s_c_library_the_handler_answers_with_its_python_interpreter(
    colour_bundle, colour_photos, tmp_path
):
    code = """
import base64, json, pathlib, sys
from shutterless.runtime.model import litert
if sys.argv[2] == "interpreter":
    litert.LIBRARY = "missing.so"
from shutterless.runtime.adapters.lambda_function import lambda_handler
scores = lambda_handler({"image": base64.b64encode(pathlib.Path(sys.argv[1]).read_bytes()).decode()})
print(json.dumps([scores, "ai_edge_litert.interpreter" in sys.modules]))
"""
    photo = colour_photos / "test" / "red" / "00.png"
    libraries = ["interpreter", *(["library"] if load_library() else [])]
    environ = {"SHUTTERLESS_BUNDLE": str(colour_bundle)}
    answers = [json.loads(run(code, tmp_path, photo, library, **environ)) for library in libraries]
    assert [is_interpreted for _, is_interpreted in answers] == [True, False][: len(answers)]
    assert all(scores == answers[0][0] for scores, _ in answers)
    assert max(answers[0][0], key=answers[0][0].get) == "red"


def test_the_first_answer_loads_nothing_that_it_does_not_need(colour_bundle, tmp_path):
    photo = tmp_path / "photo.jpg"
    Image.new("RGB", (64, 48), "red").save(photo)
    code = """
import base64, sys
from shutterless.runtime.adapters.lambda_function import lambda_handler
with open(sys.argv[1], "rb") as file:
    lambda_handler({"image": base64.b64encode(file.read()).decode()})
print("\\n".join(sys.modules))
"""
    modules = run(code, tmp_path, photo, SHUTTERLESS_BUNDLE=str(colour_bundle)).split()
    decoders = {f"PIL.{kind}ImagePlugin" for kind in ("Avif", "Tiff", "WebP")}  # Pillow itself loads the rest
    assert decoders.isdisjoint(modules)
    standard = {"_posixsubprocess", "dataclasses", "email", "http", "inspect", "pathlib", "ssl"}
    assert {name.split(".")[0] for name in modules}.isdisjoint({*BLOCKED, *standard})


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_an_ordinary_photo_loads_nothing_that_starts_a_process(kind, colour_bundle, tmp_path):
    photo = tmp_path / "photo"
    Image.new("RGB", (64, 48), "red").save(photo, kind)
    code = """
import base64, sys
from shutterless.runtime.adapters.lambda_function import lambda_handler
with open(sys.argv[1], "rb") as file:
    lambda_handler({"image": base64.b64encode(file.read()).decode()})
print("\\n".join(sys.modules), "Popen" in sys.modules["subprocess"].__dict__)
"""
    *modules, has_run = run(code, tmp_path, photo, SHUTTERLESS_BUNDLE=str(colour_bundle)).split()
    assert {"resource", "shutterless.runtime.image.isolation"}.isdisjoint(modules)
    assert has_run == "False"


def test_help_loads_no_stage_and_no_library_of_one(tmp_path):
    code = """
import sys
from shutterless.cli import main
sys.argv = ["shutterless", "--help"]
try:
    main()
except SystemExit:
    print("\\n".join(sys.modules), file=sys.stderr)
"""
    process = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    modules = process.stderr.split()
    ours = {name.split(".")[1] for name in modules if name.startswith("shutterless.")}
    assert "Usage: shutterless" in process.stdout
    assert ours == {"cli", "errors", "utils"}
    assert {name.split(".")[0] for name in modules}.isdisjoint(
        {"numpy", "PIL", "ai_edge_litert", "keras", "tensorflow", "boto3", "sklearn", "h11"}
    )


@pytest.mark.parametrize(("part", "libraries"), PARTS.items(), ids=PARTS)
def test_importing_a_module_does_nothing_else(part, libraries, tmp_path):
    code = """
import importlib, os, pathlib, socket, sys
modules, libraries = (argument.split() for argument in sys.argv[1:])
for name in libraries:
    importlib.import_module(name)
def refuse(*arguments): raise AssertionError("a socket at import")
socket.socket.connect = socket.socket.bind = socket.getaddrinfo = refuse
before = dict(os.environ), os.getcwd()
for name in modules:
    importlib.import_module(name)
assert (dict(os.environ), os.getcwd()) == before
"""
    source = Path(shutterless.__file__).parent
    files = [file for file in (source / part).rglob("*.py") if file.stem != "__main__"]
    names = [".".join(("shutterless", *file.relative_to(source).with_suffix("").parts)) for file in files]
    run(code, tmp_path, " ".join(names), " ".join(libraries))
    assert list(tmp_path.iterdir()) == []
