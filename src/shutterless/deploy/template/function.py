"""The template's function: role, log group, function, versions and alias."""

import hashlib
import json

from shutterless.deploy.options import Options
from shutterless.deploy.template.code import Code
from shutterless.deploy.template.types import Resource
from shutterless.runtime.json_types import Json, JsonObject

ALIAS = "live"
ARCHITECTURES = {"linux/amd64": "x86_64", "linux/arm64": "arm64"}
# Properties of a function that a published version does not freeze.
UNVERSIONED = ("ReservedConcurrentExecutions",)
# It never changes: every property of a version is create-only, so that another one would replace it.
VERSION: Resource = {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "Function"}}}
# What Lambda's VPC support does with the function's role:
# https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSLambdaVPCAccessExecutionRole.html
NETWORK_ACTIONS = (
    "ec2:CreateNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:DeleteNetworkInterface",
    "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
)


def fingerprint(content: object) -> str:
    """Return 12 hex digits of a hash of JSON content, for logical ids that must change with the content."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]


def function_resources(function: str, options: Options, code: Code) -> dict[str, Resource]:
    """Return log group and function, which refers to its role.

    Args:
        function: The function's name.
        options: How it is deployed.
        code: Its code.

    Returns:
        The resources by logical id.
    """
    log: dict[str, Json] = {
        "LogGroupName": f"/aws/lambda/{function}",
        "RetentionInDays": options.log_days,
    }
    if options.log_kms_key:
        log["KmsKeyId"] = options.log_kms_key
    return {
        "LogGroup": {
            "Type": "AWS::Logs::LogGroup",
            "DeletionPolicy": "Delete",
            "UpdateReplacePolicy": "Delete",
            "Properties": log,
        },
        "Function": {"Type": "AWS::Lambda::Function", "Properties": _function(function, options, code)},
    }


def version_id(function: Resource) -> str:
    """Return the logical id of the version of a function, which changes with its code and settings."""
    settings = {key: value for key, value in function["Properties"].items() if key not in UNVERSIONED}
    return f"Version{fingerprint(settings)}"


def version_number(version: str) -> JsonObject:
    """Return a reference to the number that Lambda gives to the version with this logical id."""
    return {"Fn::GetAtt": [version, "Version"]}


def alias_resource(live: str, canary: str, weight: float, provisioned: int) -> Resource:
    """Return the alias that the API calls.

    Args:
        live: The logical id of the version that is live.
        canary: The logical id of the version that is a canary; empty for none.
        weight: The canary's share of the calls, 0 to 1.
        provisioned: The number of instances kept warm.
    """
    properties: dict[str, Json] = {
        "Name": ALIAS,
        "FunctionName": {"Ref": "Function"},
        "FunctionVersion": version_number(live),
    }
    if provisioned:
        properties["ProvisionedConcurrencyConfig"] = {"ProvisionedConcurrentExecutions": provisioned}
    if canary or not provisioned:  # Lambda does not accept both
        # An empty list, because weights that are left out stay as they were.
        share: JsonObject = {"FunctionVersion": version_number(canary), "FunctionWeight": weight}
        properties["RoutingConfig"] = {"AdditionalVersionWeights": [share] if canary else []}
    return {"Type": "AWS::Lambda::Alias", "Properties": properties}


def role_resource(function: str, options: Options, *, joins_network: bool) -> Resource:
    """Return the role of the function.

    Args:
        function: The function's name.
        options: How it is deployed.
        joins_network: Whether Lambda puts the function, or a version of it that is kept, into a VPC.
    """
    write_log: JsonObject = {
        "Effect": "Allow",
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": {"Fn::GetAtt": ["LogGroup", "Arn"]},
    }
    assume: JsonObject = {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    policies: list[Json] = [{"PolicyName": "write-its-own-log", "PolicyDocument": _policy(write_log)}]
    if joins_network:
        policies.append({"PolicyName": "join-its-network", "PolicyDocument": _network_policy(function)})
    properties: dict[str, Json] = {"AssumeRolePolicyDocument": _policy(assume), "Policies": policies}
    if options.role_path:
        properties["Path"] = options.role_path
    if options.permissions_boundary:
        properties["PermissionsBoundary"] = options.permissions_boundary
    return {"Type": "AWS::IAM::Role", "Properties": properties}


def _network_policy(function: str) -> JsonObject:
    """Return the policy that lets Lambda, but not the function's own code, manage network interfaces."""
    arn = "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:"
    by_the_code: JsonObject = {"ArnEquals": {"lambda:SourceFunctionArn": {"Fn::Sub": arn + function}}}
    statement: JsonObject = {"Action": list(NETWORK_ACTIONS), "Resource": "*"}
    return _policy(
        {"Effect": "Allow", **statement}, {"Effect": "Deny", **statement, "Condition": by_the_code}
    )


def _policy(*statements: JsonObject) -> JsonObject:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _function(name: str, options: Options, code: Code) -> JsonObject:
    environment: dict[str, str] = {"SHUTTERLESS_URLS": options.urls}
    if options.url_hosts:
        environment["SHUTTERLESS_URL_HOSTS"] = options.url_hosts
    if options.records == "on":
        environment |= {"SHUTTERLESS_RECORDS": "on", "SHUTTERLESS_KEEP_PHOTOS": options.keep_photos}
    properties: dict[str, Json] = {
        "FunctionName": name,
        **code.properties(),
        "Role": {"Fn::GetAtt": ["Role", "Arn"]},
        "MemorySize": options.memory,
        "Timeout": options.timeout,
        "Architectures": [ARCHITECTURES[options.platform]],
        "Environment": {"Variables": environment},
        # Explicit, so that Lambda does not create a group of its own, which no stack would delete.
        "LoggingConfig": {"LogGroup": {"Ref": "LogGroup"}},
    }
    if options.reserved_concurrency:
        properties["ReservedConcurrentExecutions"] = options.reserved_concurrency
    if options.subnets:
        properties["VpcConfig"] = {
            "SubnetIds": [*options.subnets.split(",")],
            "SecurityGroupIds": [*options.security_groups.split(",")],
        }
    if options.snapstart:
        properties["SnapStart"] = {"ApplyOn": "PublishedVersions"}
    return properties
