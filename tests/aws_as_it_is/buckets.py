"""Amazon S3's buckets: a namespace that all accounts share, regions, and the settings of a bucket."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tests.aws_as_it_is.errors import AwsError

if TYPE_CHECKING:
    from tests.aws_as_it_is.account import Account

NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
DEFAULT_REGION = "us-east-1"
# What every new bucket has since April 2023.
DEFAULTS: dict[str, Any] = {
    "PublicAccessBlockConfiguration": {
        "BlockPublicAcls": True,
        "IgnorePublicAcls": True,
        "BlockPublicPolicy": True,
        "RestrictPublicBuckets": True,
    },
    "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
    "ServerSideEncryptionConfiguration": {
        "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
    },
}


@dataclass
class ObjectVersion:
    """A version of an object; a delete marker has no body. Times are the account's, in seconds."""

    key: str
    id: str
    body: bytes | None
    modified_at: float
    sha256: str = ""
    given_sha256: str = ""
    kms_key: str = ""
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass
class Bucket:
    """A bucket.

    Attributes:
        owner: The number of its account.
        settings: What `Put…` calls have set, under the names of their arguments.
        versions: All versions of all objects, the oldest first.
        versioned_at: When versioning was first enabled.
    """

    name: str
    region: str
    owner: str
    created: datetime
    settings: dict[str, Any] = field(default_factory=dict)
    versions: list[ObjectVersion] = field(default_factory=list)
    versioned_at: float | None = None

    @property
    def is_versioned(self) -> bool:
        """Whether versioning is enabled now."""
        return self.settings.get("VersioningConfiguration", {}).get("Status") == "Enabled"

    def current(self, key: str) -> ObjectVersion | None:
        """Return the latest version of an object, which may be a delete marker."""
        return next((each for each in reversed(self.versions) if each.key == key), None)


class Buckets:
    """The buckets of this account and of others, with S3's calls on them."""

    def __init__(self, account: "Account") -> None:
        self.account = account
        self.buckets: dict[str, Bucket] = {}
        self.deleted_at: dict[str, float] = {}

    def add_foreign(self, name: str, owner: str = "999999999999") -> Bucket:
        """Let another account have a bucket."""
        bucket = Bucket(
            name, self.account.region, owner, self.account.clock.now, json.loads(json.dumps(DEFAULTS))
        )
        self.buckets[name] = bucket
        return bucket

    def find(self, name: str, expected_owner: str | None = None) -> Bucket:
        """Return a bucket that this account may use."""
        bucket = self.buckets.get(name)
        if bucket is None:
            raise AwsError("NoSuchBucket", "The specified bucket does not exist", 404)
        if bucket.owner != (expected_owner or self.account.id) or bucket.owner != self.account.id:
            raise AwsError("AccessDenied", "Access Denied", 403)
        if bucket.region != self.account.region:
            raise AwsError(
                "PermanentRedirect",
                "The bucket you are attempting to access must be addressed using the specified endpoint. "
                "Please send all future requests to this endpoint.",
                301,
            )
        return bucket

    def create_bucket(
        self,
        Bucket: str,
        CreateBucketConfiguration: dict[str, Any] | None = None,
        BucketNamespace: str = "global",
        **_: Any,
    ) -> dict[str, Any]:
        region = (CreateBucketConfiguration or {}).get("LocationConstraint")
        self._check_location(region)
        self._check_name(Bucket, BucketNamespace)
        if existing := self.buckets.get(Bucket):
            if existing.owner != self.account.id:
                raise AwsError(
                    "BucketAlreadyExists",
                    "The requested bucket name is not available. The bucket namespace is shared by all users "
                    "of the system. Please select a different name and try again.",
                    409,
                )
            if not (existing.region == self.account.region == DEFAULT_REGION):
                raise AwsError(
                    "BucketAlreadyOwnedByYou",
                    "Your previous request to create the named bucket succeeded and you already own it.",
                    409,
                )
            return {"Location": f"/{Bucket}"}
        if self.account.clock.time_s < self.deleted_at.get(Bucket, 0) + self.account.behaviour.bucket_s:
            raise AwsError(
                "OperationAborted",
                "A conflicting conditional operation is currently in progress against this resource. Please "
                "try again.",
                409,
            )
        self.add_foreign(Bucket, self.account.id)
        if tags := (CreateBucketConfiguration or {}).get("Tags"):
            self.buckets[Bucket].settings["Tagging"] = {"TagSet": tags}
        return {"Location": f"/{Bucket}"}

    def _check_location(self, constraint: str | None) -> None:
        region = self.account.region
        if region == DEFAULT_REGION and constraint == DEFAULT_REGION:
            raise AwsError("InvalidLocationConstraint", "The specified location-constraint is not valid", 400)
        if constraint != (None if region == DEFAULT_REGION else region):
            raise AwsError(
                "IllegalLocationConstraintException",
                f"The {constraint or 'unspecified'} location constraint is incompatible for the region "
                "specific endpoint this request was sent to.",
                400,
            )

    def _check_name(self, name: str, namespace: str) -> None:
        """Refuse names that are not allowed; those that end in `-an` are the account's own namespace."""
        is_own = name.endswith(f"-{self.account.id}-{self.account.region}-an")
        if not NAME.fullmatch(name) or name.endswith("-an") != is_own or is_own != (namespace != "global"):
            raise AwsError("InvalidBucketName", "The specified bucket is not valid.", 400)

    def delete_bucket(self, Bucket: str, ExpectedBucketOwner: str | None = None) -> dict[str, Any]:
        bucket = self.find(Bucket, ExpectedBucketOwner)
        if bucket.versions:
            raise AwsError(
                "BucketNotEmpty",
                "The bucket you tried to delete is not empty. You must delete all versions in the bucket.",
                409,
            )
        del self.buckets[Bucket]
        self.deleted_at[Bucket] = self.account.clock.time_s
        return {}

    def head_bucket(self, Bucket: str, ExpectedBucketOwner: str | None = None) -> dict[str, Any]:
        return {"BucketRegion": self.find(Bucket, ExpectedBucketOwner).region}

    def get_bucket_location(self, Bucket: str, ExpectedBucketOwner: str | None = None) -> dict[str, Any]:
        region = self.find(Bucket, ExpectedBucketOwner).region
        return {"LocationConstraint": None if region == DEFAULT_REGION else region}

    def list_buckets(self, Prefix: str = "", **_: Any) -> dict[str, Any]:
        own = [each for each in self.buckets.values() if each.owner == self.account.id]
        names = [each for each in own if each.name.startswith(Prefix)]
        return {"Buckets": [{"Name": each.name, "CreationDate": each.created} for each in names]}

    # Settings.

    def _put(self, name: str, Bucket: str, ExpectedBucketOwner: str | None = None, **params: Any) -> Any:
        self.find(Bucket, ExpectedBucketOwner).settings[name] = params[name]
        return {}

    def _get(self, name: str, error: str, Bucket: str, ExpectedBucketOwner: str | None = None) -> Any:
        settings = self.find(Bucket, ExpectedBucketOwner).settings
        if name not in settings:
            raise AwsError(error, f"The {name} does not exist", 404)
        return settings[name]

    def put_bucket_versioning(self, Bucket: str, **params: Any) -> dict[str, Any]:
        self._put("VersioningConfiguration", Bucket, **params)
        bucket = self.buckets[Bucket]
        if bucket.is_versioned and bucket.versioned_at is None:
            bucket.versioned_at = self.account.clock.time_s
        return {}

    def get_bucket_versioning(self, **params: Any) -> dict[str, Any]:
        bucket = self.find(params["Bucket"], params.get("ExpectedBucketOwner"))
        return dict(bucket.settings.get("VersioningConfiguration", {}))

    def put_public_access_block(self, **params: Any) -> dict[str, Any]:
        return self._put("PublicAccessBlockConfiguration", **params)

    def get_public_access_block(self, **params: Any) -> dict[str, Any]:
        name = "PublicAccessBlockConfiguration"
        return {name: self._get(name, "NoSuchPublicAccessBlockConfiguration", **params)}

    def put_bucket_ownership_controls(self, **params: Any) -> dict[str, Any]:
        return self._put("OwnershipControls", **params)

    def get_bucket_ownership_controls(self, **params: Any) -> dict[str, Any]:
        name = "OwnershipControls"
        return {name: self._get(name, "OwnershipControlsNotFoundError", **params)}

    def put_bucket_encryption(self, **params: Any) -> dict[str, Any]:
        return self._put("ServerSideEncryptionConfiguration", **params)

    def get_bucket_encryption(self, **params: Any) -> dict[str, Any]:
        name = "ServerSideEncryptionConfiguration"
        return {name: self._get(name, "ServerSideEncryptionConfigurationNotFoundError", **params)}

    def put_bucket_policy(self, Bucket: str, Policy: str, **params: Any) -> dict[str, Any]:
        try:
            statements = json.loads(Policy)["Statement"]
        except (ValueError, KeyError):
            raise AwsError("MalformedPolicy", "Policies must be valid JSON", 400) from None
        arns = [arn for each in statements for arn in _as_list(each["Resource"])]
        if any(arn.rpartition(":::")[2].partition("/")[0] != Bucket for arn in arns):
            raise AwsError("MalformedPolicy", "Policy has invalid resource", 400)
        return self._put("Policy", Bucket, Policy=Policy, **params)

    def get_bucket_policy(self, **params: Any) -> dict[str, Any]:
        return {"Policy": self._get("Policy", "NoSuchBucketPolicy", **params)}

    def put_bucket_lifecycle_configuration(self, **params: Any) -> dict[str, Any]:
        for rule in params["LifecycleConfiguration"]["Rules"]:
            actions = set(rule) - {"ID", "Status", "Filter", "Prefix"}
            if not ({"Filter", "Prefix"} & set(rule)) or not actions or len(rule.get("ID", "")) > 255:
                raise AwsError(
                    "MalformedXML",
                    "The XML you provided was not well-formed or did not validate against our published "
                    "schema",
                    400,
                )
        return self._put("LifecycleConfiguration", **params)

    def get_bucket_lifecycle_configuration(self, **params: Any) -> dict[str, Any]:
        return {
            "Rules": self._get("LifecycleConfiguration", "NoSuchLifecycleConfiguration", **params)["Rules"]
        }

    def put_bucket_tagging(self, **params: Any) -> dict[str, Any]:
        return self._put("Tagging", **params)

    def get_bucket_tagging(self, **params: Any) -> dict[str, Any]:
        return {"TagSet": self._get("Tagging", "NoSuchTagSet", **params)["TagSet"]}

    def rules(self) -> Iterator[tuple[Bucket, dict[str, Any]]]:
        """Yield the lifecycle rules that are in force."""
        for bucket in self.buckets.values():
            for rule in bucket.settings.get("LifecycleConfiguration", {}).get("Rules", []):
                if rule["Status"] == "Enabled":
                    yield bucket, rule


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
