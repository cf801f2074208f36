"""IAM: which calls the credentials of an account may make."""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from botocore.session import get_session

from tests.aws_as_it_is.errors import AwsError

if TYPE_CHECKING:
    from tests.aws_as_it_is.account import Account
    from tests.aws_as_it_is.faults import Call

# Calls that IAM names otherwise than the API does:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
ACTIONS = {
    "lambda:Invoke": "lambda:InvokeFunction",
    "s3:DeleteObjects": "s3:DeleteObject",
    "s3:GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "s3:GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "s3:GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "s3:ListBuckets": "s3:ListAllMyBuckets",
    "s3:ListObjectVersions": "s3:ListBucketVersions",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:PutBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:PutBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
    "s3:PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
}
# Those that need another action for a version.
OF_A_VERSION = {"s3:GetObject": "s3:GetObjectVersion", "s3:DeleteObject": "s3:DeleteObjectVersion"}
DENIED = {"s3": "AccessDenied", "cloudformation": "AccessDenied", "cloudwatch": "AccessDenied"}


class Permissions:
    """What the credentials may do.

    Attributes:
        statements: The statements of their policy, None to allow everything.
        denied: Patterns of actions that are denied whatever the policy says.
        used: The actions that were asked for so far.
    """

    def __init__(self, account: "Account") -> None:
        self.account = account
        self.statements: list[dict[str, Any]] | None = None
        self.denied: list[str] = []
        self.used: set[str] = set()

    def allows(self, action: str, resource: str = "") -> bool:
        """Tell whether an action is allowed, on a resource or, if that is left out, on any."""
        self.used.add(action)
        if any(fnmatchcase(action, pattern) for pattern in self.denied):
            return False
        return self.statements is None or any(
            any(fnmatchcase(action, pattern) for pattern in each["Action"])
            and (not resource or any(fnmatchcase(resource, pattern) for pattern in each["Resource"]))
            for each in self.statements
        )

    def check(self, call: "Call") -> None:
        """Refuse a call that is not allowed.

        Raises:
            AwsError: It is not.
        """
        for action, resource in self._requirements(call):
            if not self.allows(action, resource):
                user = f"arn:aws:iam::{self.account.id}:user/developer"
                raise AwsError(
                    DENIED.get(call.service, "AccessDeniedException"),
                    f"User: {user} is not authorized to perform: {action} on resource: {resource or '*'} "
                    "because no identity-based policy allows the action",
                    403,
                )

    def _requirements(self, call: "Call") -> Iterator[tuple[str, str]]:
        """Yield the actions that a call needs, with their resources where these are known here."""
        if call.service == "sts":
            return
        name = call.operation
        if call.service == "apigateway":
            model = get_session().get_service_model("apigateway")
            name = model.operation_model(name).http["method"]
        action = ACTIONS.get(f"{call.service}:{name}", f"{call.service}:{name}")
        if call.service != "s3":
            yield action, ""
            return
        yield from self._object_requirements(action, call.params)

    def _object_requirements(self, action: str, params: dict[str, Any]) -> Iterator[tuple[str, str]]:
        bucket = f"arn:aws:s3:::{params['Bucket']}" if "Bucket" in params else ""
        objects = params.get("Delete", {}).get("Objects") or ([params] if "Key" in params else [])
        for each in objects:
            has_version = bool(each.get("VersionId"))
            yield OF_A_VERSION.get(action, action) if has_version else action, f"{bucket}/{each['Key']}"
        if not objects:
            yield action, bucket
        if "ObjectOwnership" in params:
            yield "s3:PutBucketOwnershipControls", bucket
        if params.get("Tagging") and action in ("s3:PutObject", "s3:CreateBucket"):
            yield f"{action}Tagging", f"{bucket}/{params['Key']}"
        if (params.get("CreateBucketConfiguration") or {}).get("Tags"):
            yield "s3:TagResource", bucket
        if key := params.get("SSEKMSKeyId"):
            yield "kms:GenerateDataKey", key
