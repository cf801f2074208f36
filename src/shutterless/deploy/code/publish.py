"""Build the code of a release and store it at AWS."""

from collections.abc import Callable
from typing import TypeAlias

import boto3

from shutterless.deploy.code.image import publish_image
from shutterless.deploy.code.zip import publish_zip
from shutterless.deploy.options import Options
from shutterless.deploy.template.code import Code
from shutterless.runtime.model.bundle import Bundle
from shutterless.utils.progress import Progress

# (session, deployment's name, bundle, options, progress) → the code
Publisher: TypeAlias = Callable[[boto3.Session, str, Bundle, Options, Progress], Code]


def publish_code(
    session: boto3.Session, name: str, bundle: Bundle, options: Options, progress: Progress
) -> Code:
    """Build the code of a bundle as its options say, store it at AWS, and return it there.

    Args:
        session: The AWS session.
        name: The deployment's name.
        bundle: The bundle.
        options: How it is deployed.
        progress: Called as the work goes on.

    Raises:
        ShutterlessError: The build or the upload failed.
    """
    publish = publish_zip if options.package == "zip" else publish_image
    return publish(session, name, bundle, options, progress)
