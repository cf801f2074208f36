"""What a deploy has to arrive at, derived from its arguments and what is deployed."""

from dataclasses import dataclass, replace
from pathlib import Path

import boto3

from shutterless.deploy.code import LiveRelease, code_fingerprint, fits_zip, is_same_code, read_upload_time
from shutterless.deploy.front import check_front
from shutterless.deploy.options import OptionChanges, Options, check_changes, check_name
from shutterless.deploy.template.code import Code
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
        fingerprint: Of everything the code is made from.
        code: The code; None if it has to be built or copied first.
    """

    name: str
    model: str
    options: Options
    deployed: Template | None
    fingerprint: str
    code: Code | None

    def template(self, code: Code, weight: float) -> Template:
        """Return the template to deploy.

        Args:
            code: The code to deploy.
            weight: The share of the calls, 0 to 1, that it gets as a canary; 0 for all calls.
        """
        return build_template(
            self.name,
            self.options,
            code=code,
            model=self.model,
            fingerprint=self.fingerprint,
            deployed=self.deployed,
            weight=weight,
        )


def validate(
    bundle: str | Path | LiveRelease,
    name: str,
    changes: OptionChanges,
    canary: float,
    minutes: int = CANARY_MINUTES,
) -> Bundle | LiveRelease:
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
    return bundle if isinstance(bundle, LiveRelease) else open_bundle(Path(bundle))


def find_target(
    session: boto3.Session,
    name: str,
    contents: Bundle | LiveRelease,
    deployed: Template | None,
    changes: OptionChanges,
    canary: float,
    *,
    rebuild: bool = False,
) -> Target:
    """Return what a deploy has to arrive at.

    Args:
        session: The AWS session, to look for the code.
        name: The deployment's name.
        contents: The bundle to deploy, or the release that is live in another deployment.
        deployed: The template that is deployed, None if nothing is.
        changes: The options to change. The others stay as they are deployed.
        canary: The share of the calls, 0 to 1, that the new version gets first.
        rebuild: Whether to build the code even if it is stored.

    Raises:
        ShutterlessError: AWS does not support the options together, or not together with a canary.
    """
    options = (read_options(deployed) if deployed else Options()).with_changes(changes)
    if isinstance(contents, LiveRelease):
        options = contents.adapt(options, changes)
    elif deployed is None and not changes.get("package") and not fits_zip(contents):
        options = replace(options, package="image")
    check_front(options, changes)
    releases = read_releases(deployed) if deployed else None
    if options.provisioned_concurrency and (canary or (releases and releases.canary)):
        raise InputError(
            "conflicting-options",
            "Lambda does not support a canary together with provisioned concurrency",
            "Promote the canary or roll back first, or use --provisioned-concurrency 0.",
        )
    candidates = (releases.live_release, *reversed(releases.history)) if releases and not rebuild else ()
    if isinstance(contents, LiveRelease):
        model, fingerprint = contents.model, contents.fingerprint
        same = [each for each in candidates if each.code.digest == contents.code.digest]
    else:
        model, fingerprint = f"{contents.name} {contents.version}", code_fingerprint(contents, options)
        same = [each for each in candidates if is_same_code(each.fingerprint, fingerprint)]
    if same and read_upload_time(session, same[0].code):
        return Target(name, model, options, deployed, same[0].fingerprint, same[0].code)
    return Target(name, model, options, deployed, fingerprint, code=None)
