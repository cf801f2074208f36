"""The image in Amazon ECR: a repository of our own, and a push that gives back a digest."""

import hashlib
import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import ClientError

from shutterless.deploy.aws.errors import aws_errors, error_code, explain_reason, unsupported_manifest
from shutterless.errors import DeployError, ShutterlessError
from shutterless.packaging.docker import DockerError
from shutterless.packaging.push import content_tag, push_image
from shutterless.utils.progress import Progress, silent

# What marks a resource as ours, and groups its costs in the bill; its value is the deployment's name.
TAG = "shutterless"
IMAGES_KEPT = 10
LIFECYCLE = {
    "rules": [
        {
            "rulePriority": 1,
            "description": f"Keep the last {IMAGES_KEPT} images",
            "selection": {
                "tagStatus": "any",
                "countType": "imageCountMoreThan",
                "countNumber": IMAGES_KEPT,
            },
            "action": {"type": "expire"},
        }
    ]
}
# What Lambda takes, https://docs.aws.amazon.com/lambda/latest/dg/images-create.html: one image, no index.
ACCEPTED = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
)
# Asked for as well, so that an index is seen to be one.
INDEXES = (
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.index.v1+json",
)
MAX_MANIFEST = 4 * 1024 * 1024  # a registry need not take larger ones, says the OCI distribution spec
PATIENCE = 30  # seconds for the registry to answer with a manifest
LOOPBACK = ("127.", "localhost:")


@dataclass(frozen=True)
class Repository:
    """A repository: its name, its `uri` (registry host, slash, name), and its ARN."""

    name: str
    uri: str
    arn: str = ""

    @property
    def host(self) -> str:
        """The registry's host, with its port if it has one."""
        return self.uri.partition("/")[0]


def ensure_repository(session: boto3.Session, name: str, host: str | None = None) -> Repository:
    """Return the repository `name`, made if it is missing: scan on push, immutable tags, ten images kept.

    host: the registry to push to instead of the account's, for an emulator of AWS that names a host that
    does not exist. Raises `ShutterlessError` if there is a repository of that name which is not ours.
    """
    ecr = session.client("ecr")
    with aws_errors():
        found = _find(ecr, name) or _create(ecr, name)
        if not _is_ours(ecr, found["repositoryArn"]):
            raise DeployError(
                "foreign-repository",
                f"The repository {name} exists and was not made by shutterless",
                f"Choose another --name, or adopt it: aws ecr tag-resource --resource-arn "
                f"{found['repositoryArn']} --tags Key={TAG},Value={name.rpartition('/')[2]}",
            )
        _keep_the_last_images(ecr, name)
    uri = f"{host}/{name}" if host else found["repositoryUri"]
    return Repository(name, uri, found["repositoryArn"])


def delete_repository(session: boto3.Session, name: str) -> bool:
    """Delete our repository `name` with all its images; return whether there was one.

    Raises `ShutterlessError` if it is not ours.
    """
    ecr = session.client("ecr")
    with aws_errors():
        found = _find(ecr, name)
        if not found:
            return False
        if not _is_ours(ecr, found["repositoryArn"]):
            raise DeployError(
                "foreign-repository",
                f"The repository {name} was not made by shutterless",
                f"If it may go: aws ecr delete-repository --repository-name {name} --force",
            )
        ecr.delete_repository(repositoryName=name, force=True)
    return True


def push(session: boto3.Session, repository: Repository, local_tag: str, progress: Progress = silent) -> str:
    """Push a local image and return it as `uri@sha256:…`; one that is there already is not pushed again.

    Its tag is made from its content, so an immutable tag is never in its own way. Raises
    `ShutterlessError` if Docker or the image is missing, the push fails, or the registry holds the image
    in a form that Lambda refuses.
    """
    tag = content_tag(local_tag)
    authorization = _authorization(session)
    digest = pushed_digest(repository, tag, authorization)
    if not digest:
        try:
            push_image(local_tag, f"{repository.uri}:{tag}", authorization, progress)
        except DockerError as error:  # what Amazon ECR says of permissions and quotas, docker hands on
            raise explain_reason(error.said, otherwise=error) from error
        digest = pushed_digest(repository, tag, authorization)
    if not digest:
        raise DeployError(
            "image-not-in-registry",
            f"The registry does not have {repository.uri}:{tag}, which was just pushed",
            "Run the same command again.",
        )
    return f"{repository.uri}@{digest}"


def _find(ecr: Any, name: str) -> dict[str, str] | None:
    try:
        found = ecr.describe_repositories(repositoryNames=[name])["repositories"][0]
    except ClientError as error:
        if error_code(error) == "RepositoryNotFoundException":
            return None
        raise
    return dict(found)


def _create(ecr: Any, name: str) -> dict[str, str]:
    made = ecr.create_repository(
        repositoryName=name,
        imageTagMutability="IMMUTABLE",
        imageScanningConfiguration={"scanOnPush": True},
        tags=[{"Key": TAG, "Value": name.rpartition("/")[2]}],
    )
    return dict(made["repository"])


def _is_ours(ecr: Any, arn: str) -> bool:
    return any(tag["Key"] == TAG for tag in ecr.list_tags_for_resource(resourceArn=arn)["tags"])


def _keep_the_last_images(ecr: Any, name: str) -> None:
    """Set the lifecycle unless there is one, which may be the user's."""
    try:
        ecr.get_lifecycle_policy(repositoryName=name)
    except ClientError as error:
        if error_code(error) != "LifecyclePolicyNotFoundException":
            raise
        ecr.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=json.dumps(LIFECYCLE))


def _authorization(session: boto3.Session) -> str:
    """Return what ECR takes for 12 hours as HTTP Basic authorization: base64 of `AWS:token`."""
    with aws_errors():
        answer = session.client("ecr").get_authorization_token()
    return str(answer["authorizationData"][0]["authorizationToken"])


def pushed_digest(repository: Repository, tag: str, authorization: str) -> str | None:
    """Return the digest of a tag's manifest, reckoned from its bytes, or None if there is no such tag.

    authorization: base64 of `user:password`, as ECR's GetAuthorizationToken gives it.
    Raises `ShutterlessError` if Lambda would refuse its media type.
    """
    manifest = _manifest(repository, tag, authorization)
    if manifest is None:
        return None
    kind, content = manifest
    if kind not in ACCEPTED:
        raise unsupported_manifest(kind)
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _manifest(repository: Repository, tag: str, authorization: str) -> tuple[str, bytes] | None:
    """Return media type and bytes of a tag's manifest as the registry gives them, or None."""
    # As docker does: a registry on this machine needs no certificate.
    scheme = "http" if repository.host.startswith(LOOPBACK) else "https"
    path = repository.uri.partition("/")[2]
    request = urllib.request.Request(
        f"{scheme}://{repository.host}/v2/{path}/manifests/{tag}",
        headers={"Accept": ", ".join(ACCEPTED + INDEXES)},
    )
    # Not a header that a redirect would carry to another host.
    request.add_unredirected_header("Authorization", f"Basic {authorization}")
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.headers.get_content_type(), answer.read(MAX_MANIFEST)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 404:
            return None
        raise _no_registry(repository, f"answers {error.code} {error.reason}") from error
    except OSError as error:
        raise _no_registry(repository, f"cannot be reached: {getattr(error, 'reason', error)}") from error


def _no_registry(repository: Repository, why: str) -> ShutterlessError:
    return DeployError(
        "registry-unavailable",
        f"The registry {repository.host} {why}",
        "Check the network, then run the same command again.",
    )
