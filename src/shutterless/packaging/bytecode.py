"""Bytecode for the container's Python, so that no start compiles what it imports.

The root file system is read-only, so a container that is shipped sources alone compiles them at every
start. Bytecode is the same on every processor but belongs to one minor version of Python: the base
image's own compiles it, or one of this machine.
"""

import contextlib
import io
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path

from shutterless.errors import ShutterlessError
from shutterless.packaging.platforms import PYTHON

# Runs in the other Python: a tar of sources comes in, a tar of bytecode goes out. Hash-based and
# unchecked (PEP 552), so that it depends on nothing but the source.
COMPILER = """
import importlib.util, io, sys, tarfile
from importlib._bootstrap_external import _code_to_hash_pyc
sources = tarfile.open(fileobj=sys.stdin.buffer, mode="r|")
compiled = tarfile.open(fileobj=sys.stdout.buffer, mode="w|")
for member in sources:
    source = sources.extractfile(member).read()
    try:
        code = compile(source, "/" + member.name, "exec", dont_inherit=True)
    except SyntaxError:
        continue
    data = _code_to_hash_pyc(code, importlib.util.source_hash(source), False)
    entry = tarfile.TarInfo(importlib.util.cache_from_source(member.name))
    entry.size = len(data)
    compiled.addfile(entry, io.BytesIO(data))
compiled.close()
"""


def local_python() -> list[str] | None:
    """Return the command of a Python on this machine that is the container's version, or None."""
    if sys.version_info[:2] == PYTHON:
        return [sys.executable]
    command = f"python{PYTHON[0]}.{PYTHON[1]}"
    with contextlib.suppress(OSError):  # pyenv leaves a command of that name that only complains
        if subprocess.run([command, "--version"], capture_output=True).returncode == 0:
            return [command]
    return None


def compile_layers(layers: Sequence[Path], python: Sequence[str]) -> None:
    """Write the bytecode of every module in the layers, root file systems each, into `__pycache__` there.

    python: the command of a Python of the container's version. Raises `ShutterlessError` if it cannot.
    """
    for layer in layers:
        command = [*python, "-X", "utf8", "-c", COMPILER]
        done = subprocess.run(command, input=_sources(layer), capture_output=True)
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().splitlines() or ["it said nothing"]
            raise ShutterlessError(f"Cannot compile the modules: {said[-1]}", "Use another base image.")
        with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
            archive.extractall(layer, filter="data")


def _sources(layer: Path) -> bytes:
    """Return the modules of a layer as a tar, in an order of their own."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for file in sorted(layer.rglob("*.py")):
            archive.add(file, file.relative_to(layer).as_posix())
    return stream.getvalue()
