"""Amazon ECR: the repository of a deployment's images, pushing to it, and removing what nothing needs."""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NotRequired, TypedDict

import boto3
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from shutterless.deploy.aws.errors import aws_errors, error_code, explain_reason
from shutterless.deploy.aws.registry import Registry
from shutterless.deploy.option_values import TAG
from shutterless.errors import DeployError
from shutterless.packaging.docker import DockerError
from shutterless.packaging.push import content_tag, push_image
from shutterless.utils.messages import plural
from shutterless.utils.progress import Progress, silent

# The tags that `content_tag` and `copy_tag` make. An image with any other tag is the user's own.
OUR_TAG = re.compile(r"([0-9a-f]{12}-)?[0-9a-f]{12}")
# A deploy that has pushed an image but not used it yet takes minutes.
MIN_AGE = timedelta(days=1)
# Basic scans end as COMPLETE; enhanced ones, by Amazon Inspector, go on as ACTIVE.
FINISHED_SCANS = ("COMPLETE", "ACTIVE")
NOT_SCANNED = ("ScanNotFoundException", "ImageNotFoundException", "RepositoryNotFoundException")
MAX_DELETED_AT_ONCE = 100  # the limit of BatchDeleteImage
# The lifecycle policy that earlier versions set. It expired images by number, even the one that was live.
OLD_LIFECYCLE = {
    "rules": [
        {
            "rulePriority": 1,
            "description": "Keep the last 10 images",
            "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 10},
            "action": {"type": "expire"},
        }
    ]
}


class RepositoryDescription(TypedDict):
    """A repository as ECR describes it."""

    repositoryArn: str
    repositoryUri: str
    encryptionConfiguration: NotRequired[dict[str, str]]


@dataclass(frozen=True)
class Repository:
    """A repository of images.

    Attributes:
        name: Its name.
        uri: Registry host, slash, name.
        arn: Its ARN.
    """

    name: str
    uri: str
    arn: str = ""

    @property
    def host(self) -> str:
        """The registry's host, with its port if it has one."""
        return self.uri.partition("/")[0]


def ensure_repository(
    session: boto3.Session,
    name: str,
    host: str | None = None,
    *,
    tags: Mapping[str, str] | None = None,
    kms_key: str = "",
) -> Repository:
    """Return the repository `name`; create it if it is missing.

    It scans images on push, and its tags are immutable. It has no lifecycle policy unless the user sets one:
    ECR must not expire an image that a kept release names.

    Args:
        session: The AWS session.
        name: The repository's name.
        host: The registry to push to instead of the account's, for an AWS emulator that returns a host
            which does not exist.
        tags: The tags of a new repository; by default only our own.
        kms_key: ARN of the KMS key that encrypts the images; empty for ECR's own encryption.

    Raises:
        ShutterlessError: There is a repository with this name that shutterless did not make, or that is
            encrypted with another key.
    """
    ecr = session.client("ecr")
    with aws_errors():
        description = _find(ecr, name) or _create(ecr, name, tags or {TAG: name.rpartition("/")[2]}, kms_key)
        arn = description["repositoryArn"]
        if not _is_ours(ecr, arn):
            raise DeployError(
                "foreign-repository",
                f"The repository {name} exists and was not made by shutterless",
                f"Choose another --name, or adopt it: aws ecr tag-resource --resource-arn {arn} "
                f"--tags Key={TAG},Value={name.rpartition('/')[2]}",
            )
        _remove_old_lifecycle(ecr, name)
        if kms_key != description.get("encryptionConfiguration", {}).get("kmsKey", kms_key):
            raise DeployError(
                "fixed-option",
                f"The repository {name} is encrypted with another key, which cannot be changed",
                "Give the --image-kms-key that it was created with, or choose another --name.",
            )
    return Repository(name, f"{host}/{name}" if host else description["repositoryUri"], arn)


def delete_repository(session: boto3.Session, name: str) -> bool:
    """Delete the repository `name` with all its images and return whether there was one.

    Raises:
        ShutterlessError: It was not made by shutterless.
    """
    ecr = session.client("ecr")
    with aws_errors():
        description = _find(ecr, name)
        if not description:
            return False
        if not _is_ours(ecr, description["repositoryArn"]):
            raise DeployError(
                "foreign-repository",
                f"The repository {name} was not made by shutterless",
                f"To delete it anyway: aws ecr delete-repository --repository-name {name} --force",
            )
        ecr.delete_repository(repositoryName=name, force=True)
    return True


def push(session: boto3.Session, repository: Repository, local_tag: str, progress: Progress = silent) -> str:
    """Push a local image unless it is there already, and return it as `uri@sha256:…`.

    Its tag is made from its content, so that tags can be immutable.

    Args:
        session: The AWS session.
        repository: Where to push to.
        local_tag: The image on this machine.
        progress: Called while layers are pushed.

    Raises:
        ShutterlessError: Docker or the image is missing, the push failed, or the registry holds the image
            in a form that Lambda does not accept.
    """
    tag, registry = content_tag(local_tag), log_in(session, repository)
    manifest = registry.read_manifest(tag)
    if not manifest:
        try:
            push_image(local_tag, f"{repository.uri}:{tag}", registry.authorization, progress)
        except DockerError as error:  # docker passes on what ECR reports, such as a missing permission
            reason = explain_reason(error.output)
            raise (error if reason.code == "aws-error" else reason) from error
        manifest = registry.read_manifest(tag)
    if not manifest:
        raise DeployError(
            "image-not-in-registry",
            f"The registry does not have {repository.uri}:{tag}, which was just pushed",
            "Run the same command again.",
        )
    return f"{repository.uri}@{manifest.digest}"


def log_in(session: boto3.Session, repository: Repository) -> Registry:
    """Return the registry's HTTP API for a repository, with a login of twelve hours."""
    with aws_errors():
        answer = session.client("ecr").get_authorization_token()
    return Registry(repository.uri, str(answer["authorizationData"][0]["authorizationToken"]))


def read_push_time(session: boto3.Session, image: str) -> datetime | None:
    """Return when `uri@sha256:…` was pushed to Amazon ECR, or None if it isn't there."""
    repository, digest = _repository_and_digest(image)
    try:
        answer = session.client("ecr").describe_images(repositoryName=repository, imageIds=[digest])
    except ClientError as error:
        if error_code(error) in ("ImageNotFoundException", "RepositoryNotFoundException"):
            return None
        raise
    time: datetime = answer["imageDetails"][0]["imagePushedAt"]
    return time


def read_findings(session: boto3.Session, image: str) -> dict[str, int] | None:
    """Return the number of vulnerabilities that ECR's scan has found in `uri@sha256:…`, by severity.

    Returns:
        The severities, such as `HIGH`, that occur; None if there is no finished scan.
    """
    repository, digest = _repository_and_digest(image)
    try:
        answer = session.client("ecr").describe_image_scan_findings(
            repositoryName=repository, imageId=digest, maxResults=1
        )
    except ClientError as error:
        if error_code(error) in NOT_SCANNED:
            return None
        raise
    if answer.get("imageScanStatus", {}).get("status") not in FINISHED_SCANS:
        return None
    counts: dict[str, int] = answer.get("imageScanFindings", {}).get("findingSeverityCounts", {})
    return counts


def _repository_and_digest(image: str) -> tuple[str, dict[str, str]]:
    repository, _, digest = image.partition("/")[2].partition("@")
    return repository, {"imageDigest": digest}


def delete_unused_images(
    session: boto3.Session, repository: str, digests_to_keep: Collection[str]
) -> tuple[str, ...]:
    """Delete the images of a repository that nothing needs.

    An image is kept if it is among `digests_to_keep`, if it was pushed within the last day, since somebody
    else's deploy may be about to use it, and if it has a tag that shutterless didn't make.

    Args:
        session: The AWS session.
        repository: The repository's name.
        digests_to_keep: The digests, `sha256:…`, of all releases.

    Returns:
        Why images could not be deleted, one sentence for each reason; empty if all is well.
    """
    try:
        with aws_errors():
            ecr = session.client("ecr")
            digests = sorted(_unused_digests(ecr, repository, digests_to_keep))
            failures: dict[str, int] = {}
            for start in range(0, len(digests), MAX_DELETED_AT_ONCE):
                batch = digests[start : start + MAX_DELETED_AT_ONCE]
                images = [{"imageDigest": digest} for digest in batch]
                answer = ecr.batch_delete_image(repositoryName=repository, imageIds=images)
                for failure in answer.get("failures", []):
                    reason = failure.get("failureReason", failure.get("failureCode", "no reason"))
                    failures[reason] = failures.get(reason, 0) + 1
    except DeployError as error:
        return (f"The old images of {repository} were not deleted: {error.message}",)
    return tuple(
        f"{plural(count, 'old image')} of {repository} could not be deleted: {reason}"
        for reason, count in failures.items()
    )


def _unused_digests(ecr: BaseClient, repository: str, digests_to_keep: Collection[str]) -> Iterator[str]:
    pages = ecr.get_paginator("describe_images").paginate(repositoryName=repository)
    latest = datetime.now(UTC) - MIN_AGE
    for page in pages:
        for image in page["imageDetails"]:
            tags = image.get("imageTags", [])
            is_ours = bool(tags) and all(OUR_TAG.fullmatch(tag) for tag in tags)
            if is_ours and image["imagePushedAt"] < latest and image["imageDigest"] not in digests_to_keep:
                yield image["imageDigest"]


def change_tags(
    session: boto3.Session, name: str, before: Mapping[str, str], after: Mapping[str, str]
) -> None:
    """Change the tags of the repository `name`, if it exists. Tags that others have added stay.

    Args:
        session: The AWS session.
        name: The repository's name.
        before: The tags that it got from us.
        after: The tags that it is to have from us.
    """
    if before == after:
        return
    ecr = session.client("ecr")
    with aws_errors():
        description = _find(ecr, name)
        if not description:
            return
        arn = description["repositoryArn"]
        ecr.tag_resource(resourceArn=arn, tags=_pairs(after))
        if old_keys := sorted(before.keys() - after.keys()):
            ecr.untag_resource(resourceArn=arn, tagKeys=old_keys)


def _pairs(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _find(ecr: BaseClient, name: str) -> RepositoryDescription | None:
    try:
        description: RepositoryDescription = ecr.describe_repositories(repositoryNames=[name])[
            "repositories"
        ][0]
    except ClientError as error:
        if error_code(error) == "RepositoryNotFoundException":
            return None
        raise
    return description


def _create(ecr: BaseClient, name: str, tags: Mapping[str, str], kms_key: str) -> RepositoryDescription:
    encryption = {"encryptionType": "KMS", "kmsKey": kms_key} if kms_key else {"encryptionType": "AES256"}
    answer = ecr.create_repository(
        repositoryName=name,
        imageTagMutability="IMMUTABLE",
        imageScanningConfiguration={"scanOnPush": True},
        encryptionConfiguration=encryption,
        tags=_pairs(tags),
    )
    repository: RepositoryDescription = answer["repository"]
    return repository


def _is_ours(ecr: BaseClient, arn: str) -> bool:
    return any(tag["Key"] == TAG for tag in ecr.list_tags_for_resource(resourceArn=arn)["tags"])


def _remove_old_lifecycle(ecr: BaseClient, name: str) -> None:
    """Remove the lifecycle policy that earlier versions set; a policy of the user's stays."""
    try:
        policy = json.loads(ecr.get_lifecycle_policy(repositoryName=name)["lifecyclePolicyText"])
    except ClientError as error:
        if error_code(error) != "LifecyclePolicyNotFoundException":
            raise
    else:
        if policy == OLD_LIFECYCLE:
            ecr.delete_lifecycle_policy(repositoryName=name)
