"""Compile the container's modules to bytecode, so that a start need not do it.

The root file system is read-only, so a container that ships only sources compiles them at every start; this
includes the standard library, of which the official Python images ship only the sources. Bytecode is the
same on every processor but belongs to one minor version of Python: the base image's own Python compiles all
of it, one of this machine only our modules. It is that of PYTHONOPTIMIZE=2, which the image sets, and has
neither docstrings nor columns for tracebacks: there is less to read at every start.
"""

import contextlib
import io
import os
import platform
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from shutterless.errors import PackagingError
from shutterless.packaging.platforms import PYTHON

# The modules that the container imports; what they load of the standard library is compiled, too.
ENTRY_MODULES = (
    "awslambdaric.bootstrap",
    "awslambdaric.lambda_runtime_client",
    "shutterless.runtime.fetch",
    "shutterless.runtime.adapters.runtime_client",
    "shutterless.runtime.adapters.http_server",
)

# Runs in the other Python: a tar of the layers comes in, a tar of bytecode goes out. Hash-based and
# unchecked (PEP 552), so that it depends on nothing but the sources. Arguments: the optimization in the names
# of files, and the modules to import.
COMPILER = """
import ctypes, importlib, importlib.util, pathlib, py_compile, sys, sysconfig, tarfile, tempfile

def compile_file(file, name):
    compiled = importlib.util.cache_from_source(pathlib.Path(folder, name), optimization=optimization)
    try:
        py_compile.compile(
            file, compiled, f"/{name}", doraise=True, optimize=2,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )
    except py_compile.PyCompileError:  # a template, as some wheels carry
        pass

optimization, *names = sys.argv[1:]
with tempfile.TemporaryDirectory() as folder:
    tarfile.open(fileobj=sys.stdin.buffer, mode="r|").extractall(folder, filter="data")
    root = pathlib.Path(folder)
    for file in sorted(root.rglob("*.py")):
        compile_file(file, file.relative_to(root).as_posix())
    sys.path[:0] = map(str, root.glob("opt/shutterless/*"))
    modules = [importlib.import_module(name) for name in names]
    for file in root.rglob("libLiteRt.so") if modules else []:  # which is only loaded with a model
        ctypes.CDLL(str(file))
    library = sysconfig.get_path("stdlib") + "/"
    for module in list(sys.modules.values()) if modules else []:
        file = module.__file__ if getattr(module, "__cached__", None) else ""
        if file.startswith(library) and file.endswith(".py") and module is not py_compile:
            compile_file(file, file.lstrip("/"))
    with tarfile.open(fileobj=sys.stdout.buffer, mode="w|") as archive:
        for file in sorted(root.rglob("*.pyc")):
            archive.add(file, file.relative_to(root))
"""


@dataclass(frozen=True)
class Python:
    """A Python of the container's version.

    Attributes:
        command: The words that start it.
        is_base: Whether it is the base image's own.
        version: Its version, such as `3.13.5`, if it is one of this machine.
    """

    command: tuple[str, ...]
    is_base: bool = False
    version: str = ""


def local_python() -> Python | None:
    """Return a Python of the container's version on this machine, or None if there is none.

    It is this one, or else one on the PATH, or else one that pyenv or uv has installed.
    """
    if sys.version_info[:2] == PYTHON:
        return Python((sys.executable,), version=platform.python_version())
    for command in _candidates():
        with contextlib.suppress(OSError):  # pyenv leaves a command of that name that only complains
            process = subprocess.run([command, "--version"], capture_output=True, text=True)
            if process.returncode == 0:
                return Python((command,), version=process.stdout.split()[-1])
    return None


def _candidates() -> Iterator[str]:
    version = f"{PYTHON[0]}.{PYTHON[1]}"
    yield f"python{version}"
    data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    pyenv = os.environ.get("PYENV_ROOT") or "~/.pyenv"
    uv = os.environ.get("UV_PYTHON_INSTALL_DIR") or f"{data}/uv/python"
    for folder, pattern in ((f"{pyenv}/versions", f"{version}.*"), (uv, f"cpython-{version}.*")):
        yield from map(str, sorted(Path(folder).expanduser().glob(f"{pattern}/bin/python{version}")))


def compile_layers(layers: Sequence[Path], python: Python, optimization: str = "2") -> None:
    """Write the bytecode of every module in some layers into their `__pycache__` folders.

    The base image's own Python also compiles what they load of its standard library, into the first layer.

    Args:
        layers: Roots of layers.
        python: The Python that compiles.
        optimization: Which `PYTHONOPTIMIZE` loads the bytecode; empty if none is set.

    Raises:
        PackagingError: `unusable-base-image` if the modules cannot be imported there.
    """
    sources = io.BytesIO()
    with tarfile.open(fileobj=sources, mode="w") as archive:
        for layer in layers:
            archive.add(layer, ".")
    modules = ENTRY_MODULES if python.is_base else ()
    command = [
        *python.command,
        "-B",
        "-X",
        "utf8",
        "-X",
        "no_debug_ranges",
        "-c",
        COMPILER,
        optimization,
        *modules,
    ]
    process = subprocess.run(command, input=sources.getvalue(), capture_output=True)
    if process.returncode:
        lines = process.stderr.decode(errors="replace").strip().splitlines() or ["it wrote nothing"]
        raise PackagingError(
            "unusable-base-image",
            f"The base image cannot import the modules: {lines[-1]}",
            "Use one with glibc 2.28 or newer and libstdc++, such as the default.",
        )
    with tarfile.open(fileobj=io.BytesIO(process.stdout)) as archive:
        for member in archive:
            source = PurePosixPath(member.name).parent.parent
            layer = next((layer for layer in layers if (layer / source).is_dir()), layers[0])
            archive.extract(member, layer, filter="data")
