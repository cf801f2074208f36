"""From a bundle to an image that Lambda accepts: built, looked at and tried."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shutterless.errors import PackagingError
from shutterless.packaging import layers
from shutterless.packaging.bytecode import Python, local_python
from shutterless.packaging.check import Trial, try_image
from shutterless.packaging.context import write_context
from shutterless.packaging.docker import DockerError, WrongProcessorError, docker, query
from shutterless.packaging.platforms import PYTHON, Platform
from shutterless.utils.progress import Progress, automatic

# What Lambda takes. An index, which a provenance record makes of an image, it refuses (docker/buildx#1533).
MEDIA_TYPES = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
)
BUILDING, STEPS = "building the image", 3  # context, image, trial


@dataclass(frozen=True)
class Layer:
    """One layer of an image: what it is, the digest of its tar, and its bytes unpacked."""

    name: str
    digest: str
    bytes: int


@dataclass(frozen=True)
class Image:
    """A built image.

    id: the digest of its configuration. media_type: of its manifest. layers: the base as one, with the
    digest of its uppermost layer, then ours. compiled: whether its modules come with bytecode. trial:
    how it answered; None if it was not tried or this machine cannot run it.
    """

    tag: str
    id: str
    platform: Platform
    media_type: str
    layers: tuple[Layer, ...]
    compiled: bool
    trial: Trial | None


def build_image(
    bundle: str | Path,
    tag: str,
    *,
    platform: str = "linux/amd64",
    base_image: str | None = None,
    trial: bool = True,
    progress: Progress = automatic,
) -> Image:
    """Build a bundle's image as `tag`, and try it: started as Lambda starts it, it must answer as the bundle.

    platform: linux/amd64 or linux/arm64. base_image: see `package`. trial: whether to start it.
    Raises `ShutterlessError` if docker is missing or refuses, or if what came out is not what Lambda
    takes or answers otherwise.
    """
    bundle = Path(bundle)
    docker("version")  # whether there is an engine, before anything is fetched for it
    progress(BUILDING, 0, STEPS)
    with tempfile.TemporaryDirectory(prefix="shutterless-") as folder:
        context = write_context(bundle, Path(folder, "context"), platform, base_image, base_python, progress)
        progress(BUILDING, 1, STEPS)
        docker(*_build_command(), "--platform", context.platform, "--tag", tag, str(context.path))
    described = query("image", "inspect", tag)[0]
    _check(tag, described, context.platform)
    progress(BUILDING, 2, STEPS)
    tried = try_image(tag, bundle, context.platform) if trial else None
    progress(BUILDING, STEPS, STEPS)
    return Image(
        tag=tag,
        id=described["Id"],
        platform=context.platform,
        media_type=_media_type(described),
        layers=_layers(tag, described),
        compiled=context.compiled,
        trial=tried,
    )


def base_python(platform: Platform, base_image: str) -> Python | None:
    """Return the base image's own Python or, if it cannot run here, one of this machine."""
    _require(platform, base_image)
    run = ["run", "--rm", "--interactive", "--network", "none", "--platform", platform]
    python = [*run, "--entrypoint", "python3", base_image]
    try:
        version = docker(*python, "-c", "import sys; print(*sys.version_info[:2])").split()
    except WrongProcessorError:
        return local_python()
    except DockerError as error:
        raise PackagingError(
            "unusable-base-image",
            f"The base image {base_image} has no python3 that runs",
            "Give another one as --base-image.",
        ) from error
    if [int(part) for part in version] != [*PYTHON]:
        found, wanted = (".".join(map(str, parts)) for parts in (map(bytes.decode, version), PYTHON))
        raise PackagingError(
            "unusable-base-image",
            f"The base image {base_image} has Python {found}",
            f"Give one with Python {wanted}.",
        )
    return Python(("docker", *python), is_base=True)


def _require(platform: Platform, base_image: str) -> None:
    """Have the engine hold the base image for the platform; pull it if it does not."""
    try:
        described = query("image", "inspect", base_image)[0]
        if _platform(described) == platform:
            return
    except DockerError:
        pass
    docker("pull", "--quiet", "--platform", platform, base_image)


def _build_command() -> list[str]:
    """Return how this docker builds: by BuildKit if it has it, without the records that Lambda refuses."""
    try:
        docker("buildx", "version")
    except DockerError:
        return ["build", "--quiet"]
    return ["buildx", "build", "--quiet", "--load", "--provenance=false", "--sbom=false"]


def _check(tag: str, described: dict[str, Any], platform: Platform) -> None:
    if _media_type(described) not in MEDIA_TYPES:
        raise PackagingError(
            "unsupported-manifest",
            f"The image {tag} has the manifest type {_media_type(described)}, which Lambda refuses",
            "Turn off attestations: BUILDX_NO_DEFAULT_ATTESTATIONS=1, then build again.",
        )
    if _platform(described) != platform:
        raise PackagingError(
            "wrong-platform",
            f"The image {tag} is for {_platform(described)}, not for {platform}",
            f"So is its base: docker pull --platform {platform} BASE_IMAGE, then build again.",
        )


def _platform(described: dict[str, Any]) -> str:
    return f"{described['Os']}/{described['Architecture']}"


def _media_type(described: dict[str, Any]) -> str:
    """Return the type of an image's manifest; without containerd's store an engine has but Docker's own."""
    return (described.get("Descriptor") or {}).get("mediaType", MEDIA_TYPES[0])


def _layers(tag: str, described: dict[str, Any]) -> tuple[Layer, ...]:
    """Return the base as one layer, then ours; docker tells the sizes from the uppermost down."""
    told = docker("history", "--no-trunc", "--human=false", "--format", "{{.Size}}", tag).split()
    sizes = [int(size) for size in told]
    ours = [size for size in sizes if size][: len(layers.LAYERS)][::-1]
    names = ("base", *layers.LAYERS)
    digests = described["RootFS"]["Layers"][-len(names) :]
    return tuple(map(Layer, names, digests, (sum(sizes) - sum(ours), *ours)))
