"""Deploy, plan, promote, roll back, destroy. CloudFormation is the engine; all state is in AWS."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

from shutterless.deploy.aws.cloudformation import (
    STUCK,
    Stack,
    Watch,
    cancel_update,
    change_stack,
    no_deployment,
    read_stack,
    read_template,
    remove_stack,
    settle,
)
from shutterless.deploy.aws.ecr import delete_repository
from shutterless.deploy.aws.errors import aws_errors, error_code
from shutterless.deploy.aws.session import connect
from shutterless.deploy.image import Publish, image_source, is_in_registry, publish_image
from shutterless.deploy.options import Options, check_name
from shutterless.deploy.template.checks import check_template
from shutterless.deploy.template.diff import Difference, differences
from shutterless.deploy.template.function import alarm_names
from shutterless.deploy.template.releases import Releases, Template, read_releases, turned
from shutterless.deploy.template.template import (
    build_template,
    read_options,
    repository_name,
    stack_name,
)
from shutterless.errors import DeployError, InputError
from shutterless.model_check import open_bundle
from shutterless.runtime.model.bundle import Bundle
from shutterless.utils.progress import Progress, automatic

# Stands for a digest that only a push can tell.
UNKNOWN_DIGEST = "sha256:" + "0" * 64
CANARY_MINUTES = 10
MAX_CANARY_MINUTES = 180  # CloudFormation watches no longer


@dataclass(frozen=True)
class Plan:
    """What a deploy would do.

    differences: to what is deployed, empty for none. template: that would be deployed. options: it would
    be deployed with. region: where. pushes: whether an image would be built and pushed. before: the
    options deployed. notes: what else would be done.
    """

    differences: tuple[Difference, ...]
    template: Template
    options: Options
    region: str
    pushes: bool
    before: Options | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Deployment:
    """What is deployed: the API's address, who may call it, and which models answer.

    key_id: of the API key, empty if there is none. canary: the share of the calls, 0 to 1, that
    `canary_model` gets. template: as CloudFormation has it. changed: whether anything has changed.
    """

    name: str
    url: str
    auth: str
    key_id: str
    model: str
    image: str
    template: Template
    canary_model: str = ""
    canary: float = 0.0
    changed: bool = True


@dataclass(frozen=True)
class _State:
    """What CloudFormation has of a deployment; nothing at first."""

    name: str
    stack: Stack | None
    template: Template | None


@dataclass(frozen=True)
class _Wanted:
    """What a deploy is to arrive at, as far as it can be known before the image is pushed."""

    name: str
    bundle: Bundle
    options: Options
    deployed: Template | None
    source: str
    image: str

    def template(self, image: str, weight: float = 0.0) -> Template:
        return check_template(
            build_template(
                self.name,
                self.options,
                image=image,
                model=f"{self.bundle.name} {self.bundle.version}",
                source=self.source,
                deployed=self.deployed,
                weight=weight,
            )
        )


def plan(
    bundle: str | Path,
    name: str,
    *,
    profile: str | None = None,
    region: str | None = None,
    canary: float = 0.0,
    **options: Any,
) -> Plan:
    """Return what `deploy` with the same arguments would change, without changing anything.

    Raises `ShutterlessError` as `deploy` does.
    """
    bundle = Path(bundle)
    read = _check(bundle, name, options, canary)
    session = connect(profile, region)
    with aws_errors(profile):
        cloudformation = session.client("cloudformation")
        stack = read_stack(cloudformation, stack_name(name))
        deployed = read_template(cloudformation, stack)
        wanted = _wanted(session, name, read, deployed, options, canary)
    template = wanted.template(wanted.image or f"{repository_name(name)}@{UNKNOWN_DIGEST}", canary)
    found = tuple(differences(wanted.deployed, template))
    return Plan(
        differences=found,
        template=template,
        options=wanted.options,
        region=session.region_name,
        pushes=not wanted.image,
        before=read_options(deployed) if deployed else None,
        notes=_notes(stack, deployed),
    )


def deploy(
    bundle: str | Path,
    name: str,
    *,
    profile: str | None = None,
    region: str | None = None,
    canary: float = 0.0,
    canary_minutes: int = CANARY_MINUTES,
    publish: Publish = publish_image,
    progress: Progress = automatic,
    **options: Any,
) -> Deployment:
    """Deploy the folder `bundle` as `name` and return what is there then; again without a change: nothing.

    canary: the share of the calls, 0 to 1, that the new version gets first. For `canary_minutes`
    CloudFormation takes everything back if an alarm goes off; then the version gets all calls. With 0
    minutes it stays a canary until `promote` or `rollback`. publish: puts the image into the registry.
    options: the fields of `Options`; what is not given stays as it is deployed. Interrupted anywhere, it
    can be run again. Raises `ShutterlessError`.
    """
    bundle = Path(bundle)
    read = _check(bundle, name, options, canary, canary_minutes)
    session = connect(profile, region)
    with aws_errors(profile):
        cloudformation = session.client("cloudformation")
        found = _settled(cloudformation, name, progress)
        wanted = _wanted(session, name, read, found.template, options, canary)
        image = wanted.image or publish(session, name, bundle, wanted.options, progress)
        template = wanted.template(image, canary)
        reached = _change(cloudformation, found, template, canary_minutes, progress)
        if canary_minutes and read_releases(template).canary:
            promoted = turned(template, read_releases(template).promoted())
            reached = _change(cloudformation, reached, promoted, 0, progress)
    return _describe(reached, changed=reached is not found)


def promote(
    name: str, *, profile: str | None = None, region: str | None = None, progress: Progress = automatic
) -> Deployment:
    """Give the canary of `name` all calls; raises `ShutterlessError` if there is none."""
    session = connect(profile, region)
    with aws_errors(profile):
        return _turn(session.client("cloudformation"), name, Releases.promoted, progress)


def rollback(
    name: str, *, profile: str | None = None, region: str | None = None, progress: Progress = automatic
) -> Deployment:
    """Go back: stop an update under way, or end the canary, or else make the version before live.

    Raises `ShutterlessError` if there is nothing to go back to.
    """
    session = connect(profile, region)
    with aws_errors(profile):
        cloudformation = session.client("cloudformation")
        stack = read_stack(cloudformation, stack_name(check_name(name)))
        if stack and stack.status == "UPDATE_IN_PROGRESS":
            cancel_update(cloudformation, stack, progress)
            return _describe(_settled(cloudformation, name, progress), changed=True)
        return _turn(cloudformation, name, Releases.rolled_back, progress)


def destroy(
    name: str, *, profile: str | None = None, region: str | None = None, progress: Progress = automatic
) -> None:
    """Delete the stack of `name` with all versions, log and key, and its repository with all images.

    What is gone already is passed over, so an interrupted one can be run again. Raises
    `ShutterlessError` with what will not go.
    """
    session = connect(profile, region)
    with aws_errors(profile):
        cloudformation = session.client("cloudformation")
        remove_stack(cloudformation, stack_name(check_name(name)), progress)
        delete_repository(session, repository_name(name))


def inventory(name: str, *, profile: str | None = None, region: str | None = None) -> list[str]:
    """Return what there is of `name` in AWS, a line each, asked of every service; empty if nothing is."""
    called, repository = stack_name(check_name(name)), repository_name(name)
    session = connect(profile, region)
    with aws_errors(profile):
        stack = read_stack(session.client("cloudformation"), called)
        logs = session.client("logs").describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{called}")
        there = [
            (f"stack {called} ({stack.status})" if stack else ""),
            (f"function {called}" if _exists(session, "lambda", "get_function", FunctionName=called) else ""),
            *(
                f"log group {group['logGroupName']}"
                for group in logs["logGroups"]
                if group["logGroupName"] == f"/aws/lambda/{called}"
            ),
            (
                f"repository {repository}, with its images"
                if _exists(session, "ecr", "describe_repositories", repositoryNames=[repository])
                else ""
            ),
        ]
    return [line for line in there if line]


def _exists(session: boto3.Session, service: str, operation: str, **what: Any) -> bool:
    try:
        getattr(session.client(service), operation)(**what)
    except ClientError as error:
        if "NotFound" in error_code(error):
            return False
        raise
    return True


def _check(
    bundle: Path, name: str, given: Mapping[str, Any], canary: float, minutes: int = CANARY_MINUTES
) -> Bundle:
    """Return the bundle; raises `ShutterlessError` for all that can be wrong before AWS is asked."""
    check_name(name)
    Options().changed(given)
    if not 0 <= canary < 1:
        raise InputError(
            "invalid-canary", f"A canary cannot get {canary:.0%} of the calls", "Give it 1% to 99%."
        )
    if not 0 <= minutes <= MAX_CANARY_MINUTES:
        raise InputError(
            "invalid-canary",
            f"A canary cannot be watched for {minutes} minutes",
            f"Give 1 to {MAX_CANARY_MINUTES}, or 0 to promote it by hand.",
        )
    return open_bundle(bundle)


def _wanted(
    session: boto3.Session,
    name: str,
    bundle: Bundle,
    deployed: Template | None,
    given: Mapping[str, Any],
    canary: float,
) -> _Wanted:
    options = (read_options(deployed) if deployed else Options()).changed(given)
    running = read_releases(deployed).canary if deployed else ""
    if (canary or running) and options.provisioned_concurrency:
        raise InputError(
            "conflicting-options",
            "Lambda takes no canary beside provisioned concurrency",
            "Promote the canary or roll back first, or give --provisioned-concurrency 0.",
        )
    source = image_source(bundle, options)
    kept = read_releases(deployed).kept if deployed else ()
    image = next((release.image for release in kept if release.source == source), "")
    if image and not is_in_registry(session, image):
        image = ""
    return _Wanted(name, bundle, options, deployed, source, image)


def _settled(cloudformation: Any, name: str, progress: Progress) -> _State:
    stack = settle(cloudformation, stack_name(check_name(name)), progress)
    return _State(name, stack, read_template(cloudformation, stack))


def _turn(
    cloudformation: Any, name: str, to: Callable[[Releases], Releases], progress: Progress
) -> Deployment:
    """Point the alias of `name` elsewhere; raises `ShutterlessError` if nothing is deployed."""
    found = _settled(cloudformation, name, progress)
    if found.template is None:
        raise no_deployment(name, cloudformation.meta.region_name)
    template = turned(found.template, to(read_releases(found.template)))
    reached = _change(cloudformation, found, template, 0, progress)
    return _describe(reached, changed=reached is not found)


def _change(
    cloudformation: Any, found: _State, template: Template, minutes: int, progress: Progress
) -> _State:
    """Make what was found as the template says, a canary under watch; return it itself if it is."""
    if not differences(found.template, template):
        return found
    called, watch = stack_name(found.name), Watch()
    if minutes and read_releases(template).canary:
        watch = Watch(alarm_names(called), minutes)
    stack = change_stack(cloudformation, called, found.stack, template, watch, progress)
    return _State(found.name, stack, template)


def _describe(state: _State, *, changed: bool) -> Deployment:
    if state.stack is None or state.template is None:
        raise DeployError(
            "stack-deleted", f"The stack of {state.name} was deleted meanwhile", "Deploy it again."
        )
    releases, outputs = read_releases(state.template), state.stack.outputs
    return Deployment(
        name=state.name,
        url=outputs["Url"],
        auth=outputs["Auth"],
        key_id=outputs.get("ApiKeyId", ""),
        model=releases.live_release.model,
        image=releases.live_release.image,
        template=state.template,
        canary_model=releases.find(releases.canary).model if releases.canary else "",
        canary=releases.weight,
        changed=changed,
    )


def _notes(stack: Stack | None, deployed: Template | None) -> tuple[str, ...]:
    """Return what `deploy` would do to a stack that cannot be changed as it is."""
    if stack is None:
        return ()
    if stack.is_busy:
        return (f"The stack is {stack.status}: deploy waits until it has finished.",)
    if deployed is None:
        return (f"The stack is {stack.status} and holds nothing that lives: deploy deletes it first.",)
    if stack.status == STUCK:
        return (f"The stack is {stack.status}: deploy has AWS finish going back first.",)
    return ()
