"""The three layers on the base: dependencies, runtime, bundle, the one that changes least below.

Each is a root file system of its own, shipped as a tar that Docker unpacks onto `/`. So every byte, mode
and time of it is ours, and equal inputs give equal layers by whatever builder: BuildKit would give copied
folders the time of the build.
"""

import re
import shutil
import tarfile
import zipfile
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

import shutterless
from shutterless import errors, runtime
from shutterless.runtime.model.bundle import DESCRIPTION, MODEL

HOME = PurePosixPath("opt/shutterless")
DEPENDENCIES, RUNTIME, BUNDLE = LAYERS = ("dependencies", "runtime", "bundle")

# 1980-01-01, the first day that a zip file, and so a wheel, can name.
EPOCH = 315_532_800

# What serving never loads. A test in the container loads every library that is left.
DROPPED = (
    # LiteRT: all but its interpreter, that is its other runtime and the GPU's, compilers for chips that
    # Lambda does not have, the tools that call them, and readers of models that need more packages
    "ai_edge_litert/libLiteRt*.so",
    "ai_edge_litert/aot/*",
    "ai_edge_litert/tools/*",
    "ai_edge_litert/vendors/*",
    "ai_edge_litert/*_pb2.py",
    "ai_edge_litert/schema_py_generated.py",
    # NumPy: Fortran wrappers, random numbers, libraries for tests
    "numpy/f2py/*",
    "numpy/random/*",
    "numpy/_core/_simd.*",
    "numpy/_core/_*_tests.*.so",
    # Pillow: fonts, colour management, Tk, and the libraries of those alone
    "PIL/_imagingcms.*",
    "PIL/_imagingft.*",
    "PIL/_imagingtk.*",
    "pillow.libs/libbrotli*",
    "pillow.libs/libfreetype-*",
    "pillow.libs/libharfbuzz-*",
    "pillow.libs/liblcms2-*",
    "pillow.libs/libpng16-*",
    # for those who compile against it, check types or test
    "*/tests/*",
    "*.a",
    "*.h",
    "*.pxd",
    "*.pyi",
)


def write_dependencies(layer: Path, wheels: Iterable[Path]) -> None:
    """Unpack the wheels into the layer, without what need not ship."""
    target = layer / HOME / DEPENDENCIES
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                place = _installed(name)
                if place and not any(fnmatchcase(place, pattern) for pattern in DROPPED):
                    _write(target / place, archive.read(name))


def write_runtime(layer: Path) -> None:
    """Copy what of this package runs in the container: the runtime, its error and the package itself."""
    target = layer / HOME / RUNTIME / "shutterless"
    source = Path(runtime.__file__ or "").parent
    shutil.copytree(source, target / "runtime", ignore=shutil.ignore_patterns("__pycache__"))
    for module in (shutterless, errors):
        file = Path(module.__file__ or "")
        shutil.copyfile(file, target / file.name)


def write_bundle(layer: Path, bundle: Path) -> None:
    """Copy the two files of a bundle."""
    for name in (MODEL, DESCRIPTION):
        _write(layer / HOME / BUNDLE / name, (bundle / name).read_bytes())


def pack(layer: Path, archive: Path) -> None:
    """Write the layer as a tar in which nothing depends on who wrote its files, when and in what order."""
    with tarfile.open(archive, "w", format=tarfile.GNU_FORMAT) as stream:
        for path in sorted(layer.rglob("*")):
            name = path.relative_to(layer).as_posix()
            stream.add(path, name, recursive=False, filter=_normal)


def size(layer: Path) -> int:
    """Return the bytes of all files in the layer."""
    return sum(file.stat().st_size for file in layer.rglob("*") if file.is_file())


def _normal(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    mode = 0o755 if entry.isdir() else 0o644
    return entry.replace(mode=mode, mtime=EPOCH, uid=0, gid=0, uname="", gname="", deep=False)


def _installed(name: str) -> str:
    """Return where a wheel's member goes below site-packages; nothing for folders, scripts and headers.

    Source: the binary distribution format, PEP 427.
    """
    data = re.match(r"[^/]+\.data/(purelib|platlib)?/?", name)
    if name.endswith("/") or (data and not data[1]):
        return ""
    return name[data.end() :] if data else name


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
