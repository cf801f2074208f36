"""Amazon ECR: the repository of a deployment's images, and pushing an image to it."""

import hashlib
import json
import urllib.error
import urllib.request
from dataclasses import dataclass

import boto3
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from shutterless.deploy.aws.errors import aws_errors, error_code, explain_reason
from shutterless.errors import DeployError
from shutterless.packaging.docker import DockerError
from shutterless.packaging.push import content_tag, push_image
from shutterless.utils.progress import Progress, silent

# The tag of everything that shutterless creates. Its value is the deployment's name.
TAG = "shutterless"
MAX_IMAGES = 10
LIFECYCLE = {
    "rules": [
        {
            "rulePriority": 1,
            "description": f"Keep the last {MAX_IMAGES} images",
            "selection": {
                "tagStatus": "any",
                "countType": "imageCountMoreThan",
                "countNumber": MAX_IMAGES,
            },
            "action": {"type": "expire"},
        }
    ]
}
# The manifests that Lambda accepts: https://docs.aws.amazon.com/lambda/latest/dg/images-create.html
ACCEPTED = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
)
# Indexes are requested too, because a registry would otherwise return one of their images.
INDEXES = (
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.index.v1+json",
)
MAX_MANIFEST_BYTES = (
    4 * 1024 * 1024
)  # by the OCI distribution specification registries may refuse larger ones
REGISTRY_TIMEOUT_S = 30
LOOPBACK = ("127.", "localhost:")


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


def ensure_repository(session: boto3.Session, name: str, host: str | None = None) -> Repository:
    """Return the repository `name`; create it if it is missing.

    It scans images on push, its tags are immutable, and it keeps ten images unless the user has set
    another lifecycle policy.

    Args:
        session: The AWS session.
        name: The repository's name.
        host: The registry to push to instead of the account's, for an AWS emulator that returns a host
            which does not exist.

    Raises:
        ShutterlessError: There is a repository with this name that shutterless did not make.
    """
    ecr = session.client("ecr")
    with aws_errors():
        description = _find(ecr, name) or _create(ecr, name)
        arn = description["repositoryArn"]
        if not _is_ours(ecr, arn):
            raise DeployError(
                "foreign-repository",
                f"The repository {name} exists and was not made by shutterless",
                f"Choose another --name, or adopt it: aws ecr tag-resource --resource-arn {arn} "
                f"--tags Key={TAG},Value={name.rpartition('/')[2]}",
            )
        _ensure_lifecycle(ecr, name)
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
    tag = content_tag(local_tag)
    with aws_errors():
        answer = session.client("ecr").get_authorization_token()
    authorization = str(answer["authorizationData"][0]["authorizationToken"])
    digest = pushed_digest(repository, tag, authorization)
    if not digest:
        try:
            push_image(local_tag, f"{repository.uri}:{tag}", authorization, progress)
        except DockerError as error:  # docker passes on what ECR reports, such as a missing permission
            reason = explain_reason(error.output)
            raise (error if reason.code == "aws-error" else reason) from error
        digest = pushed_digest(repository, tag, authorization)
    if not digest:
        raise DeployError(
            "image-not-in-registry",
            f"The registry does not have {repository.uri}:{tag}, which was just pushed",
            "Run the same command again.",
        )
    return f"{repository.uri}@{digest}"


def _find(ecr: BaseClient, name: str) -> dict[str, str] | None:
    try:
        description: dict[str, str] = ecr.describe_repositories(repositoryNames=[name])["repositories"][0]
    except ClientError as error:
        if error_code(error) == "RepositoryNotFoundException":
            return None
        raise
    return description


def _create(ecr: BaseClient, name: str) -> dict[str, str]:
    answer = ecr.create_repository(
        repositoryName=name,
        imageTagMutability="IMMUTABLE",
        imageScanningConfiguration={"scanOnPush": True},
        tags=[{"Key": TAG, "Value": name.rpartition("/")[2]}],
    )
    repository: dict[str, str] = answer["repository"]
    return repository


def _is_ours(ecr: BaseClient, arn: str) -> bool:
    return any(tag["Key"] == TAG for tag in ecr.list_tags_for_resource(resourceArn=arn)["tags"])


def _ensure_lifecycle(ecr: BaseClient, name: str) -> None:
    """Set the lifecycle policy unless there is one, which may be the user's."""
    try:
        ecr.get_lifecycle_policy(repositoryName=name)
    except ClientError as error:
        if error_code(error) != "LifecyclePolicyNotFoundException":
            raise
        ecr.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=json.dumps(LIFECYCLE))


def pushed_digest(repository: Repository, tag: str, authorization: str) -> str | None:
    """Return the digest of a tag's manifest, computed from its bytes, or None if there is no such tag.

    Args:
        repository: Where to look.
        tag: The tag.
        authorization: Base64 of `user:password`, as ECR's GetAuthorizationToken returns it.

    Raises:
        ShutterlessError: Lambda would not accept the manifest's media type.
    """
    manifest = _manifest(repository, tag, authorization)
    if manifest is None:
        return None
    media_type, content = manifest
    if media_type not in ACCEPTED:
        raise DeployError(
            "unsupported-manifest",
            f"Lambda does not accept an index or an image with an attestation ({media_type})",
            "Build it with shutterless image build, or with docker build --provenance=false "
            "--platform linux/amd64.",
        )
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _manifest(repository: Repository, tag: str, authorization: str) -> tuple[str, bytes] | None:
    """Return media type and bytes of a tag's manifest, or None if there is no such tag."""
    # Like docker: a registry on this machine needs no certificate.
    scheme = "http" if repository.host.startswith(LOOPBACK) else "https"
    path = repository.uri.partition("/")[2]
    request = urllib.request.Request(
        f"{scheme}://{repository.host}/v2/{path}/manifests/{tag}",
        headers={"Accept": ", ".join(ACCEPTED + INDEXES)},
    )
    # Unredirected: a redirect must not send it to another host.
    request.add_unredirected_header("Authorization", f"Basic {authorization}")
    try:
        with urllib.request.urlopen(request, timeout=REGISTRY_TIMEOUT_S) as answer:
            return answer.headers.get_content_type(), answer.read(MAX_MANIFEST_BYTES)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 404:
            return None
        raise DeployError(
            "registry-failed",
            f"The registry {repository.host} answered {error.code} {error.reason}",
            "Run the same command again.",
        ) from error
    except OSError as error:
        raise DeployError(
            "registry-unreachable",
            f"The registry {repository.host} cannot be reached: {getattr(error, 'reason', error)}",
            "Check the network, then run the same command again.",
        ) from error
