"""Deploy and plan. CloudFormation does the work and holds all state."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Unpack

import boto3

from shutterless.deploy.aws.account import AccountLimits, check_account
from shutterless.deploy.aws.cloudformation.stack import Stack
from shutterless.deploy.aws.cloudformation.states import ROLLBACK_FAILED
from shutterless.deploy.aws.ecr import change_tags
from shutterless.deploy.aws.errors import aws_errors
from shutterless.deploy.aws.s3.bucket import find_bucket
from shutterless.deploy.aws.session import connect
from shutterless.deploy.code import LiveRelease, Publisher, delete_unused, publish_code
from shutterless.deploy.front import describe_front
from shutterless.deploy.options import OptionChanges, Options, lists_options
from shutterless.deploy.releases.alias import AliasChange, find_alias_change, repair_alias
from shutterless.deploy.releases.rollout import Rollout, StepName, plan_steps
from shutterless.deploy.smoke import read_photo
from shutterless.deploy.state import (
    Deployment,
    describe,
    read_state,
    read_updatable_state,
    require_unmoved_state,
)
from shutterless.deploy.target import CANARY_MINUTES, find_target, validate
from shutterless.deploy.template.code import Code, ImageCode, ZipCode, zip_key
from shutterless.deploy.template.diff import ResourceChange
from shutterless.deploy.template.releases import read_releases
from shutterless.deploy.template.template import all_tags, read_options, repository_name
from shutterless.deploy.template.types import Template
from shutterless.runtime.model.bundle import Bundle
from shutterless.utils.progress import Progress, automatic

# Stands for a hash, or the id of an object's version, that is only known after the upload.
UNKNOWN = "0" * 64
NOT_COMPILED = (
    "This machine has no Python 3.13, so the zip has no bytecode and each cold start takes about 0.1 s "
    "longer. Install one and deploy again with --rebuild."
)


@dataclass(frozen=True)
class PlannedStep:
    """One change set of a deploy.

    Attributes:
        name: `create` or `update`, or, to bring a new version: `publish`, `turn`, `provision`, `promote`.
        changes: What it changes at AWS.
    """

    name: StepName
    changes: tuple[ResourceChange, ...]


@dataclass(frozen=True)
class Plan:
    """What a deploy would do.

    Attributes:
        steps: The change sets, one after the other; empty for none.
        template: The template that would be deployed.
        options: The options that it would be deployed with.
        region: The AWS region.
        needs_push: Whether the code would be built, or copied, and uploaded.
        current_options: The options that are deployed, None if nothing is.
        notes: What else would be done, what AWS would bill, and what a change of `--front` means.
        limits: How many calls of functions the account may run at once, None if that may not be read.
    """

    steps: tuple[PlannedStep, ...]
    template: Template
    options: Options
    region: str
    needs_push: bool
    current_options: Options | None = None
    notes: tuple[str, ...] = ()
    limits: AccountLimits | None = None


@lists_options
def plan(
    bundle: str | Path | LiveRelease,
    name: str,
    *,
    profile: str | None = None,
    region: str | None = None,
    canary: float = 0.0,
    canary_minutes: int = CANARY_MINUTES,
    rebuild: bool = False,
    **options: Unpack[OptionChanges],
) -> Plan:
    """Return what `deploy` with the same arguments would change, without changing anything.

    Args:
        bundle: The bundle's folder, or the release that is live in another deployment, see
            `read_live_release`.
        name: The deployment's name.
        profile: A profile of the AWS configuration; AWS_PROFILE by default.
        region: The AWS region; AWS_REGION or the profile's by default.
        canary: The share of the calls, 0 to 1, that the new version gets first.
        canary_minutes: How long a canary is watched before it gets all calls; 0 to leave that to `promote`.
        rebuild: Whether to build the code even if nothing that it is made from has changed.
        **options: The options to change, see `Options`.

    Raises:
        ShutterlessError: Something in the arguments or at AWS is in the way.

    Example:
        >>> from shutterless import deploy
        >>> plan = deploy.plan("bundle", "clothes", region="eu-central-1", memory=3008)  # doctest: +SKIP
        >>> plan.needs_push, plan.options.memory  # doctest: +SKIP
        (True, 3008)
    """
    contents = validate(bundle, name, options, canary, canary_minutes)
    session = connect(profile, region)
    with aws_errors(profile):
        state = read_state(session.client("cloudformation"), name)
        target = find_target(session, name, contents, state.template, options, canary, rebuild=rebuild)
        current_options = read_options(state.template) if state.template else None
        limits = check_account(session, target.options, current_options)
        alias_change = find_alias_change(session, state)
        code = target.code or _expected_code(session, name, contents, target.options)
    template = target.template(code, canary)
    steps = plan_steps(state.template, template, canary_minutes)
    return Plan(
        steps=tuple(PlannedStep(step.name, step.changes) for step in steps if step.changes),
        template=template,
        options=target.options,
        region=session.region_name,
        needs_push=target.code is None,
        current_options=current_options,
        notes=(
            *_stack_notes(state.stack, state.template),
            *_notes(state.template, template, alias_change),
            *describe_front(current_options, target.options),
        ),
        limits=limits,
    )


@lists_options
def deploy(
    bundle: str | Path | LiveRelease,
    name: str,
    *,
    profile: str | None = None,
    region: str | None = None,
    canary: float = 0.0,
    canary_minutes: int = CANARY_MINUTES,
    canary_ignore_answers: bool = False,
    photo: str | Path | None = None,
    smoke_test: bool = True,
    rebuild: bool = False,
    publish: Publisher = publish_code,
    progress: Progress = automatic,
    **options: Unpack[OptionChanges],
) -> Deployment:
    """Deploy a bundle to AWS Lambda and API Gateway.

    Deploying the same again does nothing. If it is interrupted, the same call continues it.

    Args:
        bundle: The bundle's folder, or the release that is live in another deployment, see
            `read_live_release`.
        name: The deployment's name.
        profile: A profile of the AWS configuration; AWS_PROFILE by default.
        region: The AWS region; AWS_REGION or the profile's by default.
        canary: The share of the calls, 0 to 1, that the new version gets first.
        canary_minutes: How long a canary is watched. If one of its alarms goes off, or its answers are
            worse, the old version gets all calls again; after that time the new one does. With 0 it remains
            a canary until `promote` or `rollback`.
        canary_ignore_answers: Whether to judge a canary by its errors only, because the new model is meant
            to answer differently.
        rebuild: Whether to build the code even if nothing that it is made from has changed.
        photo: The photo to ask a new version with before it gets any calls; a drawn one by default.
        smoke_test: Whether to ask it. If it does not answer, the template from before is put back.
        publish: Builds the code and uploads it.
        progress: Called as the work goes on.
        **options: The options to change, see `Options`. The others stay as they are deployed.

    Returns:
        The deployment after the change.

    Raises:
        ShutterlessError: Something in the arguments or at AWS is in the way.

    Example:
        >>> from shutterless import deploy
        >>> deployment = deploy.deploy("bundle", "clothes", region="eu-central-1")  # doctest: +SKIP
        >>> deployment.auth  # doctest: +SKIP
        'api-key'
    """
    contents = validate(bundle, name, options, canary, canary_minutes)
    question = read_photo(Path(photo) if photo else None) if smoke_test else None
    session = connect(profile, region)
    with aws_errors(profile):
        cloudformation = session.client("cloudformation")
        state = read_updatable_state(cloudformation, name, progress)
        target = find_target(session, name, contents, state.template, options, canary, rebuild=rebuild)
        current_options = read_options(state.template) if state.template else None
        check_account(session, target.options, current_options)
        if current_options and current_options.package == "image":
            tags, new_tags = all_tags(name, current_options), all_tags(name, target.options)
            change_tags(session, repository_name(name), tags, new_tags)
        code = target.code or _provide_code(session, name, contents, target.options, publish, progress)
        require_unmoved_state(cloudformation, state)
        rollout = Rollout(session, progress, question, canary_minutes, canary_ignore_answers)
        result = rollout.run(state, target.template(code, canary))
        alias_change = repair_alias(session, result)
    is_changed = result is not state
    warnings = list(delete_unused(session, name)) if is_changed else []
    if alias_change:
        warnings.append(f"{alias_change}. It is back now.")
    if isinstance(code, ZipCode) and not code.is_compiled:
        warnings.append(NOT_COMPILED)
    deployment = describe(result, changed=is_changed or bool(alias_change))
    return replace(
        deployment,
        warnings=tuple(warnings),
        comparison=rollout.comparison,
        uploaded_bytes=code.uploaded_bytes if isinstance(code, ZipCode) else 0,
    )


def _expected_code(
    session: boto3.Session, name: str, contents: Bundle | LiveRelease, options: Options
) -> Code:
    """Return what is known of code before it is uploaded."""
    digest = contents.code.digest if isinstance(contents, LiveRelease) else f"sha256:{UNKNOWN}"
    if options.package == "image":
        return ImageCode(repository_name(name), digest)
    key = zip_key(name, digest.removeprefix("sha256:"))
    return ZipCode(find_bucket(session).name, key, UNKNOWN)


def _provide_code(
    session: boto3.Session,
    name: str,
    contents: Bundle | LiveRelease,
    options: Options,
    publish: Publisher,
    progress: Progress,
) -> Code:
    """Build or copy the code for a deployment, and return it as AWS stores it."""
    if isinstance(contents, LiveRelease):
        return contents.copy_to(session, name, options, progress)
    return publish(session, name, contents, options, progress)


def _stack_notes(stack: Stack | None, deployed: Template | None) -> tuple[str, ...]:
    """Return what `deploy` would do first to a stack that cannot be updated as it is."""
    if stack is None:
        return ()
    if stack.is_busy:
        return (f"The stack is {stack.status}: deploy would wait until that has finished.",)
    if deployed is None:
        return (f"The stack is {stack.status} and nothing in it is in use: deploy would delete it first.",)
    if stack.status == ROLLBACK_FAILED:
        return (f"The stack is {stack.status}: deploy would have AWS finish the rollback first.",)
    return ()


def _notes(deployed: Template | None, target: Template, alias_change: AliasChange | None) -> tuple[str, ...]:
    """Return what else users should know before they deploy."""
    notes = []
    if alias_change:
        notes.append(f"{alias_change}; deploy would turn it back.")
    before = read_releases(deployed).history if deployed else ()
    after = [release.version for release in read_releases(target).history]
    snapshots = [release for release in before if release.options.get("snapstart")]
    if snapshots and not read_options(target).snapstart:
        count = sum(release.version in after for release in snapshots)
        notes.append(
            f"Versions with SnapStart: {len(snapshots) - count} would be deleted and {count} kept to go "
            "back to. AWS bills their snapshots until they are deleted."
        )
    return tuple(notes)
