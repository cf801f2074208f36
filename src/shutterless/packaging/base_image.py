"""The base image of a container image: the digest that its name stands for today, and its Python."""

import re
from contextlib import suppress

from shutterless.errors import PackagingError
from shutterless.packaging.bytecode import Python, local_python
from shutterless.packaging.context import BASE_IMAGE
from shutterless.packaging.docker import (
    DockerError,
    ImageDocument,
    WrongProcessorError,
    docker,
    image_platform,
    inspect_image,
)
from shutterless.packaging.platforms import PYTHON, Platform

TAG_OR_DIGEST = r"(:[\w.-]+)?(@sha256:[0-9a-f]{64})?$"


def find_base_digest(platform: Platform, base_image: str | None = None) -> str:
    """Return the digest of a base image, after pulling a newer one if its registry has one.

    Never fails: without a network, it is the digest of the base image on this machine.

    Args:
        platform: The image's platform.
        base_image: Its name; the default one if not given.

    Returns:
        `sha256:…` as its registry knows it; the id of an image that was made on this machine; empty if
        this machine has neither the image nor access to it, or no Docker.
    """
    name = base_image or BASE_IMAGE
    document = _inspect(name)
    is_local = document is not None and (not document.get("RepoDigests") or "@" in name)
    if not is_local:
        with suppress(PackagingError):
            _pull(platform, name)
            document = _inspect(name)
    if document is None:
        return ""
    digests = dict(each.split("@") for each in document.get("RepoDigests") or [])
    repository = re.sub(TAG_OR_DIGEST, "", name)
    return digests.get(repository, next(iter(digests.values()), document["Id"]))


def base_python(platform: Platform, base_image: str) -> Python | None:
    """Return the base image's own Python or, if it cannot run here, one of this machine.

    Raises:
        PackagingError: `unusable-base-image` if it has no Python, or one of another version.
    """
    document = _inspect(base_image)
    if document is None or image_platform(document) != platform:
        _pull(platform, base_image)
    run = ["run", "--rm", "--interactive", "--network", "none", "--platform", platform]
    python = [*run, "--entrypoint", "python3", base_image]
    try:
        output = docker(*python, "-c", "import sys; print(*sys.version_info[:2])")
    except WrongProcessorError:
        return local_python()
    except DockerError as error:
        raise PackagingError(
            "unusable-base-image",
            f"The base image {base_image} has no python3",
            f"Use one with Python {PYTHON[0]}.{PYTHON[1]}, such as the default.",
        ) from error
    version = tuple(map(int, output.split()))
    if version != PYTHON:
        raise PackagingError(
            "unusable-base-image",
            f"The base image {base_image} has Python {'.'.join(map(str, version))}",
            f"Use one with Python {'.'.join(map(str, PYTHON))}.",
        )
    return Python(("docker", *python), is_base=True)


def _inspect(base_image: str) -> ImageDocument | None:
    with suppress(PackagingError):
        return inspect_image(base_image)
    return None


def _pull(platform: Platform, base_image: str) -> None:
    docker("pull", "--quiet", "--platform", platform, base_image)
