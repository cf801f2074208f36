"""The release that is live in one deployment, to deploy the same code in another."""

import re
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import boto3

from shutterless.deploy.aws.cloudformation.stack import deployment_not_found
from shutterless.deploy.aws.ecr import Repository, ensure_repository, log_in
from shutterless.deploy.aws.errors import aws_errors
from shutterless.deploy.aws.registry import copy_image
from shutterless.deploy.aws.s3.objects import download
from shutterless.deploy.aws.session import connect
from shutterless.deploy.code.zip import upload_zip
from shutterless.deploy.options import OptionChanges, Options
from shutterless.deploy.state import read_state
from shutterless.deploy.template.code import Code, ImageCode
from shutterless.deploy.template.releases import read_releases
from shutterless.deploy.template.template import all_tags, read_options, repository_name
from shutterless.errors import InputError
from shutterless.utils.progress import Progress

VERSION = re.compile(r"[0-9a-f]{12}")
# The options that belong to the code.
CODE_OPTIONS = ("package", "platform", "base_image")


@dataclass(frozen=True)
class LiveRelease:
    """The release that is live in a deployment.

    Attributes:
        deployment: The deployment's name.
        code: Its image or zip.
        model: Name and version of the model in it.
        fingerprint: Of everything that the code was made from.
        options: The options of that deployment. The platform and the base image are the code's.
        session: The AWS session that can read it.
    """

    deployment: str
    code: Code
    model: str
    fingerprint: str
    options: Options
    session: boto3.Session = field(repr=False, compare=False)

    def adapt(self, options: Options, changes: OptionChanges) -> Options:
        """Return the options to deploy it with elsewhere: package, platform and base image are given.

        Args:
            options: The options there, with the changes.
            changes: The options to change there.

        Raises:
            ShutterlessError: They ask for another of these (`conflicting-options`).
        """
        for name in CODE_OPTIONS:
            value, request = getattr(self.options, name), changes.get(name)
            if request not in (None, value):
                raise InputError(
                    "conflicting-options",
                    f"The live release of {self.deployment} has the {name.replace('_', ' ')} {value!r}, "
                    f"not {request!r}",
                    f"Leave out --{name.replace('_', '-')}, or deploy the bundle.",
                )
        return replace(options, **{name: getattr(self.options, name) for name in CODE_OPTIONS})

    def copy_to(self, session: boto3.Session, name: str, options: Options, progress: Progress) -> Code:
        """Copy the code for another deployment and return it there.

        It may be in another account or region. Every deployment has a repository, or a folder in the bucket,
        of its own, so that nothing is deleted that another one needs, and Lambda needs it in its own region.

        Args:
            session: The AWS session of the other deployment.
            name: Its name.
            options: Its options.
            progress: Called as the work goes on.

        Raises:
            ShutterlessError: The code is gone, or AWS refuses or cannot be reached.
        """
        if isinstance(self.code, ImageCode):
            return self._copy_image(self.code, session, name, options, progress)
        with tempfile.TemporaryDirectory(prefix="shutterless-") as folder:
            file = Path(folder, "function.zip")
            download(self.session, self.code, file)
            return upload_zip(session, name, file, self.code.digest.removeprefix("sha256:"), progress)

    def _copy_image(
        self, code: ImageCode, session: boto3.Session, name: str, options: Options, progress: Progress
    ) -> Code:
        """Copy an image layer by layer, see `copy_to`."""
        source = log_in(self.session, Repository(code.repository, code.uri))
        repository = ensure_repository(
            session, repository_name(name), tags=all_tags(name, options), kms_key=options.image_kms_key
        )
        version = self.model.rpartition(" ")[2]
        short_digest = code.digest.removeprefix("sha256:")[:12]
        tag = f"{version}-{short_digest}" if VERSION.fullmatch(version) else short_digest
        copy_image(source, log_in(session, repository), code.digest, tag, progress)
        return ImageCode(repository.uri, code.digest)


def read_live_release(name: str, *, profile: str | None = None, region: str | None = None) -> LiveRelease:
    """Return the release that is live in a deployment, to deploy the very same code elsewhere.

    While a canary runs, it is the one that gets the other calls.

    Args:
        name: The deployment's name.
        profile: A profile of the AWS configuration; AWS_PROFILE by default.
        region: The AWS region; AWS_REGION or the profile's by default.

    Raises:
        ShutterlessError: There is no such deployment, or AWS refuses.

    Example:
        >>> from shutterless import deploy
        >>> release = deploy.read_live_release("clothes", region="eu-central-1")  # doctest: +SKIP
        >>> release.code.digest[:7]  # doctest: +SKIP
        'sha256:'
    """
    session = connect(profile, region)
    with aws_errors(profile):
        template = read_state(session.client("cloudformation"), name).template
    if template is None:
        raise deployment_not_found(name, session.region_name)
    release = read_releases(template).live_release
    options = read_options(template)
    if release.options:
        options = options.with_changes(cast(OptionChanges, release.options))
    return LiveRelease(name, release.code, release.model, release.fingerprint, options, session)
