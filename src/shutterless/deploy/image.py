"""The image of a bundle in the registry: made and pushed only if what it is made from has changed."""

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
from botocore.exceptions import ClientError

import shutterless
from shutterless.deploy.aws.ecr import ensure_repository, push
from shutterless.deploy.aws.errors import error_code
from shutterless.deploy.options import Options
from shutterless.deploy.template.template import repository_name
from shutterless.runtime.model.bundle import Bundle
from shutterless.utils.progress import Progress

# Session, the deployment's name, the bundle's folder, options → `uri@sha256:…`.
Publish = Callable[[boto3.Session, str, Path, Options, Progress], str]

# What of this package an image is made of, and by.
PARTS = ("runtime", "packaging")
SUFFIXES = (".py", ".html", ".css", ".js", ".json", ".svg", ".txt")


def publish_image(
    session: boto3.Session, name: str, bundle: Path, options: Options, progress: Progress
) -> str:
    """Build the image of the folder `bundle`, push it to the repository of `name`; return `uri@sha256:…`.

    Raises `ShutterlessError` if Docker is missing, or the image or the push fails.
    """
    from shutterless.packaging import build_image

    local = f"{repository_name(name)}:deploy"
    build_image(
        bundle, local, platform=options.platform, base_image=options.base_image or None, progress=progress
    )
    return push(session, ensure_repository(session, repository_name(name)), local, progress)


def is_in_registry(session: boto3.Session, image: str) -> bool:
    """Tell whether `uri@sha256:…` is in Amazon ECR still, from which its lifecycle may have removed it."""
    repository, _, digest = image.partition("/")[2].partition("@")
    try:
        session.client("ecr").describe_images(repositoryName=repository, imageIds=[{"imageDigest": digest}])
    except ClientError as error:
        if error_code(error) in ("ImageNotFoundException", "RepositoryNotFoundException"):
            return False
        raise
    return True


def image_source(bundle: Bundle, options: Options) -> str:
    """Return a fingerprint of all that an image is made from: bundle, runtime, packaging, platform, base.

    Equal fingerprints make equal images, so a second deploy need neither build nor push.
    """
    made_from = [bundle.to_json(), options.platform, options.base_image, shutterless.__version__]
    digest = hashlib.sha256(json.dumps(made_from, sort_keys=True).encode())
    for file in _sources():
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]


def _sources() -> Iterator[Path]:
    root = Path(shutterless.__file__).parent
    yield root / "errors.py"
    for part in PARTS:
        yield from sorted(file for file in (root / part).rglob("*") if file.suffix in SUFFIXES)
