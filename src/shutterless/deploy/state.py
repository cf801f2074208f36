"""The state of a deployment, which is its stack and template in CloudFormation and nothing else."""

from collections.abc import Callable
from dataclasses import dataclass

from botocore.client import BaseClient

from shutterless.deploy.aws.cloudformation.change_sets import (
    NO_TRIGGERS,
    Action,
    RollbackTriggers,
    change_stack,
    deployed_meanwhile,
    require_unmoved,
)
from shutterless.deploy.aws.cloudformation.stack import (
    Stack,
    deployment_not_found,
    read_stack,
    read_template,
    wait_until_updatable,
)
from shutterless.deploy.canary.comparison import Comparison
from shutterless.deploy.options import check_name
from shutterless.deploy.template.diff import compare_templates
from shutterless.deploy.template.releases import read_releases
from shutterless.deploy.template.template import read_options, stack_name
from shutterless.deploy.template.types import Template
from shutterless.errors import DeployError
from shutterless.utils.progress import Progress


@dataclass(frozen=True)
class Deployment:
    """A deployed API.

    Attributes:
        name: The deployment's name.
        url: The address of the page and the API, without a slash at the end.
        auth: Who may call `/predict`, see `Options`.
        key_id: AWS's id of the API key; empty if there is none.
        model: Name and version of the live model.
        code: The live release's image, `uri@sha256:…`, or zip, `s3://bucket/key?versionId=…`.
        template: Its CloudFormation template.
        canary_model: Name and version of the model that is a canary; empty if there is none.
        canary: The canary's share of the calls, 0 to 1.
        changed: Whether the call that returned this changed anything.
        warnings: What the caller should know although the call did its work, as sentences.
        domain: The API's own address, `https://` and its domain; empty if it has none.
        domain_target: What DNS has to point the domain to.
        has_page: Whether the API has its web page.
        uploaded_bytes: The size of the zip that the call uploaded; 0 if it uploaded none.
        comparison: What a canary's answers showed beside the live version's; None if none was watched.
    """

    name: str
    url: str
    auth: str
    key_id: str
    model: str
    code: str
    template: Template
    canary_model: str = ""
    canary: float = 0.0
    changed: bool = True
    warnings: tuple[str, ...] = ()
    domain: str = ""
    domain_target: str = ""
    has_page: bool = True
    uploaded_bytes: int = 0
    comparison: Comparison | None = None


@dataclass(frozen=True)
class State:
    """What CloudFormation has of a deployment; stack and template are None if it has nothing."""

    name: str
    stack: Stack | None
    template: Template | None


def read_deployed_stack(cloudformation: BaseClient, name: str) -> Stack:
    """Return the stack of the deployment `name`.

    Raises:
        ShutterlessError: There is no such deployment.
    """
    stack = read_stack(cloudformation, stack_name(check_name(name)))
    if stack is None:
        raise deployment_not_found(name, cloudformation.meta.region_name)
    return stack


def read_state(cloudformation: BaseClient, name: str) -> State:
    """Return the state of the deployment `name` as it is."""
    stack = read_stack(cloudformation, stack_name(check_name(name)))
    return State(name, stack, read_template(cloudformation, stack))


def require_unmoved_state(cloudformation: BaseClient, state: State) -> None:
    """Check that a deployment is still in this state.

    Raises:
        ShutterlessError: Somebody else has changed it, or is changing it.
    """
    if state.stack:
        require_unmoved(cloudformation, state.stack.id, state.stack)
    elif read_stack(cloudformation, stack_name(state.name)):
        raise deployed_meanwhile(stack_name(state.name))


def read_updatable_state(cloudformation: BaseClient, name: str, progress: Progress) -> State:
    """Return the state of the deployment `name` once its stack can be updated."""
    stack = wait_until_updatable(cloudformation, stack_name(check_name(name)), progress)
    return State(name, stack, read_template(cloudformation, stack))


def apply_template(
    cloudformation: BaseClient,
    state: State,
    template: Template,
    progress: Progress,
    *,
    action: Action = "deploy",
    triggers: RollbackTriggers = NO_TRIGGERS,
    check: Callable[[], DeployError | None] | None = None,
) -> State:
    """Make CloudFormation change a deployment to what a template says.

    Args:
        cloudformation: The client.
        state: The state before.
        template: The template after.
        progress: Called while CloudFormation works.
        action: What the change is for.
        triggers: The alarms that roll the change back.
        check: Called while CloudFormation works. If it returns an error, the change is cancelled.

    Returns:
        The state after, which is the same object if there is nothing to change.
    """
    if not compare_templates(state.template, template):
        return state
    stack = change_stack(
        cloudformation,
        stack_name(state.name),
        state.stack,
        template,
        progress,
        action=action,
        triggers=triggers,
        check=check,
    )
    return State(state.name, stack, template)


def describe(state: State, *, changed: bool) -> Deployment:
    """Return the deployment in this state.

    Raises:
        ShutterlessError: It has been deleted.
    """
    if state.stack is None or state.template is None:
        raise DeployError(
            "stack-deleted", f"The stack of {state.name} has been deleted meanwhile", "Deploy it again."
        )
    releases, outputs = read_releases(state.template), state.stack.outputs
    return Deployment(
        name=state.name,
        url=outputs["Url"],
        auth=outputs["Auth"],
        key_id=outputs.get("ApiKeyId", ""),
        model=releases.live_release.model,
        code=str(releases.live_release.code),
        template=state.template,
        canary_model=releases.find(releases.canary).model if releases.canary else "",
        canary=releases.weight,
        changed=changed,
        domain=outputs.get("Domain", ""),
        domain_target=outputs.get("DomainTarget", ""),
        has_page=read_options(state.template).page == "on",
    )
