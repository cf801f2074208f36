"""Bytecode for the container's Python, so that no start compiles what it imports.

The root file system is read-only, so a container that is shipped sources alone compiles them at every
start; so it does with the standard library, of which the official Python images carry the sources
alone. Bytecode is the same on every processor but belongs to one minor version of Python: the base
image's own compiles all of it, one of this machine what is ours. It is that of PYTHONOPTIMIZE=2, which the
image sets, and has neither docstrings nor columns for tracebacks: less to read at every start.
"""

import contextlib
import io
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from shutterless.errors import PackagingError
from shutterless.packaging.platforms import PYTHON

# What the container imports, sooner or later; what of the standard library comes with it is compiled too.
ENTRIES = (
    "awslambdaric.bootstrap",
    "awslambdaric.lambda_runtime_client",
    "shutterless.runtime.fetch",
    "shutterless.runtime.adapters.runtime_client",
    "shutterless.runtime.adapters.http_server",
)

# Runs in the other Python: a tar of the layers comes in, a tar of bytecode goes out. Hash-based and
# unchecked (PEP 552), so that it depends on nothing but the sources. Arguments: what to import.
COMPILER = """
import importlib, io, pathlib, sys, sysconfig, tarfile, tempfile
from importlib.util import cache_from_source, source_hash
from importlib._bootstrap_external import _code_to_hash_pyc

def add(name, source):
    try:
        code = compile(source, f"/{name}", "exec", dont_inherit=True, optimize=2)
    except SyntaxError:  # a template, as some wheels carry
        return
    data = _code_to_hash_pyc(code, source_hash(source), False)
    entry = tarfile.TarInfo(cache_from_source(name, optimization=2))
    entry.size = len(data)
    compiled.addfile(entry, io.BytesIO(data))

compiled = tarfile.open(fileobj=sys.stdout.buffer, mode="w|")
with tempfile.TemporaryDirectory() as folder:
    tarfile.open(fileobj=sys.stdin.buffer, mode="r|").extractall(folder, filter="data")
    for file in sorted(pathlib.Path(folder).rglob("*.py")):
        add(file.relative_to(folder).as_posix(), file.read_bytes())
    sys.path[:0] = map(str, pathlib.Path(folder).glob("opt/shutterless/*"))
    for module in sys.argv[1:]:
        importlib.import_module(module)
library = sysconfig.get_path("stdlib") + "/"
loaded = {module.__file__ for module in sys.modules.values() if getattr(module, "__cached__", None)}
for file in sorted(loaded):
    if file.startswith(library) and file.endswith(".py"):
        add(file.lstrip("/"), pathlib.Path(file).read_bytes())
compiled.close()
"""


@dataclass(frozen=True)
class Python:
    """A Python of the container's version: its command, and whether it is the base image's own."""

    command: tuple[str, ...]
    is_base: bool = False


def local_python() -> Python | None:
    """Return one of this machine, if there is any."""
    if sys.version_info[:2] == PYTHON:
        return Python((sys.executable,))
    command = f"python{PYTHON[0]}.{PYTHON[1]}"
    with contextlib.suppress(OSError):  # pyenv leaves a command of that name that only complains
        if subprocess.run([command, "--version"], capture_output=True).returncode == 0:
            return Python((command,))
    return None


def compile_layers(layers: Sequence[Path], python: Python) -> None:
    """Write the bytecode of every module in the layers, root file systems each, into `__pycache__` there.

    The base image's own Python also compiles what they load of its standard library, into the first
    layer. Raises `ShutterlessError` if it cannot.
    """
    entries = ENTRIES if python.is_base else ()
    command = [*python.command, "-B", "-X", "utf8", "-X", "no_debug_ranges", "-c", COMPILER, *entries]
    done = subprocess.run(command, input=_archive(layers), capture_output=True)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["it said nothing"]
        raise PackagingError(
            "unusable-base-image",
            f"The base image cannot load the modules: {said[-1]}",
            "Use one with glibc 2.28 or newer and libstdc++, such as the default.",
        )
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        for member in archive:
            source = PurePosixPath(member.name).parent.parent
            layer = next((layer for layer in layers if (layer / source).is_dir()), layers[0])
            archive.extract(member, layer, filter="data")


def _archive(layers: Sequence[Path]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for layer in layers:
            archive.add(layer, ".")
    return stream.getvalue()
