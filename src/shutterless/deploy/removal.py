"""Remove a deployment, and list what it consists of at AWS."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from botocore.exceptions import ClientError

from shutterless.deploy.aws.cloudformation.stack import remove_stack
from shutterless.deploy.aws.ecr import delete_repository
from shutterless.deploy.aws.errors import aws_errors, error_code
from shutterless.deploy.aws.s3.bucket import find_bucket
from shutterless.deploy.aws.s3.objects import delete_zips, list_versions
from shutterless.deploy.aws.session import connect
from shutterless.deploy.option_values import Package
from shutterless.deploy.options import check_name
from shutterless.deploy.state import State, read_state
from shutterless.deploy.template.template import read_options, repository_name, stack_name
from shutterless.errors import DeployError
from shutterless.utils.messages import plural
from shutterless.utils.progress import Progress, automatic


def destroy(
    name: str, *, profile: str | None = None, region: str | None = None, progress: Progress = automatic
) -> None:
    """Delete a deployment: its stack with all versions, log and API key, and all its zips or images.

    The account's bucket of zips is deleted once it is empty. If it is interrupted, the same call continues
    it.

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
        cloudformation = session.client("cloudformation")
        package = _deployed_package(read_state(cloudformation, name))
        remove_stack(cloudformation, stack_name(check_name(name)), progress)
        if package != "zip":
            with _looking_for("image", package):
                delete_repository(session, repository_name(name))
        if package != "image":
            with _looking_for("zip", package):
                delete_zips(session, name)


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
        state = read_state(session.client("cloudformation"), name)
        if state.stack:
            resources.append(f"stack {state.stack.name} ({state.stack.status})")
        if _exists(lambda: session.client("lambda").get_function(FunctionName=function)):
            resources.append(f"function {function}")
        groups = session.client("logs").describe_log_groups(logGroupNamePrefix=log_group)["logGroups"]
        if log_group in (group["logGroupName"] for group in groups):
            resources.append(f"log group {log_group}")
        package = _deployed_package(state)
        with _looking_for("image", package):
            if _exists(lambda: session.client("ecr").describe_repositories(repositoryNames=[repository])):
                resources.append(f"repository {repository}, with its images")
        with _looking_for("zip", package):
            bucket = find_bucket(session)
            if zips := len([*list_versions(bucket, name)]):
                resources.append(f"{plural(zips, 'zip')} in the bucket {bucket.name}")
    return resources


@contextmanager
def _looking_for(kind: Package, package: Package | None) -> Iterator[None]:
    """Ignore that zips or images may not be read, unless the deployment is known to have them.

    A policy only allows the kind that is deployed, and the kind is unknown once the stack is gone.
    """
    try:
        with aws_errors():
            yield
    except DeployError as error:
        if kind == package or error.code != "access-denied":
            raise


def _deployed_package(state: State) -> Package | None:
    """Return what a deployment is deployed as, None if nothing of its stack is in use."""
    return read_options(state.template).package if state.template else None


def _exists(request: Callable[[], object]) -> bool:
    try:
        request()
    except ClientError as error:
        if "NotFound" in error_code(error):
            return False
        raise
    return True
