"""The three layers on top of the base image: dependencies, runtime, bundle; what changes least comes first.

Each is a root file system of its own, shipped as a tar that Docker unpacks onto `/`. So every byte, mode
and time in it is ours, and equal inputs give equal layers with any builder: BuildKit would give copied
folders the time of the build.
"""

import re
import shutil
import tarfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

import shutterless
from shutterless import errors, runtime
from shutterless.runtime.model.bundle import DESCRIPTION, MODEL, Bundle

HOME = PurePosixPath("opt/shutterless")
DEPENDENCIES, RUNTIME, BUNDLE = LAYERS = ("dependencies", "runtime", "bundle")

# 1980-01-01, the earliest time in a zip file, and so in a wheel.
EPOCH = 315_532_800

# What serving never loads. A test in the container loads every library that remains.
DROPPED = (
    # LiteRT: all but libLiteRt.so, which is its C library
    "ai_edge_litert/[!l]*",
    "ai_edge_litert/lib[!L]*",
    "ai_edge_litert/libLiteRt[!.]*",
    # Pillow: fonts, colour management, Tk, and the libraries of those alone
    "PIL/_imagingcms.*",
    "PIL/_imagingft.*",
    "PIL/_imagingtk.*",
    "pillow.libs/libbrotli*",
    "pillow.libs/libfreetype-*",
    "pillow.libs/libharfbuzz-*",
    "pillow.libs/liblcms2-*",
    "pillow.libs/libpng16-*",
    # for compiling against a library, checking types and testing
    "*/tests/*",
    "*.a",
    "*.h",
    "*.pxd",
    "*.pyi",
)


def write_dependencies(folder: Path, wheels: Iterable[Path]) -> None:
    """Unpack wheels into a folder, without what serving never loads.

    Args:
        folder: The folder to import from.
        wheels: Wheel files.
    """
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            for path, member in wheel_members(archive):
                _write(folder / path, archive.read(member))


def wheel_members(archive: zipfile.ZipFile) -> Iterator[tuple[str, zipfile.ZipInfo]]:
    """Yield the path below site-packages, and the member, of every file of a wheel that serving may load."""
    for member in archive.infolist():
        path = _install_path(member.filename)
        if path and not any(fnmatchcase(path, pattern) for pattern in DROPPED):
            yield path, member


def write_runtime(folder: Path, unused: Sequence[str] = ()) -> None:
    """Copy the modules of this package that serve: the runtime, errors, the package itself.

    Args:
        folder: The folder to import from.
        unused: Names of files of the runtime that are left out.
    """
    target = folder / "shutterless"
    source = Path(runtime.__file__ or "").parent
    shutil.copytree(source, target / "runtime", ignore=shutil.ignore_patterns("__pycache__", *unused))
    for module in (shutterless, errors):
        file = Path(module.__file__ or "")
        shutil.copyfile(file, target / file.name)


def write_bundle(folder: Path, bundle: Bundle) -> None:
    """Write a bundle's model and description into a folder, as they were when it was read."""
    _write(folder / MODEL, bundle.model)
    _write(folder / DESCRIPTION, bundle.to_text().encode())


def pack(layer: Path, archive: Path) -> None:
    """Write a layer as a reproducible tar: nothing depends on who wrote its files, when and in what order.

    Args:
        layer: The layer's root.
        archive: The tar file to write.
    """
    with tarfile.open(archive, "w", format=tarfile.GNU_FORMAT) as stream:
        for path in sorted(layer.rglob("*")):
            name = path.relative_to(layer).as_posix()
            stream.add(path, name, recursive=False, filter=_normalize)


def size(layer: Path) -> int:
    """Return the size of all files in a layer, in bytes."""
    return sum(file.stat().st_size for file in layer.rglob("*") if file.is_file())


def _normalize(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    mode = 0o755 if entry.isdir() else 0o644
    return entry.replace(mode=mode, mtime=EPOCH, uid=0, gid=0, uname="", gname="", deep=False)


def _install_path(member: str) -> str:
    """Return where a wheel's member goes below site-packages; nothing for folders, scripts and headers.

    Source: the binary distribution format, PEP 427.
    """
    match = re.match(r"[^/]+\.data/(purelib|platlib)?/?", member)
    if member.endswith("/") or (match and not match[1]):
        return ""
    return member[match.end() :] if match else member


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
