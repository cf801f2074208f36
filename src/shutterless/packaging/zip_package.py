"""The zip for Lambda's managed Python: runtime, dependencies and bundle, made without Docker."""

import hashlib
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shutterless.errors import OutputError, PackagingError
from shutterless.files import atomic_file, ensure_writable
from shutterless.model_check import open_bundle
from shutterless.packaging import layers
from shutterless.packaging.bytecode import Python, compile_layers, local_python
from shutterless.packaging.platforms import Platform, check_platform
from shutterless.packaging.wheels import fetch_wheels
from shutterless.runtime.model.bundle import Bundle
from shutterless.text_files import has_mark
from shutterless.utils.progress import Progress, automatic
from shutterless.utils.zip_file import Member, write_zip

# How a function that is made of the zip is configured; it needs no environment variables.
ZIP_RUNTIME = "python3.13"
ZIP_HANDLER = "lambda_function.lambda_handler"
# Where Lambda unpacks the zip. Bytecode names its source there.
TASK_ROOT = "var/task"
# What a function may have unpacked, layers included.
# Source: docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_UNZIPPED = 250 * 1024 * 1024

# In the managed runtime already, or for the HTTP server only.
UNUSED_WHEELS = ("awslambdaric", "h11", "simplejson", "snapshot_restore_py")
UNUSED_MODULES = (
    *("__main__.py", "runtime_client.py", "check.py"),
    *("http_app.py", "http_connection.py", "http_framing.py", "http_server.py", "listener.py"),
    "reloader.py",
)

# The first member, and stored, so that its text shows whose zip it is.
MARK = "written by `shutterless package --format zip`"
ENTRY_POINT = f'''\
"""Lambda's entry point, {MARK}.

Lambda imports it while it initializes a function, so the model is loaded before the first request, and
SnapStart's snapshot contains it.
"""

import gc
import os

gc.disable()  # what a start allocates stays
os.environ.setdefault("SHUTTERLESS_BUNDLE", os.path.join(os.path.dirname(__file__), "bundle"))

from shutterless.errors import ShutterlessError
from shutterless.runtime.adapters.lambda_function import lambda_handler, load_service

try:
    load_service()
except ShutterlessError as error:  # Lambda's client can only report Latin-1, also of the lines of a traceback
    error.message = error.message.encode("ascii", "replace").decode()
    raise error.with_traceback(None)
gc.freeze()
gc.enable()
'''


@dataclass(frozen=True)
class ZipPackage:
    """A zip for Lambda's managed Python.

    Attributes:
        path: The file.
        sha256: Its SHA-256, in hex.
        bytes: Its size.
        unzipped_bytes: The size of all its files, which Lambda limits to 250 MB.
        platform: `linux/amd64` or `linux/arm64`.
        compiled: The version of the Python that compiled its modules, such as `3.13.5`; empty if it has no
            bytecode.
    """

    path: Path
    sha256: str
    bytes: int
    unzipped_bytes: int
    platform: Platform
    compiled: str


def build_zip(
    bundle: str | Path | Bundle,
    destination: str | Path,
    *,
    platform: str = "linux/amd64",
    bytecode: bool = True,
    progress: Progress = automatic,
) -> ZipPackage:
    """Write a zip of a bundle, its runtime and their dependencies for Lambda's managed Python 3.13.

    The same bundle, platform and version of shutterless give the same bytes on every machine, but for
    bytecode: each release of Python compiles a little differently.

    Args:
        bundle: The bundle's folder, or a bundle that was read before.
        destination: The file to write. An earlier zip of this function is replaced.
        platform: `linux/amd64` or `linux/arm64`.
        bytecode: Whether to add the modules' bytecode, if this machine has a Python 3.13. Without it, each
            cold start compiles them.
        progress: Called with the wheels that are downloaded.

    Raises:
        BundleError: If the bundle cannot be read.
        PackagingError: `wheels-not-fetched`, or `too-large-for-lambda`.
        OutputError: If the file cannot be written (`cannot-write`) or is not such a zip (`not-ours`).

    Example:
        >>> package = build_zip("bundle", "function.zip", platform="linux/arm64")  # doctest: +SKIP
        >>> package.bytes  # doctest: +SKIP
        13411920
    """
    destination, target = Path(destination), check_platform(platform)
    bundle = open_bundle(bundle)
    _check_replaceable(destination)
    wheels = [wheel for wheel in fetch_wheels(target, progress) if not wheel.name.startswith(UNUSED_WHEELS)]
    python = local_python() if bytecode else None
    members = _make_members(bundle, wheels, python)
    unzipped_bytes = sum(member.size for member in members)
    if unzipped_bytes > MAX_UNZIPPED:
        raise PackagingError(
            "too-large-for-lambda",
            f"The zip would have {unzipped_bytes / 1e6:.0f} MB unpacked, and Lambda accepts"
            f" {MAX_UNZIPPED / 1e6:.0f} MB",
            "Deploy it as an image (up to 10 GB), or convert the model to a smaller precision.",
        )
    with atomic_file(destination) as draft:
        write_zip(draft, members)
        content = draft.read_bytes()
    return ZipPackage(
        path=destination,
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        unzipped_bytes=unzipped_bytes,
        platform=target,
        compiled=python.version if python else "",
    )


def _check_replaceable(destination: Path) -> None:
    ensure_writable(destination)
    if destination.exists() and not has_mark(destination, MARK.encode()):
        raise OutputError(
            "not-ours", f"{destination} already exists and is not such a zip", "Choose another file."
        )


def _make_members(bundle: Bundle, wheels: Sequence[Path], python: Python | None) -> list[Member]:
    """Return all files of the zip, the entry point first and the others sorted."""
    copies: dict[str, Member] = {}
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive, wheel.open("rb") as stream:
            copies |= {path: Member.copy(path, stream, info) for path, info in layers.wheel_members(archive)}
    with tempfile.TemporaryDirectory(prefix="shutterless-") as folder:
        root = Path(folder, TASK_ROOT)
        layers.write_dependencies(root, wheels)
        layers.write_runtime(root, UNUSED_MODULES)
        layers.write_bundle(root / layers.BUNDLE, bundle)
        (root / "lambda_function.py").write_text(ENTRY_POINT, "utf-8", newline="\n")
        if python:
            compile_layers([Path(folder)], python, optimization="")
        files = {file.relative_to(root).as_posix(): file for file in root.rglob("*") if file.is_file()}
        names = sorted(files, key=lambda name: (name != "lambda_function.py", name))
        return [copies.get(name) or Member.store(name, files[name].read_bytes()) for name in names]
