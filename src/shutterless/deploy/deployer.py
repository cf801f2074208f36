"""Deploy, plan, promote, roll back and destroy. CloudFormation does the work and holds all state."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Unpack

import boto3
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from shutterless.deploy.aws.account import AccountLimits, check_account
from shutterless.deploy.aws.cloudformation import (
    Stack,
    cancel_update,
    deployment_not_found,
    read_stack,
    remove_stack,
)
from shutterless.deploy.aws.ecr import change_tags, delete_repository
from shutterless.deploy.aws.errors import aws_errors, error_code
from shutterless.deploy.aws.session import connect
from shutterless.deploy.aws.stack_states import ROLLBACK_FAILED
from shutterless.deploy.front import describe_front
from shutterless.deploy.image import LiveImage, Publisher, delete_unused, publish_image
from shutterless.deploy.options import OptionChanges, Options, check_name, lists_options
from shutterless.deploy.state import (
    Deployment,
    apply_template,
    describe,
    read_state,
    read_updatable_state,
)
from shutterless.deploy.target import CANARY_MINUTES, find_target, validate
from shutterless.deploy.template.diff import ResourceChange, compare_templates
from shutterless.deploy.template.releases import Releases, read_releases, with_releases
from shutterless.deploy.template.template import all_tags, read_options, repository_name, stack_name
from shutterless.deploy.template.types import Template
from shutterless.utils.progress import Progress, automatic

# Stands for a digest that is only known after the push.
UNKNOWN_DIGEST = "sha256:" + "0" * 64


@dataclass(frozen=True)
class Plan:
    """What a deploy would do.

    Attributes:
        changes: What would change at AWS; empty for nothing.
        template: The template that would be deployed.
        options: The options that it would be deployed with.
        region: The AWS region.
        needs_push: Whether an image would be built and pushed.
        current_options: The options that are deployed, None if nothing is.
        notes: What would be done to the stack before, if it cannot be updated as it is, and what a change
            of `--front` means.
        limits: How many calls of functions the account may run at once, None if that may not be read.
    """

    changes: tuple[ResourceChange, ...]
    template: Template
    options: Options
    region: str
    needs_push: bool
    current_options: Options | None = None
    notes: tuple[str, ...] = ()
    limits: AccountLimits | None = None


@lists_options
def plan(
    bundle: str | Path | LiveImage,
    name: str,
    *,
    profile: str | None = None,
    region: str | None = None,
    canary: float = 0.0,
    rebuild: bool = False,
    **options: Unpack[OptionChanges],
) -> Plan:
    """Return what `deploy` with the same arguments would change, without changing anything.

    Args:
        bundle: The bundle's folder, or the image that is live in another deployment, see
            `read_live_image`.
        name: The deployment's name.
        profile: A profile of the AWS configuration; AWS_PROFILE by default.
        region: The AWS region; AWS_REGION or the profile's by default.
        canary: The share of the calls, 0 to 1, that the new version gets first.
        rebuild: Whether to build the image even if nothing that it is made from has changed.
        **options: The options to change, see `Options`.

    Raises:
        ShutterlessError: Something in the arguments or at AWS is in the way.

    Example:
        >>> from shutterless import deploy
        >>> plan = deploy.plan("bundle", "clothes", region="eu-central-1", memory=3008)  # doctest: +SKIP
        >>> plan.needs_push, plan.options.memory  # doctest: +SKIP
        (True, 3008)
    """
    contents = validate(bundle, name, options, canary)
    session = connect(profile, region)
    with aws_errors(profile):
        state = read_state(session.client("cloudformation"), name)
        target = find_target(session, name, contents, state.template, options, canary, rebuild=rebuild)
        current_options = read_options(state.template) if state.template else None
        limits = check_account(session, target.options, current_options)
    digest = contents.digest if isinstance(contents, LiveImage) else UNKNOWN_DIGEST
    template = target.template(target.image or f"{repository_name(name)}@{digest}", canary)
    return Plan(
        changes=tuple(compare_templates(state.template, template)),
        template=template,
        options=target.options,
        region=session.region_name,
        needs_push=not target.image,
        current_options=current_options,
        notes=(*_notes(state.stack, state.template), *describe_front(current_options, target.options)),
        limits=limits,
    )


@lists_options
def deploy(
    bundle: str | Path | LiveImage,
    name: str,
    *,
    profile: str | None = None,
    region: str | None = None,
    canary: float = 0.0,
    canary_minutes: int = CANARY_MINUTES,
    rebuild: bool = False,
    publish: Publisher = publish_image,
    progress: Progress = automatic,
    **options: Unpack[OptionChanges],
) -> Deployment:
    """Deploy a bundle to AWS Lambda and API Gateway.

    Deploying the same again does nothing. If it is interrupted, the same call continues it.

    Args:
        bundle: The bundle's folder, or the image that is live in another deployment, see
            `read_live_image`.
        name: The deployment's name.
        profile: A profile of the AWS configuration; AWS_PROFILE by default.
        region: The AWS region; AWS_REGION or the profile's by default.
        canary: The share of the calls, 0 to 1, that the new version gets first.
        canary_minutes: How long CloudFormation watches a canary. If an alarm goes off, it rolls everything
            back; after that time the new version gets all calls. With 0 it remains a canary until
            `promote` or `rollback`.
        rebuild: Whether to build the image even if nothing that it is made from has changed.
        publish: Builds the image and pushes it to the registry.
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
    session = connect(profile, region)
    with aws_errors(profile):
        cloudformation = session.client("cloudformation")
        state = read_updatable_state(cloudformation, name, progress)
        target = find_target(session, name, contents, state.template, options, canary, rebuild=rebuild)
        current_options = read_options(state.template) if state.template else None
        check_account(session, target.options, current_options)
        if current_options:
            tags, new_tags = all_tags(name, current_options), all_tags(name, target.options)
            change_tags(session, repository_name(name), tags, new_tags)
        image = target.image or _provide_image(session, name, bundle, target.options, publish, progress)
        template = target.template(image, canary)
        result = apply_template(cloudformation, state, template, canary_minutes, progress)
        if canary_minutes and read_releases(template).canary:
            template = with_releases(template, read_releases(template).promote())
            result = apply_template(cloudformation, result, template, 0, progress)
    if result is state:
        return describe(result, changed=False)
    return replace(describe(result, changed=True), warnings=delete_unused(session, name))


def _provide_image(
    session: boto3.Session,
    name: str,
    bundle: str | Path | LiveImage,
    options: Options,
    publish: Publisher,
    progress: Progress,
) -> str:
    """Build or copy an image into the repository of a deployment, and return it as `uri@sha256:…`."""
    if isinstance(bundle, LiveImage):
        return bundle.copy_to(session, name, options, progress)
    return publish(session, name, Path(bundle), options, progress)


def promote(
    name: str, *, profile: str | None = None, region: str | None = None, progress: Progress = automatic
) -> Deployment:
    """Give all calls to the canary of a deployment.

    Args:
        name: The deployment's name.
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
        return _reroute(session.client("cloudformation"), name, Releases.promote, progress)


def rollback(
    name: str, *, profile: str | None = None, region: str | None = None, progress: Progress = automatic
) -> Deployment:
    """Go back: cancel an update in progress, or else end the canary, or else return to the previous version.

    Args:
        name: The deployment's name.
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
    session = connect(profile, region)
    with aws_errors(profile):
        cloudformation = session.client("cloudformation")
        stack = read_stack(cloudformation, stack_name(check_name(name)))
        if stack and stack.status == "UPDATE_IN_PROGRESS":
            cancel_update(cloudformation, stack, progress)
            return describe(read_updatable_state(cloudformation, name, progress), changed=True)
        return _reroute(cloudformation, name, Releases.roll_back, progress)


def destroy(
    name: str, *, profile: str | None = None, region: str | None = None, progress: Progress = automatic
) -> None:
    """Delete a deployment: its stack with all versions, log and API key, and its repository with all images.

    If it is interrupted, the same call continues it.

    Args:
        name: The deployment's name.
        profile: A profile of the AWS configuration; AWS_PROFILE by default.
        region: The AWS region; AWS_REGION or the profile's by default.
        progress: Called as the work goes on.

    Raises:
        ShutterlessError: A resource could not be deleted.

    Example:
        >>> from shutterless import deploy
        >>> deploy.destroy("clothes", region="eu-central-1")  # doctest: +SKIP
    """
    session = connect(profile, region)
    with aws_errors(profile):
        remove_stack(session.client("cloudformation"), stack_name(check_name(name)), progress)
        delete_repository(session, repository_name(name))


def list_resources(name: str, *, profile: str | None = None, region: str | None = None) -> list[str]:
    """Return what a deployment consists of at AWS, one line each; every service is asked.

    Args:
        name: The deployment's name.
        profile: A profile of the AWS configuration; AWS_PROFILE by default.
        region: The AWS region; AWS_REGION or the profile's by default.

    Raises:
        ShutterlessError: AWS refuses, or the stack was not made by shutterless.

    Example:
        >>> from shutterless import deploy
        >>> deploy.list_resources("clothes", region="eu-central-1")[0]  # doctest: +SKIP
        'stack shutterless-clothes (UPDATE_COMPLETE)'
    """
    function, repository = stack_name(check_name(name)), repository_name(name)
    session, log_group = connect(profile, region), f"/aws/lambda/{function}"
    resources = []
    with aws_errors(profile):
        if stack := read_stack(session.client("cloudformation"), function):
            resources.append(f"stack {stack.name} ({stack.status})")
        if _exists(lambda: session.client("lambda").get_function(FunctionName=function)):
            resources.append(f"function {function}")
        groups = session.client("logs").describe_log_groups(logGroupNamePrefix=log_group)["logGroups"]
        if log_group in (group["logGroupName"] for group in groups):
            resources.append(f"log group {log_group}")
        if _exists(lambda: session.client("ecr").describe_repositories(repositoryNames=[repository])):
            resources.append(f"repository {repository}, with its images")
    return resources


def _exists(request: Callable[[], object]) -> bool:
    try:
        request()
    except ClientError as error:
        if "NotFound" in error_code(error):
            return False
        raise
    return True


def _reroute(
    cloudformation: BaseClient, name: str, change: Callable[[Releases], Releases], progress: Progress
) -> Deployment:
    """Point the alias of a deployment elsewhere; raises `ShutterlessError` if nothing is deployed."""
    state = read_updatable_state(cloudformation, name, progress)
    if state.template is None:
        raise deployment_not_found(name, cloudformation.meta.region_name)
    template = with_releases(state.template, change(read_releases(state.template)))
    result = apply_template(cloudformation, state, template, 0, progress)
    return describe(result, changed=result is not state)


def _notes(stack: Stack | None, deployed: Template | None) -> tuple[str, ...]:
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
