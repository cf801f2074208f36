"""What AWS stores of the code of releases: whether one is there, and removing what nothing needs."""

import json
import re
from collections.abc import Mapping
from datetime import datetime

import boto3

from shutterless.deploy.aws.cloudformation.stack import list_change_sets
from shutterless.deploy.aws.ecr import delete_unused_images, read_push_time
from shutterless.deploy.aws.errors import aws_errors
from shutterless.deploy.template.code import Code
from shutterless.deploy.template.template import repository_name, stack_name
from shutterless.errors import DeployError

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def read_upload_time(session: boto3.Session, code: Code) -> datetime | None:
    """Return when the code of a release was uploaded, None if it is no longer stored."""
    return read_push_time(session, str(code))


def delete_unused(session: boto3.Session, name: str) -> tuple[str, ...]:
    """Delete the images of a deployment that its template does not name.

    Nothing is deleted while its stack is being changed, or is about to be: if that is rolled back, it needs
    the images of before. The next deploy makes up for it.

    Returns:
        Why images could not be deleted, as sentences; empty if all is well.
    """
    client, stack = session.client("cloudformation"), stack_name(name)
    try:
        with aws_errors():
            status = client.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
            change_sets = list_change_sets(client, stack)
            if status.endswith("_IN_PROGRESS") or any(map(_is_pending, change_sets)):
                return ()
            template = client.get_template(StackName=stack)["TemplateBody"]
    except DeployError as error:
        return (f"Old images were not deleted: {error.message}",)
    digests = DIGEST.findall(json.dumps(template))
    return delete_unused_images(session, repository_name(name), {*digests})


def _is_pending(change_set: Mapping[str, str]) -> bool:
    """Tell whether a change set is being created, waits to be executed, or is being executed."""
    if change_set["Status"] in ("CREATE_PENDING", "CREATE_IN_PROGRESS"):
        return True
    return change_set["ExecutionStatus"] in ("AVAILABLE", "EXECUTE_IN_PROGRESS")
