"""Build the image of a bundle and push it to Amazon ECR."""

import boto3

from shutterless.deploy.aws.ecr import ensure_repository, push
from shutterless.deploy.options import Options
from shutterless.deploy.template.code import Code, parse_code
from shutterless.deploy.template.template import all_tags, repository_name
from shutterless.runtime.model.bundle import Bundle
from shutterless.utils.progress import Progress


def publish_image(
    session: boto3.Session, name: str, bundle: Bundle, options: Options, progress: Progress
) -> Code:
    """Build the image of a bundle, push it to the repository of the deployment, and return it there.

    Args:
        session: The AWS session.
        name: The deployment's name.
        bundle: The bundle.
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
    return parse_code(push(session, repository, tag, progress))
