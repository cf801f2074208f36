"""The IAM policy for whoever deploys: what CloudFormation does in their name, and what we call."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, NotRequired, TypedDict

import boto3

from shutterless.deploy.aws.errors import aws_errors
from shutterless.deploy.option_values import Package
from shutterless.deploy.options import Options, check_name
from shutterless.deploy.template.code import Code, ImageCode, ZipCode, bucket_name
from shutterless.deploy.template.template import PREFIX, build_template, repository_name
from shutterless.deploy.template.types import Resource
from shutterless.runtime.json_types import Json, JsonObject

# The actions that the handlers of each resource type need, from AWS's schemas; see scripts/permissions.py.
PERMISSIONS = Path(__file__).with_name("permissions.json")

# What shutterless calls itself. A test finds the calls in the source.
CALLS = (
    "apigateway:GET",
    "cloudformation:CancelUpdateStack",
    "cloudformation:ContinueUpdateRollback",
    "cloudformation:CreateChangeSet",
    "cloudformation:DeleteChangeSet",
    "cloudformation:DeleteStack",
    "cloudformation:DescribeChangeSet",
    "cloudformation:DescribeEvents",
    "cloudformation:DescribeStackDriftDetectionStatus",
    "cloudformation:DescribeStackEvents",
    "cloudformation:DescribeStackResourceDrifts",
    "cloudformation:DescribeStackResources",
    "cloudformation:DescribeStacks",
    "cloudformation:DetectStackDrift",
    "cloudformation:ExecuteChangeSet",
    "cloudformation:GetTemplate",
    "cloudformation:ListChangeSets",
    "cloudformation:ListStackResources",
    "cloudwatch:DescribeAlarms",
    "cloudwatch:GetMetricData",
    "lambda:GetAccountSettings",
    "lambda:GetAlias",
    "lambda:GetFunction",
    "lambda:GetProvisionedConcurrencyConfig",
    "lambda:InvokeFunction",
    "lambda:ListVersionsByFunction",
    "lambda:UpdateAlias",
    "logs:DescribeLogGroups",
    "logs:FilterLogEvents",
    "pricing:GetProducts",
)
# What it calls for images only.
IMAGE_CALLS = (
    "ecr:BatchDeleteImage",
    "ecr:CreateRepository",
    "ecr:DeleteLifecyclePolicy",
    "ecr:DeleteRepository",
    "ecr:DescribeImageScanFindings",
    "ecr:DescribeImages",
    "ecr:DescribeRepositories",
    "ecr:GetAuthorizationToken",
    "ecr:GetLifecyclePolicy",
    "ecr:ListTagsForResource",
    "ecr:TagResource",
    "ecr:UntagResource",
)
# What it calls for zips only, by IAM's names:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
ZIP_CALLS = (
    "s3:CreateBucket",
    "s3:DeleteBucket",
    "s3:DeleteObjectVersion",
    "s3:GetBucketTagging",
    "s3:GetObject",
    "s3:GetObjectVersion",
    "s3:ListBucket",
    "s3:ListBucketVersions",
    "s3:PutBucketOwnershipControls",
    "s3:PutBucketPolicy",
    "s3:PutBucketPublicAccessBlock",
    "s3:PutBucketTagging",
    "s3:PutBucketVersioning",
    "s3:PutEncryptionConfiguration",
    "s3:PutLifecycleConfiguration",
    "s3:PutObject",
)
# What DetectStackDrift needs beside itself.
DRIFT = ("cloudformation:DetectStackResourceDrift",)
# What CloudFormation checks for a stack with tags.
STACK_TAGS = ("cloudformation:TagResource", "cloudformation:UntagResource")
# https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-push-iam.html
PUSH = (
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:CompleteLayerUpload",
    "ecr:GetDownloadUrlForLayer",
    "ecr:InitiateLayerUpload",
    "ecr:PutImage",
    "ecr:UploadLayerPart",
)
# Lambda lets itself pull the image: https://docs.aws.amazon.com/lambda/latest/dg/images-create.html
PULL = ("ecr:GetRepositoryPolicy", "ecr:SetRepositoryPolicy")
# Not in the schema: https://docs.aws.amazon.com/apigateway/latest/developerguide/using-service-linked-roles.html
DOMAIN = (
    "apigateway:AddCertificateToDomain",
    "apigateway:RemoveCertificateFromDomain",
    "iam:CreateServiceLinkedRole",
)

# What a handler only needs if a resource has this property: {type: {service or action: property}}.
ONLY_WITH = {
    "AWS::ApiGateway::RestApi": {"s3": "BodyS3Location", "apigateway:UpdateRestApiPolicy": "Policy"},
    "AWS::ECR::Repository": {"kms": "EncryptionConfiguration"},
    "AWS::IAM::Role": {
        "iam:AttachRolePolicy": "ManagedPolicyArns",
        "iam:DetachRolePolicy": "ManagedPolicyArns",
        "iam:UpdateRoleDescription": "Description",
    },
    "AWS::Lambda::Alias": {"codedeploy": "UpdatePolicy"},
    "AWS::Lambda::Function": {
        "ec2": "VpcConfig",
        "elasticfilesystem": "FileSystemConfigs",
        "kms": "KmsKeyArn",
        "s3": "Code.S3Bucket",
        "s3files": "FileSystemConfigs",
        "lambda:GetCodeSigningConfig": "CodeSigningConfigArn",
        "lambda:GetLayerVersion": "Layers",
        "lambda:PassCapacityProvider": "CapacityProviderConfig",
    },
    "AWS::Logs::LogGroup": {
        "firehose": "DataProtectionPolicy",
        "s3": "DataProtectionPolicy",
        "logs:CreateLogDelivery": "DataProtectionPolicy",
        "logs:DeleteResourcePolicy": "ResourcePolicyDocument",
        "logs:PutResourcePolicy": "ResourcePolicyDocument",
    },
}
# What lets somebody give a role more rights than their own, unless the role has a boundary.
BOUNDED = (
    "iam:AttachRolePolicy",
    "iam:CreateRole",
    "iam:DeleteRolePolicy",
    "iam:DetachRolePolicy",
    "iam:PutRolePermissionsBoundary",
    "iam:PutRolePolicy",
)
UNBINDING = "iam:DeleteRolePermissionsBoundary"

# Code whose template needs the same actions as any other of its kind.
ANY_CODE: dict[Package, Code] = {
    "image": ImageCode(f"registry/{repository_name('any')}", f"sha256:{'0' * 64}"),
    "zip": ZipCode("bucket", "any/0.zip", "0"),
}
# Actions on the objects of a bucket; all others are on the bucket.
OBJECT_ACTIONS = ("s3:DeleteObjectVersion", "s3:GetObject", "s3:GetObjectVersion", "s3:PutObject")

# Services whose statements name nothing but the deployment's own resources: `Get*` is short, and no risk.
OWN_SERVICES = ("cloudformation", "cloudwatch", "ecr", "lambda", "logs", "sns")

Condition = dict[str, dict[str, str]]


class Statement(TypedDict):
    """One statement of a policy."""

    Effect: str
    Action: list[str]
    Resource: list[str]
    Condition: NotRequired[Condition]


class Policy(TypedDict):
    """An IAM policy."""

    Version: str
    Statement: list[Statement]


class Place(NamedTuple):
    """Where a policy holds.

    Attributes:
        region: The AWS region.
        account: The number of the account.
        partition: `aws`, `aws-cn` or `aws-us-gov`.
    """

    region: str = "REGION"
    account: str = "ACCOUNT"
    partition: str = "aws"


def read_place(session: boto3.Session) -> Place:
    """Return the region, account and partition of a session."""
    with aws_errors():
        identity = session.client("sts").get_caller_identity()
    return Place(session.region_name, identity["Account"], identity["Arn"].split(":")[1])


def deploy_policy(options: Options | None = None, name: str = "", place: Place | None = None) -> Policy:
    """Return the IAM policy that is needed to deploy, look after and destroy a deployment.

    Args:
        options: How it is deployed; the default ones if left out. Each option only adds what it needs.
        name: The deployment's name; empty for deployments of any name.
        place: Where it is deployed; placeholders if left out.

    Raises:
        ShutterlessError: The name cannot be that of a deployment.

    Example:
        >>> from shutterless import deploy
        >>> deploy.deploy_policy(name="clothes")["Version"]
        '2012-10-17'
    """
    options = options or Options()
    arns = _arns(options, check_name(name) if name else "", place or Place())
    account_wide = set(json.loads(PERMISSIONS.read_text("utf-8"))["account_wide"])
    groups: dict[tuple[str, ...], list[str]] = {}
    for action in sorted(needed_actions(options)):
        service = action.partition(":")[0]
        resources = ("*",) if action in account_wide else arns.get(action) or arns[service]
        groups.setdefault(resources, []).append(action)
    statements = [
        statement
        for resources, actions in sorted(groups.items())
        for statement in _statements(actions, list(resources), options.permissions_boundary)
    ]
    return {"Version": "2012-10-17", "Statement": statements}


def needed_actions(options: Options) -> set[str]:
    """Return every action that a deployment with these options needs."""
    handlers = json.loads(PERMISSIONS.read_text("utf-8"))["handlers"]
    is_zip = options.package == "zip"
    code_actions = ZIP_CALLS if is_zip else (*IMAGE_CALLS, *PUSH, *PULL)
    actions = {*CALLS, *DRIFT, *STACK_TAGS, *code_actions, *(DOMAIN if options.domain else ())}
    template = build_template("any", options, code=ANY_CODE[options.package], model="", fingerprint="")
    resources = [*template["Resources"].values()]
    if not is_zip:
        resources.append(_repository(options.image_kms_key))
    for resource in resources:
        conditions = ONLY_WITH.get(resource["Type"], {})
        for action in handlers[resource["Type"]]:
            only_with = conditions.get(action) or conditions.get(action.partition(":")[0])
            if not only_with or _has(resource["Properties"], only_with):
                actions.add(action)
    return actions - {UNBINDING} if options.permissions_boundary else actions


def _repository(kms_key: str) -> Resource:
    """Return the repository, which no template has: the image has to be in it before the function is made."""
    key: JsonObject = {"EncryptionConfiguration": {"KmsKey": kms_key}}
    return {"Type": "AWS::ECR::Repository", "Properties": key if kms_key else {}}


def _has(properties: Json, path: str) -> bool:
    """Tell whether properties have one at a path such as `Code.S3Bucket`."""
    name, _, rest = path.partition(".")
    if not isinstance(properties, dict) or name not in properties:
        return False
    return not rest or _has(properties[name], rest)


def _arns(options: Options, name: str, place: Place) -> dict[str, tuple[str, ...]]:
    """Return what the actions of each service are limited to, by service or action."""
    own = f"{PREFIX}{name or '*'}"
    partition, regional = f"arn:{place.partition}", f"{place.region}:{place.account}"
    # CloudFormation makes up the role's name, and shortens the stack's name in it.
    role = f"{options.role_path or '/'}{PREFIX}{name[:12]}*"
    linked_role = "ops.apigateway.amazonaws.com/AWSServiceRoleForAPIGateway"
    stacks = (f"changeSet/{PREFIX}*", f"stack/{own}/*")
    apis = f"{partition}:apigateway:{place.region}::"
    paths = ("/apikeys*", "/restapis*", "/tags/*", "/usageplans*")
    domains = ("/domainnames*",) if options.domain else ()
    zone = options.hosted_zone or "*"
    bucket = f"{partition}:s3:::{bucket_name(place.account, place.region)}"
    return {
        "apigateway": tuple(apis + path for path in (*paths, *domains)),
        "billing": (f"{partition}:billing::{place.account}:billingview/*",),
        "budgets": (f"{partition}:budgets::{place.account}:budget/{own}-*",),
        "cloudformation": tuple(f"{partition}:cloudformation:{regional}:{each}" for each in stacks),
        "cloudwatch": (f"{partition}:cloudwatch:{regional}:alarm:{own}-*",),
        "ec2": ("*",),
        "ecr": (f"{partition}:ecr:{regional}:repository/{repository_name(name or '*')}",),
        "iam": (f"{partition}:iam::{place.account}:role{role}",),
        "iam:CreateServiceLinkedRole": (
            f"{partition}:iam::{place.account}:role/aws-service-role/{linked_role}",
        ),
        "kms": (options.image_kms_key,),
        "lambda": tuple(f"{partition}:lambda:{regional}:function:{own}{end}" for end in ("", ":*")),
        "logs": tuple(f"{partition}:logs:{regional}:log-group:/aws/lambda/{own}{end}" for end in ("", ":*")),
        "route53": (f"{partition}:route53:::change/*", f"{partition}:route53:::hostedzone/{zone}"),
        "s3": (bucket,),
        **dict.fromkeys(OBJECT_ACTIONS, (f"{bucket}/{name or '*'}/*",)),
        "sns": (f"{partition}:sns:{regional}:{own}-*",),
    }


def _statements(actions: list[str], resources: list[str], boundary: str) -> Iterator[Statement]:
    """Yield the statement that allows actions on resources, and those that need a condition apart."""
    to_lambda: Condition = {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}
    with_boundary: Condition = {"StringEquals": {"iam:PermissionsBoundary": boundary}}
    conditions = {"iam:PassRole": to_lambda, **(dict.fromkeys(BOUNDED, with_boundary) if boundary else {})}
    for condition in (None, to_lambda, with_boundary):
        matching = [action for action in actions if conditions.get(action) == condition]
        if matching:
            if resources != ["*"]:
                matching = _shorten(matching)
            statement: Statement = {"Effect": "Allow", "Action": matching, "Resource": resources}
            yield {**statement, "Condition": condition} if condition else statement


def _shorten(actions: list[str]) -> list[str]:
    """Return a pattern such as `lambda:Get*` for several actions on own resources that begin with one verb.

    A managed policy may have 6,144 characters.
    """
    groups: dict[str, list[str]] = {}
    for action in actions:
        service, _, name = action.partition(":")
        verb = re.match("[A-Z][a-z]+", name) if service in OWN_SERVICES else None
        groups.setdefault(f"{service}:{verb[0]}*" if verb else action, []).append(action)
    return [pattern if len(group) > 1 else group[0] for pattern, group in groups.items()]
