"""Bundles and images without content, and what tests ask of a deployment at the double."""

import contextlib
import hashlib
import io
import json
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import boto3

from shutterless import deploy as api
from shutterless.deploy.aws.ecr import ensure_repository
from shutterless.deploy.code.zip import upload_zip
from shutterless.deploy.options import Options
from shutterless.deploy.state import Deployment
from shutterless.deploy.template.code import Code, ImageCode
from shutterless.deploy.template.template import all_tags
from shutterless.model_check import remember
from shutterless.runtime.model.bundle import Bundle, read_bundle, write_bundle
from shutterless.utils.progress import Progress
from tests.aws_as_it_is.account import Account, Traffic

NAME = "clothes"
FUNCTION = f"shutterless-{NAME}"


def make_bundle(folder: Path, described: Bundle, model: str, name: str = "clothes") -> Path:
    """Write a bundle whose model does not run."""
    remember(write_bundle(folder, model.encode(), described.replace(name=name)))
    return folder


def layer(bundle: Bundle) -> str:
    """Return the digest of the only layer of a bundle's image."""
    return f"sha256:{hashlib.sha256(bundle.version.encode()).hexdigest()}"


def digest(bundle: Path | Bundle, package: str = "zip") -> str:
    """Return the digest of a bundle's zip, or of its image as moto makes it from the layers."""
    bundle = bundle if isinstance(bundle, Bundle) else read_bundle(bundle)
    if package == "zip":
        return f"sha256:{hashlib.sha256(zip_body(bundle)).hexdigest()}"
    return f"sha256:{hashlib.sha256(layer(bundle).encode()).hexdigest()}"


def publish(aws: boto3.Session, name: str, bundle: Bundle, options: Options, progress: Progress) -> Code:
    """Store the code of a bundle as its options say: no Docker and no wheels needed."""
    publishers = {"image": publish_image, "zip": publish_zip}
    return publishers[options.package](aws, name, bundle, options, progress)


def publish_zip(aws: boto3.Session, name: str, bundle: Bundle, options: Options, progress: Progress) -> Code:
    """Upload a zip without a runtime, another one for each model."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "function.zip")
        file.write_bytes(zip_body(bundle))
        return upload_zip(aws, name, file, digest(bundle, "zip").removeprefix("sha256:"), progress)


def zip_body(bundle: Bundle) -> bytes:
    """Return a zip that names the model of a bundle, with the same bytes each time."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(zipfile.ZipInfo("model"), bundle.version)
    return file.getvalue()


def publish_image(
    aws: boto3.Session, name: str, bundle: Bundle, options: Options, progress: Progress
) -> Code:
    """Put an image without content into the registry, another one for each model."""
    tags, key = all_tags(name, options), options.image_kms_key
    repository = ensure_repository(aws, f"shutterless/{name}", tags=tags, kms_key=key)
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "layers": [{"digest": layer(bundle)}],
    }
    ecr = aws.client("ecr")
    with contextlib.suppress(ecr.exceptions.ImageAlreadyExistsException):
        ecr.put_image(
            repositoryName=repository.name,
            imageManifest=json.dumps(manifest),
            imageTag=bundle.version,
        )
    return ImageCode(repository.uri, digest(bundle, "image"))


def deploy(bundle: Path, **options: object) -> Deployment:
    """Deploy a bundle under the name of all these tests."""
    return api.deploy(bundle, NAME, **{"publish": publish, **options})  # type: ignore[arg-type]


def alias(account: Account) -> tuple[str, dict[str, float]]:
    """Return the version that is live, and the shares of others."""
    live = account.functions.functions[FUNCTION].aliases["live"]
    return live.version, live.weights


def is_empty(account: Account) -> bool:
    """Tell whether nothing of any deployment is left."""
    stacks = [each for each in account.cloudformation.stacks.values() if each.status != "DELETE_COMPLETE"]
    backends = account.registry.backend.repositories, account.log_backend.groups
    return not (stacks or account.functions.functions or any(backends) or account.s3.buckets)


def ask(account: Account) -> int:
    """Send a request to the API and return the status."""
    return account.request(Traffic(FUNCTION, "live", 0))


def events(account: Account, status: str) -> list[str]:
    """Return the logical ids of a stack's events with this status."""
    stack = account.cloudformation.find(FUNCTION)
    return [each["LogicalResourceId"] for each in stack.events if each["ResourceStatus"] == status]


def during_push(action: Callable[[], object]) -> Callable[..., Code]:
    """Return a publisher during whose push something else happens."""

    def push(aws: boto3.Session, name: str, bundle: Bundle, options: Options, progress: Progress) -> Code:
        code = publish(aws, name, bundle, options, progress)
        action()
        return code

    return push
