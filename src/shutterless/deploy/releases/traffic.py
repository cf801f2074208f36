"""Which release answers the calls of a deployment: list them, promote a canary, roll back."""

from dataclasses import dataclass, replace

import boto3

from shutterless.deploy.aws.cloudformation.change_sets import Action
from shutterless.deploy.aws.cloudformation.events import read_last_status, read_last_token
from shutterless.deploy.aws.cloudformation.stack import (
    Stack,
    cancel_update,
    deployment_not_found,
    read_resources,
    read_stack,
)
from shutterless.deploy.aws.cloudformation.states import SUCCESS
from shutterless.deploy.aws.errors import aws_errors
from shutterless.deploy.aws.functions import ask_version
from shutterless.deploy.aws.session import connect
from shutterless.deploy.canary.watch import compare_canary
from shutterless.deploy.options import check_name
from shutterless.deploy.releases.alias import read_version_numbers
from shutterless.deploy.smoke import read_photo
from shutterless.deploy.state import (
    Deployment,
    State,
    apply_template,
    describe,
    read_state,
    read_updatable_state,
)
from shutterless.deploy.template.code import parse_code
from shutterless.deploy.template.releases import Releases, read_releases
from shutterless.deploy.template.template import stack_name, with_releases
from shutterless.deploy.template.types import Template
from shutterless.errors import DeployError
from shutterless.runtime.json_types import JsonObject
from shutterless.utils.progress import Progress, automatic

# What `rollback` cancels, by the beginning of the client request token. Never a rollback: a repeated
# command must not undo the first one.
CANCELLABLE = ("deploy-", "canary-", "promote-")


def promote(
    name: str,
    *,
    smoke_test: bool = True,
    profile: str | None = None,
    region: str | None = None,
    progress: Progress = automatic,
) -> Deployment:
    """Give all calls to the canary of a deployment. If that was the last change, it does nothing.

    Args:
        name: The deployment's name.
        smoke_test: Whether to ask the canary before it gets all calls. If it does not answer, nothing is
            changed.
        profile: A profile of the AWS configuration; AWS_PROFILE by default.
        region: The AWS region; AWS_REGION or the profile's by default.
        progress: Called as the work goes on.

    Returns:
        The deployment after the change.

    Raises:
        ShutterlessError: There is no such deployment, or it has no canary.

    Example:
        >>> from shutterless import deploy
        >>> deploy.promote("clothes", region="eu-central-1").canary  # doctest: +SKIP
        0.0
    """
    session = connect(profile, region)
    with aws_errors(profile):
        state, template = _read_deployed(session, name, progress)
        releases = read_releases(template)
        if not releases.canary and state.stack and _is_promoted(session, state.stack):
            return describe(state, changed=False)
        promotion = with_releases(template, releases.promote())
        numbers = read_version_numbers(session, state)
        live, canary = numbers[releases.live], numbers[releases.canary]
        start = state.stack.updated_at if state.stack else None
        comparison = compare_canary(session, name, live, canary, start)
        if smoke_test:
            ask_version(session, stack_name(name), canary, read_photo(), progress)
        return replace(_apply(session, state, promotion, "promote", progress), comparison=comparison)


def _is_promoted(session: boto3.Session, stack: Stack) -> bool:
    """Tell whether the last change gave a canary all calls, so that a repeated command has nothing to do."""
    token = read_last_token(session.client("cloudformation"), stack.id)
    return stack.status in SUCCESS and token.startswith("promote-")


def rollback(
    name: str,
    *,
    to: str | None = None,
    smoke_test: bool = True,
    profile: str | None = None,
    region: str | None = None,
    progress: Progress = automatic,
) -> Deployment:
    """Go back: cancel a deploy in progress, or else end the canary, or else return to the previous version.

    It goes back once: after a rollback, by this function or by CloudFormation, it does nothing. Then `to`
    says how to go further.

    Args:
        name: The deployment's name.
        to: The release that is to answer all calls: a version's number, a model, or the beginning of its
            code's digest, see `list_releases`.
        smoke_test: Whether to ask that version before it gets any calls. If it does not answer, nothing is
            changed.
        profile: A profile of the AWS configuration; AWS_PROFILE by default.
        region: The AWS region; AWS_REGION or the profile's by default.
        progress: Called as the work goes on.

    Returns:
        The deployment after the change.

    Raises:
        ShutterlessError: There is no such deployment, or nothing to go back to.

    Example:
        >>> from shutterless import deploy
        >>> deploy.rollback("clothes", region="eu-central-1").changed  # doctest: +SKIP
        True
    """
    check_name(name)
    session = connect(profile, region)
    with aws_errors(profile):
        is_cancelled = _cancel_deploy(session, name, progress)
        state, template = _read_deployed(session, name, progress)
        releases = read_releases(template)
        if to:
            version = releases.match(to, read_version_numbers(session, state)).version
            way_back = releases.roll_back(version)
        elif releases.canary or releases.pending or not (is_cancelled or _is_back(session, state, releases)):
            way_back = releases.roll_back()
        else:
            return describe(state, changed=is_cancelled)
        if smoke_test and way_back.live not in (releases.live, releases.canary):
            number = read_version_numbers(session, state)[way_back.live]
            ask_version(session, stack_name(name), number, read_photo(), progress)
        return _apply(session, state, with_releases(template, way_back), "rollback", progress)


@dataclass(frozen=True)
class DeployedRelease:
    """A release of a deployment, as Lambda has it.

    Attributes:
        version: The number of the version.
        model: Name and version of the model.
        code: Its image, `uri@sha256:…`, or zip, `s3://bucket/key?versionId=…`.
        created: When the version was published, ISO 8601; empty if that is unknown.
        share: Its share of the calls, 0 to 1.
        options: Those of its options that differ from the live release's.
    """

    version: str
    model: str
    code: str
    created: str
    share: float
    options: JsonObject

    @property
    def digest(self) -> str:
        """The digest of its code, `sha256:…`."""
        return parse_code(self.code).digest


def list_releases(
    name: str, *, profile: str | None = None, region: str | None = None
) -> list[DeployedRelease]:
    """Return the releases of a deployment that `rollback` can return to, newest first.

    Args:
        name: The deployment's name.
        profile: A profile of the AWS configuration; AWS_PROFILE by default.
        region: The AWS region; AWS_REGION or the profile's by default.

    Raises:
        ShutterlessError: There is no such deployment, or AWS refuses.

    Example:
        >>> from shutterless import deploy
        >>> deploy.list_releases("clothes", region="eu-central-1")[0].share  # doctest: +SKIP
        1.0
    """
    session = connect(profile, region)
    with aws_errors(profile):
        cloudformation = session.client("cloudformation")
        state = read_state(cloudformation, name)
        if state.stack is None or state.template is None:
            raise deployment_not_found(name, session.region_name)
        resources = {each.logical_id: each for each in read_resources(cloudformation, state.stack.id)}
    releases = read_releases(state.template)
    live = releases.live_release.options
    shares = {releases.live: 1 - releases.weight, releases.canary: releases.weight}
    return [
        DeployedRelease(
            version=resources[release.version].version_number if release.version in resources else "",
            model=release.model,
            code=str(release.code),
            created=resources[release.version].updated_at.isoformat(timespec="seconds")
            if release.version in resources
            else "",
            share=shares.get(release.version, 0.0),
            options={key: value for key, value in release.options.items() if live.get(key) != value},
        )
        for release in reversed(releases.history)
    ]


def _cancel_deploy(session: boto3.Session, name: str, progress: Progress) -> bool:
    """Cancel a deploy of this deployment that is in progress, and return whether there was one."""
    cloudformation = session.client("cloudformation")
    stack = read_stack(cloudformation, stack_name(name))
    if stack is None or read_last_status(cloudformation, stack.id) != "UPDATE_IN_PROGRESS":
        return False
    if not read_last_token(cloudformation, stack.id).startswith(CANCELLABLE):
        return False
    try:
        cancel_update(cloudformation, stack, progress)
    except DeployError as error:
        if error.code != "stack-busy":
            raise
        return False  # too late: it is turned back once it has finished
    return True


def _is_back(session: boto3.Session, state: State, releases: Releases) -> bool:
    """Tell whether the last change was turned back: by a rollback, or by CloudFormation because it failed."""
    if releases.rolled_back:
        return True
    if state.stack is None or state.stack.status != "UPDATE_ROLLBACK_COMPLETE":
        return False
    token = read_last_token(session.client("cloudformation"), state.stack.id)
    return not token.startswith("rollback-")  # then the rollback is what failed


def _read_deployed(session: boto3.Session, name: str, progress: Progress) -> tuple[State, Template]:
    """Return the state of a deployment once it can be updated, and its template."""
    state = read_updatable_state(session.client("cloudformation"), name, progress)
    if state.template is None:
        raise deployment_not_found(name, session.region_name)
    return state, state.template


def _apply(
    session: boto3.Session, state: State, template: Template, action: Action, progress: Progress
) -> Deployment:
    cloudformation = session.client("cloudformation")
    result = apply_template(cloudformation, state, template, progress, action=action)
    return describe(result, changed=result is not state)
