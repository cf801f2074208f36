"""The build context: everything that an image is made of, in one folder for `docker build`."""

import re
import string
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from shutterless.errors import InputError, PackagingError
from shutterless.files import CONTEXT, atomic_directory, ensure_replaceable
from shutterless.model_check import open_bundle
from shutterless.packaging import layers
from shutterless.packaging.bytecode import Python, compile_layers, local_python
from shutterless.packaging.platforms import Platform, check_platform
from shutterless.packaging.wheels import fetch_wheels
from shutterless.runtime.model.bundle import Bundle
from shutterless.text_files import read_text
from shutterless.utils.progress import Progress, automatic

BASE_IMAGE = "python:3.13-slim-trixie"
# A name with a space or a line break would be more than a name in the Dockerfile.
IMAGE_NAME = r"[A-Za-z0-9][\w./:@-]*"

# FROM and ADD run nothing, so any machine builds for any platform, without a network. -S leaves out the
# base image's own packages, which saves 10 ms of CPU time.
DOCKERFILE = """\
FROM --platform={platform} {base_image}
ADD dependencies.tar /
ADD runtime.tar /
ADD bundle.tar /
ENV PYTHONPATH=/opt/shutterless/runtime:/opt/shutterless/dependencies \\
    PYTHONDONTWRITEBYTECODE=1 \\
    PYTHONOPTIMIZE=2 \\
    PYTHONUNBUFFERED=1 \\
    SHUTTERLESS_BUNDLE=/opt/shutterless/bundle
LABEL com.amazonaws.lambda.feature.snapstart="Allow" \\
      org.opencontainers.image.version="{version}"
USER 65534:65534
EXPOSE 8080
ENTRYPOINT ["python3", "-S", "-m", "shutterless.runtime"]
"""

README = """\
# An image for {platform}

Written by `shutterless package`: the model {name} {version}, its runtime and their dependencies on
`{base_image}`. A build only downloads that base image, and runs nothing:

    docker build -t {tag} .
    docker run --rm -p 8080:8080 --name {tag} {tag}

Open <http://localhost:8080/> for the web page, send photos with `POST /predict`, or send Lambda events to
`http://localhost:8080/2015-03-31/functions/function/invocations`:

    curl -d '{{"url": "https://…"}}' http://localhost:8080/2015-03-31/functions/function/invocations

Lambda refuses images with a provenance record. To deploy the image there, build it with
`docker buildx build --load --provenance=false --sbom=false -t {tag} .`, or with
`shutterless image build`, which also checks the result.
"""


@dataclass(frozen=True)
class Context:
    """A build context on disk.

    Attributes:
        path: Its folder.
        platform: `linux/amd64` or `linux/arm64`.
        base_image: Name of the base image.
        layers: Size of each layer, in bytes.
        compiled: Whether the modules come with bytecode; without it, each start takes a little longer.
        tag: A name for the image, made from the bundle's name.
    """

    path: Path
    platform: Platform
    base_image: str
    layers: dict[str, int]
    compiled: bool
    tag: str


def package(
    bundle: str | Path | Bundle,
    context: str | Path,
    *,
    platform: str = "linux/amd64",
    base_image: str | None = None,
    progress: Progress = automatic,
) -> Context:
    """Write the build context of a bundle's container image.

    Args:
        bundle: The bundle's folder, or a bundle that was read before.
        context: The folder to write. An earlier build context there is replaced, unless its Dockerfile or
            README.md has been edited.
        platform: `linux/amd64` or `linux/arm64`.
        base_image: An image with Python 3.13 and glibc; the small official one if not given.
        progress: Called with the wheels that are downloaded.

    Raises:
        BundleError: If the bundle cannot be read.
        PackagingError: `wheels-not-fetched`, or `edited-context`.
        OutputError: If the folder cannot be written; nothing half-written is left.

    Example:
        >>> context = package("bundle", "context", platform="linux/arm64")  # doctest: +SKIP
        >>> context.layers["bundle"]  # doctest: +SKIP
        4906216
    """
    return write_context(
        open_bundle(bundle), Path(context), platform, base_image, lambda *_: local_python(), progress
    )


def write_context(
    bundle: Bundle,
    context: Path,
    platform: str,
    base_image: str | None,
    find_python: Callable[[Platform, str], Python | None],
    progress: Progress,
) -> Context:
    """Do what `package` does; `find_python` returns the Python that compiles, see `bytecode`."""
    target, base = check_platform(platform), base_image or BASE_IMAGE
    if not re.fullmatch(IMAGE_NAME, base):
        raise InputError(
            "invalid-image-name", f"{base!r} is not the name of an image", "Use one like python:3.13-slim."
        )
    _check_replaceable(context)
    python = find_python(target, base)
    wheels = fetch_wheels(target, progress)
    tag = image_tag(bundle.name)
    with atomic_directory(context, "the build context") as folder:
        sizes = _write_layers(folder, bundle, wheels, python)
        fields = {"platform": target, "base_image": base, "version": bundle.version}
        (folder / "Dockerfile").write_text(DOCKERFILE.format(**fields), "utf-8")
        (folder / "README.md").write_text(README.format(**fields, name=bundle.name, tag=tag), "utf-8")
    return Context(context, target, base, sizes, compiled=bool(python), tag=tag)


def _check_replaceable(context: Path) -> None:
    """Raise an error unless `context` is new, empty, or an earlier build context that nobody has edited."""
    ensure_replaceable(context, CONTEXT)
    for name, template in (("Dockerfile", DOCKERFILE), ("README.md", README)):
        file = context / name
        parts = string.Formatter().parse(template)
        pattern = "".join(re.escape(text) + ("" if field is None else ".+") for text, field, *_ in parts)
        if file.exists() and not re.fullmatch(pattern, read_text(file)):
            raise PackagingError(
                "edited-context", f"{file} has been edited", "Choose another folder, or delete this one."
            )


def _write_layers(folder: Path, bundle: Bundle, wheels: list[Path], python: Python | None) -> dict[str, int]:
    """Write the layers' tars into the folder; return the size of each layer."""
    with tempfile.TemporaryDirectory(dir=folder) as draft:
        parts = dependencies, runtime, model = [Path(draft, name) for name in layers.LAYERS]
        layers.write_dependencies(dependencies / layers.HOME / layers.DEPENDENCIES, wheels)
        layers.write_runtime(runtime / layers.HOME / layers.RUNTIME)
        layers.write_bundle(model / layers.HOME / layers.BUNDLE, bundle)
        if python:
            compile_layers([dependencies, runtime], python)
        for part in parts:
            layers.pack(part, folder / f"{part.name}.tar")
        return {part.name: layers.size(part) for part in parts}


def image_tag(name: str) -> str:
    """Return a bundle's name as a valid name of an image.

    Docker allows lower-case letters and digits with single separators between them.

    Args:
        name: The bundle's name, any text.

    Returns:
        The name with everything else replaced by hyphens; `classifier` if nothing is left.

    Example:
        >>> image_tag("Fruit & veg 2")
        'fruit-veg-2'
    """
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "classifier"
