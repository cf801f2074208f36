"""The image of a bundle: built and pushed to the registry only if what it is made from has changed."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

import boto3

import shutterless
from shutterless.deploy.aws.ecr import delete_unused_images, ensure_repository, push, read_push_time
from shutterless.deploy.aws.errors import aws_errors
from shutterless.deploy.options import Options
from shutterless.deploy.template.template import all_tags, repository_name, stack_name
from shutterless.errors import DeployError
from shutterless.runtime.model.bundle import Bundle
from shutterless.utils.progress import Progress

# (session, deployment's name, bundle's folder, options, progress) → `uri@sha256:…`
Publisher: TypeAlias = Callable[[boto3.Session, str, Path, Options, Progress], str]

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
# What of this package is in an image or builds it.
SOURCES = ("__init__.py", "errors.py", "runtime", "packaging")


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
    repository = ensure_repository(
        session, repository_name(name), tags=all_tags(name, options), kms_key=options.image_kms_key
    )
    return push(session, repository, tag, progress)


def image_exists(session: boto3.Session, image: str) -> bool:
    """Tell whether `uri@sha256:…` is still in Amazon ECR; somebody may have deleted it."""
    return read_push_time(session, image) is not None


def delete_unused(session: boto3.Session, name: str) -> tuple[str, ...]:
    """Delete the images of a deployment that its template does not name.

    Nothing is deleted while its stack is being changed, or is about to be: if that is rolled back, it needs
    the images of before. The next deploy makes up for it.

    Returns:
        Why images could not be deleted, as sentences; empty if all is well.
    """
    client, stack = session.client("cloudformation"), stack_name(name)
    try:
        with aws_errors():
            status = client.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
            change_sets = client.list_change_sets(StackName=stack)["Summaries"]
            if status.endswith("_IN_PROGRESS") or any(map(_is_pending, change_sets)):
                return ()
            template = client.get_template(StackName=stack)["TemplateBody"]
    except DeployError as error:
        return (f"Old images were not deleted: {error.message}",)
    digests = DIGEST.findall(json.dumps(template))
    return delete_unused_images(session, repository_name(name), {*digests})


def _is_pending(change_set: Mapping[str, str]) -> bool:
    """Tell whether a change set is being created, waits to be executed, or is being executed."""
    if change_set["Status"] in ("CREATE_PENDING", "CREATE_IN_PROGRESS"):
        return True
    return change_set["ExecutionStatus"] in ("AVAILABLE", "EXECUTE_IN_PROGRESS")


def image_fingerprint(bundle: Bundle, options: Options) -> str:
    """Return a fingerprint of everything an image is made from, so that a second deploy need not build it.

    Returns:
        12 hex digits of a hash of bundle, runtime, packaging, platform and the base image's name; a hyphen;
        12 hex digits of the base image's digest, which is looked up, or nothing if it is unknown.
    """
    from shutterless.packaging.base_image import find_base_digest

    inputs = [bundle.to_json(), options.platform, options.base_image, shutterless.__version__]
    digest = hashlib.sha256(json.dumps(inputs, sort_keys=True).encode())
    root = Path(shutterless.__file__).parent
    for file in _sources(root):
        digest.update(file.relative_to(root).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    base = find_base_digest(options.platform, options.base_image or None)
    return f"{digest.hexdigest()[:12]}-{base.removeprefix('sha256:')[:12]}"


def is_same_image(old: str, new: str) -> bool:
    """Tell whether two fingerprints are of the same image, as far as is known.

    Args:
        old: The fingerprint of an image that exists.
        new: The fingerprint of an image to build. If its base image is unknown, the old one's is as good.
    """
    return old == new or (new.endswith("-") and old.startswith(new))


def _sources(root: Path) -> Iterator[Path]:
    for name in SOURCES:
        if (root / name).is_file():
            yield root / name
        else:
            files = sorted(file for file in (root / name).rglob("*") if file.is_file())
            yield from (file for file in files if file.parent.name != "__pycache__")
