"""The image of a bundle: built and pushed to the registry only if what it is made from has changed."""

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import boto3
from botocore.exceptions import ClientError

import shutterless
from shutterless.deploy.aws.ecr import ensure_repository, push
from shutterless.deploy.aws.errors import error_code
from shutterless.deploy.options import Options
from shutterless.deploy.template.template import repository_name
from shutterless.runtime.model.bundle import Bundle
from shutterless.utils.progress import Progress

# (session, deployment's name, bundle's folder, options, progress) → `uri@sha256:…`
Publisher: TypeAlias = Callable[[boto3.Session, str, Path, Options, Progress], str]

# The parts of this package that are in an image or build it.
PARTS = ("runtime", "packaging")
SUFFIXES = (".py", ".html", ".css", ".js", ".json", ".svg", ".txt")


def publish_image(
    session: boto3.Session, name: str, bundle: Path, options: Options, progress: Progress
) -> str:
    """Build the image of a bundle, push it to the repository of the deployment, and return `uri@sha256:…`.

    Args:
        session: The AWS session.
        name: The deployment's name.
        bundle: The bundle's folder.
        options: How it is deployed.
        progress: Called as the work goes on.

    Raises:
        ShutterlessError: Docker is missing, or the build or the push failed.
    """
    from shutterless.packaging import build_image

    tag = f"{repository_name(name)}:deploy"
    build_image(
        bundle, tag, platform=options.platform, base_image=options.base_image or None, progress=progress
    )
    return push(session, ensure_repository(session, repository_name(name)), tag, progress)


def image_exists(session: boto3.Session, image: str) -> bool:
    """Tell whether `uri@sha256:…` is still in Amazon ECR, whose lifecycle policy may have removed it."""
    repository, _, digest = image.partition("/")[2].partition("@")
    try:
        session.client("ecr").describe_images(repositoryName=repository, imageIds=[{"imageDigest": digest}])
    except ClientError as error:
        if error_code(error) in ("ImageNotFoundException", "RepositoryNotFoundException"):
            return False
        raise
    return True


def image_fingerprint(bundle: Bundle, options: Options) -> str:
    """Return a fingerprint of everything an image is made from: bundle, runtime, packaging, platform, base.

    Images with the same fingerprint are the same, so that a second deploy need not build one.
    """
    inputs = [bundle.to_json(), options.platform, options.base_image, shutterless.__version__]
    digest = hashlib.sha256(json.dumps(inputs, sort_keys=True).encode())
    for file in _sources():
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]


def _sources() -> Iterator[Path]:
    root = Path(shutterless.__file__).parent
    yield root / "errors.py"
    for part in PARTS:
        yield from sorted(file for file in (root / part).rglob("*") if file.suffix in SUFFIXES)
