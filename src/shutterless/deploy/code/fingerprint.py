"""The fingerprint of a release's code: what it is made from, so that it is built only if that has changed."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import shutterless
from shutterless.deploy.options import Options
from shutterless.runtime.model.bundle import Bundle

# What of this package is in the code or builds it.
SOURCES = ("__init__.py", "errors.py", "runtime", "packaging", "utils/zip_file.py")


def code_fingerprint(bundle: Bundle, options: Options) -> str:
    """Return a fingerprint of everything the code is made from, so that a second deploy need not build it.

    Returns:
        12 hex digits of a hash of bundle, runtime, packaging, platform and the base image's name. Of an image
        also a hyphen, and 12 hex digits of the base image's digest, which is looked up, or nothing if it is
        unknown.
    """
    from shutterless.packaging.base_image import find_base_digest

    inputs = [bundle.to_json(), options.platform, options.base_image, shutterless.__version__]
    digest = hashlib.sha256(json.dumps(inputs, sort_keys=True).encode())
    root = Path(shutterless.__file__).parent
    for file in _sources(root):
        digest.update(file.relative_to(root).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    if options.package == "zip":
        return digest.hexdigest()[:12]
    base = find_base_digest(options.platform, options.base_image or None)
    return f"{digest.hexdigest()[:12]}-{base.removeprefix('sha256:')[:12]}"


def is_same_code(old: str, new: str) -> bool:
    """Tell whether two fingerprints are of the same code, as far as is known.

    Args:
        old: The fingerprint of code that exists.
        new: The fingerprint of code to build. If its base image is unknown, the old one's is as good.
    """
    return old == new or (new.endswith("-") and old.startswith(new))


def _sources(root: Path) -> Iterator[Path]:
    for name in SOURCES:
        if (root / name).is_file():
            yield root / name
        else:
            files = sorted(file for file in (root / name).rglob("*") if file.is_file())
            yield from (file for file in files if file.parent.name != "__pycache__")
