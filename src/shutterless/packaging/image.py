"""Build a container image that Lambda accepts, and check that it answers as its bundle does."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from shutterless.errors import PackagingError
from shutterless.model_check import open_bundle
from shutterless.packaging import layers
from shutterless.packaging.base_image import base_python
from shutterless.packaging.check import CheckResult, check_image
from shutterless.packaging.context import write_context
from shutterless.packaging.docker import (
    DockerError,
    ImageDocument,
    docker,
    image_platform,
    inspect_image,
)
from shutterless.packaging.platforms import Platform
from shutterless.runtime.model.bundle import Bundle
from shutterless.utils.progress import Progress, automatic

# What Lambda accepts. It refuses an index, which an image becomes with a provenance record
# (docker/buildx#1533).
MEDIA_TYPES = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
)
STAGE, STEPS = "building the image", 3  # context, image, check


@dataclass(frozen=True)
class Layer:
    """One layer of an image.

    Attributes:
        name: What it contains.
        digest: Digest of its tar.
        bytes: Its size unpacked.
    """

    name: str
    digest: str
    bytes: int


@dataclass(frozen=True)
class Image:
    """A built image.

    Attributes:
        tag: Its name.
        id: Digest of its configuration.
        platform: `linux/amd64` or `linux/arm64`.
        media_type: Type of its manifest.
        layers: The base image as one layer, with the digest of its topmost, then ours.
        compiled: Whether its modules come with bytecode.
        check: How it answered; None if it was not checked or this machine cannot run it.
    """

    tag: str
    id: str
    platform: Platform
    media_type: str
    layers: tuple[Layer, ...]
    compiled: bool
    check: CheckResult | None


def build_image(
    bundle: str | Path | Bundle,
    tag: str,
    *,
    platform: str = "linux/amd64",
    base_image: str | None = None,
    check: bool = True,
    progress: Progress = automatic,
) -> Image:
    """Build a bundle's container image, and check that it answers as the bundle does.

    Args:
        bundle: The bundle's folder, or a bundle that was read before.
        tag: The image's name, with or without a `:version`.
        platform: `linux/amd64` or `linux/arm64`.
        base_image: An image with Python 3.13 and glibc; the small official one if not given.
        check: Whether to start the image under Lambda's limits and compare its answer with the bundle's.
        progress: Called with the steps that are done.

    Raises:
        PackagingError: If docker is missing or fails, or if Lambda would not accept the image or it gives
            different answers.
        BundleError: If the bundle cannot be read.

    Example:
        >>> image = build_image("bundle", "clothes:1", platform="linux/arm64")  # doctest: +SKIP
        >>> sum(layer.bytes for layer in image.layers)  # doctest: +SKIP
        183921024
    """
    docker("version")  # fails without an engine, before anything is downloaded for it
    bundle = open_bundle(bundle)
    progress(STAGE, 0, STEPS)
    with tempfile.TemporaryDirectory(prefix="shutterless-") as folder:
        context = write_context(bundle, Path(folder, "context"), platform, base_image, base_python, progress)
        progress(STAGE, 1, STEPS)
        docker(*_build_command(), "--platform", context.platform, "--tag", tag, str(context.path))
    document = inspect_image(tag)
    _check_manifest(tag, document, context.platform)
    progress(STAGE, 2, STEPS)
    result = check_image(tag, bundle, context.platform) if check else None
    progress(STAGE, STEPS, STEPS)
    return Image(
        tag=tag,
        id=document["Id"],
        platform=context.platform,
        media_type=_media_type(document),
        layers=_layers(tag, document),
        compiled=context.compiled,
        check=result,
    )


def _build_command() -> list[str]:
    """Return how this docker builds: with BuildKit if it has it, without the records that Lambda refuses."""
    try:
        docker("buildx", "version")
    except DockerError:
        return ["build", "--quiet"]
    return ["buildx", "build", "--quiet", "--load", "--provenance=false", "--sbom=false"]


def _check_manifest(tag: str, document: ImageDocument, platform: Platform) -> None:
    if _media_type(document) not in MEDIA_TYPES:
        raise PackagingError(
            "unsupported-manifest",
            f"The image {tag} has the manifest type {_media_type(document)}, which Lambda refuses",
            "Turn off attestations: BUILDX_NO_DEFAULT_ATTESTATIONS=1, then build again.",
        )
    if image_platform(document) != platform:
        raise PackagingError(
            "wrong-platform",
            f"The image {tag} is for {image_platform(document)}, not for {platform}",
            f"So is its base image: docker pull --platform {platform} BASE_IMAGE, then build again.",
        )


def _media_type(document: ImageDocument) -> str:
    """Return the type of an image's manifest; without containerd's store an engine has only Docker's own."""
    descriptor = document.get("Descriptor")
    return descriptor["mediaType"] if descriptor else MEDIA_TYPES[0]


def _layers(tag: str, document: ImageDocument) -> tuple[Layer, ...]:
    """Return the base image as one layer, then ours; docker lists the sizes from the top down."""
    output = docker("history", "--no-trunc", "--human=false", "--format", "{{.Size}}", tag)
    sizes = [int(size) for size in output.split()]
    ours = [size for size in sizes if size][: len(layers.LAYERS)][::-1]
    names = ("base", *layers.LAYERS)
    digests = document["RootFS"]["Layers"][-len(names) :]
    return tuple(map(Layer, names, digests, (sum(sizes) - sum(ours), *ours)))
