"""What AWS stores of the code of releases: whether one is there, and removing what nothing needs."""

import json
import re
from collections.abc import Mapping
from datetime import datetime

import boto3

from shutterless.deploy.aws.cloudformation.stack import list_change_sets
from shutterless.deploy.aws.ecr import delete_unused_images, read_push_time
from shutterless.deploy.aws.errors import aws_errors
from shutterless.deploy.aws.s3.bucket import find_bucket
from shutterless.deploy.aws.s3.objects import delete_unused_zips, read_object
from shutterless.deploy.template.code import Code, ImageCode
from shutterless.deploy.template.template import read_options, repository_name, stack_name
from shutterless.errors import DeployError

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def read_upload_time(session: boto3.Session, code: Code) -> datetime | None:
    """Return when the code of a release was uploaded, None if it is no longer stored."""
    if isinstance(code, ImageCode):
        return read_push_time(session, str(code))
    version = read_object(find_bucket(session), code.key, code.version_id)
    return version.time if version else None


def delete_unused(session: boto3.Session, name: str) -> tuple[str, ...]:
    """Delete the images or zips of a deployment that its template does not name.

    Nothing is deleted while its stack is being changed, or is about to be: if that is rolled back, it needs
    those of before. The next deploy makes up for it.

    Returns:
        Why some could not be deleted, as sentences; empty if all is well.
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
        return (f"What is no longer needed was not deleted: {error.message}",)
    text = json.dumps(template)
    if read_options(template).package == "zip":
        return delete_unused_zips(session, name, text)
    return delete_unused_images(session, repository_name(name), {*DIGEST.findall(text)})


def _is_pending(change_set: Mapping[str, str]) -> bool:
    """Tell whether a change set is being created, waits to be executed, or is being executed."""
    if change_set["Status"] in ("CREATE_PENDING", "CREATE_IN_PROGRESS"):
        return True
    return change_set["ExecutionStatus"] in ("AVAILABLE", "EXECUTE_IN_PROGRESS")
