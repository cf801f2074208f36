"""The build context: all that an image is made of, in one folder for plain `docker build`."""

import re
import string
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from shutterless.errors import InputError, PackagingError
from shutterless.files import CONTEXT, atomic_directory, ensure_replaceable, read_text
from shutterless.model_check import open_bundle
from shutterless.packaging import layers
from shutterless.packaging.bytecode import Python, compile_layers, local_python
from shutterless.packaging.platforms import Platform, check_platform
from shutterless.packaging.wheels import fetch_wheels
from shutterless.utils.progress import Progress, automatic

BASE_IMAGE = "python:3.13-slim-trixie"

# FROM and ADD alone run nothing, so any machine builds for any platform, without a network. NumPy's BLAS
# is used by nothing here, and its threads cost a start 40 ms of processor time; -S leaves the base's own
# packages out, and saves 10 ms more.
DOCKERFILE = """\
FROM --platform={platform} {base_image}
ADD dependencies.tar /
ADD runtime.tar /
ADD bundle.tar /
ENV OPENBLAS_NUM_THREADS=1 \\
    PYTHONPATH=/opt/shutterless/runtime:/opt/shutterless/dependencies \\
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

Made by `shutterless package`: the model {name} {version}, its runtime and their dependencies on
`{base_image}`. Nothing is fetched but that base image, and nothing is run:

    docker build -t {tag} .
    docker run --rm -p 8080:8080 --name {tag} {tag}

Then <http://localhost:8080/> shows a page, `POST /predict` takes photos, and
`http://localhost:8080/2015-03-31/functions/function/invocations` takes events as Lambda gets them:

    curl -d '{{"url": "https://…"}}' http://localhost:8080/2015-03-31/functions/function/invocations

Lambda takes no image with a provenance record: for it, build with
`docker buildx build --load --provenance=false --sbom=false -t {tag} .`, or with
`shutterless image build`, which also checks what came out.
"""


@dataclass(frozen=True)
class Context:
    """A build context on disk.

    layers: bytes by layer. compiled: whether the modules come with bytecode; without, each start takes
    a little longer. tag: what to call the image, made of the bundle's name.
    """

    path: Path
    platform: Platform
    base_image: str
    layers: dict[str, int]
    compiled: bool
    tag: str


def package(
    bundle: str | Path,
    context: str | Path,
    *,
    platform: str = "linux/amd64",
    base_image: str | None = None,
    progress: Progress = automatic,
) -> Context:
    """Write the build context of a bundle's image into the folder `context`.

    An earlier build context there is replaced, unless its Dockerfile or README.md has been edited.

    platform: linux/amd64 or linux/arm64. base_image: one with Python 3.13 and glibc, the small official
    one if not given. Raises `ShutterlessError` if the bundle does not verify, a wheel cannot be fetched
    or the folder cannot be written; nothing half-written is left.
    """
    bundle, context = Path(bundle), Path(context)
    return write_context(bundle, context, platform, base_image, _local_python, progress)


def write_context(
    bundle: Path,
    context: Path,
    platform: str,
    base_image: str | None,
    find_python: Callable[[Platform, str], Python | None],
    progress: Progress,
) -> Context:
    """Do what `package` does; `find_python` gives the Python that compiles, see `bytecode`."""
    target, base = check_platform(platform), _check_reference(base_image or BASE_IMAGE)
    described = open_bundle(bundle)
    _ensure_replaceable(context)
    python = find_python(target, base)
    wheels = fetch_wheels(target, progress)
    tag = image_tag(described.name)
    with atomic_directory(context, "the build context") as folder:
        sizes = _write_layers(folder, bundle, wheels, python)
        known = {"platform": target, "base_image": base, "version": described.version}
        (folder / "Dockerfile").write_text(DOCKERFILE.format(**known), "utf-8")
        (folder / "README.md").write_text(README.format(**known, name=described.name, tag=tag), "utf-8")
    return Context(context, target, base, sizes, compiled=bool(python), tag=tag)


def _ensure_replaceable(context: Path) -> None:
    """Raise `ShutterlessError` unless `context` is new, empty or an earlier one that nobody has edited."""
    ensure_replaceable(context, CONTEXT)
    for name, template in (("Dockerfile", DOCKERFILE), ("README.md", README)):
        file = context / name
        if file.exists() and not re.fullmatch(_pattern(template), read_text(file)):
            raise PackagingError(
                "edited-context", f"{file} has been edited", "Choose another folder, or delete this one."
            )


def _pattern(template: str) -> str:
    """Return the regular expression of what a template is filled to."""
    parts = string.Formatter().parse(template)
    return "".join(re.escape(text) + ("" if field is None else ".+") for text, field, *_ in parts)


def _write_layers(folder: Path, bundle: Path, wheels: list[Path], python: Python | None) -> dict[str, int]:
    """Write the layers' tars into the folder and return the bytes of what each holds."""
    with tempfile.TemporaryDirectory(dir=folder) as unpacked:
        parts = dependencies, runtime, model = [Path(unpacked, name) for name in layers.LAYERS]
        layers.write_dependencies(dependencies, wheels)
        layers.write_runtime(runtime)
        layers.write_bundle(model, bundle)
        if python:
            compile_layers([dependencies, runtime], python)
        for part in parts:
            layers.pack(part, folder / f"{part.name}.tar")
        return {part.name: layers.size(part) for part in parts}


def image_tag(name: str) -> str:
    """Return a name that Docker takes for an image, made of a bundle's name.

    Docker's grammar of names permits lower-case letters and digits with single separators between them.

    Args:
        name: The bundle's name, any text.

    Returns:
        The name with everything else replaced by hyphens; `classifier` if nothing is left.

    Example:
        >>> image_tag("Fruit & veg 2")
        'fruit-veg-2'
    """
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "classifier"


def _local_python(platform: Platform, base_image: str) -> Python | None:
    return local_python()


def _check_reference(image: str) -> str:
    """Return the name of an image; one with a space or a line break would be more than a name."""
    if not re.fullmatch(r"[A-Za-z0-9][\w./:@-]*", image):
        raise InputError(
            "invalid-image-name", f"{image!r} is not the name of an image", "Give one like python:3.13-slim."
        )
    return image
