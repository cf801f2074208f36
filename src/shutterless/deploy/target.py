"""What a deploy has to arrive at, derived from its arguments and what is deployed."""

from dataclasses import dataclass
from pathlib import Path

import boto3

from shutterless.deploy.front import check_front
from shutterless.deploy.image import LiveImage, image_exists, image_fingerprint, is_same_image
from shutterless.deploy.options import OptionChanges, Options, check_changes, check_name
from shutterless.deploy.template.releases import read_releases
from shutterless.deploy.template.template import build_template, read_options
from shutterless.deploy.template.types import Template
from shutterless.errors import InputError
from shutterless.model_check import open_bundle
from shutterless.runtime.model.bundle import Bundle

CANARY_MINUTES = 10
MAX_CANARY_MINUTES = 180  # CloudFormation's own limit


@dataclass(frozen=True)
class Target:
    """What a deploy has to arrive at.

    Attributes:
        name: The deployment's name.
        model: Name and version of the model.
        options: The options to deploy it with.
        deployed: The template that is deployed, None if nothing is.
        fingerprint: Of everything the image is made from.
        image: `uri@sha256:…`; empty if it has to be built and pushed first.
    """

    name: str
    model: str
    options: Options
    deployed: Template | None
    fingerprint: str
    image: str

    def template(self, image: str, weight: float) -> Template:
        """Return the template to deploy.

        Args:
            image: `uri@sha256:…`.
            weight: The share of the calls, 0 to 1, that this image gets as a canary; 0 for all calls.
        """
        return build_template(
            self.name,
            self.options,
            image=image,
            model=self.model,
            fingerprint=self.fingerprint,
            deployed=self.deployed,
            weight=weight,
        )


def validate(
    bundle: str | Path | LiveImage,
    name: str,
    changes: OptionChanges,
    canary: float,
    minutes: int = CANARY_MINUTES,
) -> Bundle | LiveImage:
    """Check the arguments of a deploy as far as that is possible without AWS, and return what it deploys.

    Raises:
        ShutterlessError: One of them is not valid.
    """
    check_name(name)
    check_changes(changes)
    if not 0 <= canary < 1:
        raise InputError(
            "invalid-canary", f"A canary cannot get {canary:.0%} of the calls", "Give it 1% to 99%."
        )
    if not 0 <= minutes <= MAX_CANARY_MINUTES:
        raise InputError(
            "invalid-canary",
            f"A canary cannot be watched for {minutes} minutes",
            f"Give 1 to {MAX_CANARY_MINUTES} minutes, or 0 to promote it yourself.",
        )
    return bundle if isinstance(bundle, LiveImage) else open_bundle(Path(bundle))


def find_target(
    session: boto3.Session,
    name: str,
    contents: Bundle | LiveImage,
    deployed: Template | None,
    changes: OptionChanges,
    canary: float,
    *,
    rebuild: bool = False,
) -> Target:
    """Return what a deploy has to arrive at.

    Args:
        session: The AWS session, to look for the image.
        name: The deployment's name.
        contents: The bundle to deploy, or the image that is live in another deployment.
        deployed: The template that is deployed, None if nothing is.
        changes: The options to change. The others stay as they are deployed.
        canary: The share of the calls, 0 to 1, that the new version gets first.
        rebuild: Whether to build the image even if it is in the registry.

    Raises:
        ShutterlessError: AWS does not support the options together, or not together with a canary.
    """
    options = (read_options(deployed) if deployed else Options()).with_changes(changes)
    if isinstance(contents, LiveImage):
        options = contents.adapt(options, changes)
    check_front(options, changes)
    releases = read_releases(deployed) if deployed else None
    if options.provisioned_concurrency and (canary or (releases and releases.canary)):
        raise InputError(
            "conflicting-options",
            "Lambda does not support a canary together with provisioned concurrency",
            "Promote the canary or roll back first, or use --provisioned-concurrency 0.",
        )
    candidates = (releases.live_release, *reversed(releases.history)) if releases and not rebuild else ()
    if isinstance(contents, LiveImage):
        model, fingerprint = contents.model, contents.fingerprint
        same = [each for each in candidates if each.digest == contents.digest]
    else:
        model, fingerprint = f"{contents.name} {contents.version}", image_fingerprint(contents, options)
        same = [each for each in candidates if is_same_image(each.fingerprint, fingerprint)]
    if same and image_exists(session, same[0].image):
        return Target(name, model, options, deployed, same[0].fingerprint, same[0].image)
    return Target(name, model, options, deployed, fingerprint, image="")
