"""Make the zip of a bundle and upload it to Amazon S3."""

import tempfile
from dataclasses import replace
from pathlib import Path

import boto3

from shutterless.deploy.aws.s3.bucket import ensure_bucket
from shutterless.deploy.aws.s3.objects import upload
from shutterless.deploy.options import Options
from shutterless.deploy.template.code import Code, ZipCode, zip_key
from shutterless.runtime.model.bundle import Bundle
from shutterless.utils.progress import Progress

# A generous estimate of the runtime and its dependencies, unzipped.
RUNTIME_BYTES = 64 * 1024 * 1024


def fits_zip(bundle: Bundle) -> bool:
    """Tell whether Lambda takes the zip of a bundle, which may have 250 MB when it is unzipped."""
    from shutterless.packaging.zip_package import MAX_UNZIPPED

    return len(bundle.model) + RUNTIME_BYTES <= MAX_UNZIPPED


def publish_zip(
    session: boto3.Session, name: str, bundle: Bundle, options: Options, progress: Progress
) -> Code:
    """Make the zip of a bundle, upload it to the account's bucket, and return it there.

    Args:
        session: The AWS session.
        name: The deployment's name.
        bundle: The bundle.
        options: How it is deployed.
        progress: Called as the work goes on.

    Raises:
        ShutterlessError: The zip would be too large, its wheels are missing, or AWS refuses.
    """
    from shutterless.packaging.zip_package import build_zip

    with tempfile.TemporaryDirectory(prefix="shutterless-") as folder:
        package = build_zip(
            bundle, Path(folder, "function.zip"), platform=options.platform, progress=progress
        )
        code = upload_zip(session, name, package.path, package.sha256, progress)
    return replace(code, is_compiled=bool(package.compiled))


def upload_zip(session: boto3.Session, name: str, file: Path, sha256: str, progress: Progress) -> ZipCode:
    """Upload a zip for a deployment unless it is stored already, and return it there.

    Args:
        session: The AWS session.
        name: The deployment's name.
        file: The zip.
        sha256: Its SHA-256, in hex.
        progress: Called as the work goes on.

    Raises:
        ShutterlessError: AWS refuses.
    """
    return upload(ensure_bucket(session), zip_key(name, sha256), file, sha256, progress)
