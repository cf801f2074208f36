"""The bucket of an account's zips in a region, and its settings.

Its name is in the account's own namespace, so that nobody else can take it first.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypedDict

import boto3
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from shutterless.deploy.aws.errors import aws_errors, error_code
from shutterless.deploy.aws.session import read_identity
from shutterless.deploy.aws.waiting import poll
from shutterless.deploy.option_values import TAG
from shutterless.deploy.template.code import bucket_name
from shutterless.errors import DeployError
from shutterless.runtime.json_types import JsonObject

POLL_INTERVAL_S = 3
# A bucket that was just created or deleted, or whose versioning was just enabled, takes a while until all of
# S3 knows: https://docs.aws.amazon.com/AmazonS3/latest/userguide/manage-versioning-examples.html
READY_TIMEOUT_S = 180
NOT_READY = ("NoSuchBucket", "OperationAborted")
# The region that may not be named when a bucket is created.
UNNAMED_REGION = "us-east-1"

PRIVATE = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}
ENCRYPTED: JsonObject = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
# Objects that somebody has deleted or replaced by hand. No release names a version that is not the current
# one otherwise: a key is written once.
LIFECYCLE: JsonObject = {
    "Rules": [
        {
            "ID": "delete what is not in use",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "NoncurrentVersionExpiration": {"NoncurrentDays": 90},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
            "Expiration": {"ExpiredObjectDeleteMarker": True},
        }
    ]
}


class Place(TypedDict):
    """The arguments that every request has; S3 refuses it if the bucket is somebody else's."""

    Bucket: str
    ExpectedBucketOwner: str


@dataclass(frozen=True)
class Bucket:
    """The bucket of the zips of all deployments of an account in a region; it may not exist yet.

    Attributes:
        client: The client of Amazon S3.
        place: Its name and owner.
        arn: Its ARN.
    """

    client: BaseClient
    place: Place
    arn: str

    @property
    def name(self) -> str:
        """The bucket's name."""
        return self.place["Bucket"]


def find_bucket(session: boto3.Session) -> Bucket:
    """Return the bucket of a session's account and region, whether or not it exists."""
    account, partition = read_identity(session)
    name = bucket_name(account, session.region_name)
    place: Place = {"Bucket": name, "ExpectedBucketOwner": account}
    return Bucket(session.client("s3"), place, f"arn:{partition}:s3:::{name}")


def ensure_bucket(session: boto3.Session) -> Bucket:
    """Return the bucket of a session's account and region; create it if it is missing.

    It is private, versioned and encrypted, and takes requests by TLS only. The settings are made once, so
    that those that somebody changes later stay. A tag, which is set last, says that they are complete.

    Args:
        session: The AWS session.

    Raises:
        ShutterlessError: AWS refuses, or it holds objects and was not made by shutterless.
    """
    with aws_errors():
        bucket = find_bucket(session)
        _retry(lambda: _set_up(bucket, session.region_name))
    return bucket


def _retry(action: Callable[[], object]) -> None:
    """Call an action again while the bucket is being created or deleted."""
    for _ in poll(POLL_INTERVAL_S, READY_TIMEOUT_S):
        try:
            action()
        except ClientError as error:
            if error_code(error) not in NOT_READY:
                raise
            failure = error
        else:
            return
    raise failure


def _is_complete(bucket: Bucket) -> bool:
    """Tell whether the bucket exists with all its settings."""
    try:
        tags = bucket.client.get_bucket_tagging(**bucket.place)["TagSet"]
    except ClientError as error:
        if error_code(error) == "NoSuchBucket":
            return False
        if error_code(error) != "NoSuchTagSet":
            raise
        tags = []
    if any(tag["Key"] == TAG for tag in tags):
        return True
    if "Versions" in bucket.client.list_object_versions(**bucket.place, MaxKeys=1):
        raise DeployError(
            "foreign-bucket",
            f"The bucket {bucket.name} holds objects and was not made by shutterless",
            f"Empty it, or adopt it if it is private and versioned: aws s3api put-bucket-tagging --bucket "
            f"{bucket.name} --tagging TagSet=[{{Key={TAG},Value=zips}}]; or deploy with --package image.",
        )
    return False


def _set_up(bucket: Bucket, region: str) -> None:
    """Create the bucket and make its settings, unless that is done."""
    if _is_complete(bucket):
        return
    s3, place = bucket.client, bucket.place
    location = {} if region == UNNAMED_REGION else {"LocationConstraint": region}
    try:
        s3.create_bucket(
            Bucket=bucket.name,
            BucketNamespace="account-regional",
            ObjectOwnership="BucketOwnerEnforced",
            **({"CreateBucketConfiguration": location} if location else {}),
        )
    except ClientError as error:
        if error_code(error) != "BucketAlreadyOwnedByYou":
            raise
    by_tls: JsonObject = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [bucket.arn, f"{bucket.arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    policy = {"Version": "2012-10-17", "Statement": [by_tls]}
    s3.put_public_access_block(**place, PublicAccessBlockConfiguration=PRIVATE)
    s3.put_bucket_encryption(**place, ServerSideEncryptionConfiguration=ENCRYPTED)
    s3.put_bucket_versioning(**place, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_lifecycle_configuration(**place, LifecycleConfiguration=LIFECYCLE)
    s3.put_bucket_policy(**place, Policy=json.dumps(policy))
    s3.put_bucket_tagging(**place, Tagging={"TagSet": [{"Key": TAG, "Value": "zips"}]})
