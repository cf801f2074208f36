import ast
import json
import re
from fnmatch import fnmatchcase
from pathlib import Path

import boto3
import pytest
from botocore import xform_name

import permissions
from shutterless import deploy
from shutterless.deploy.options import Options
from shutterless.deploy.policy.policy import (
    BOUNDED,
    CALLS,
    IMAGE_CALLS,
    ONLY_WITH,
    PERMISSIONS,
    ZIP_CALLS,
    Place,
    deploy_policy,
    needed_actions,
    read_place,
)
from tests.aws_as_it_is import permissions as permissions_at_aws

SOURCE = Path(deploy.__file__).parent
MAX_POLICY = 6_144  # characters of a managed policy; white space does not count
NAME = "a" * 40
PLACE = Place("ap-southeast-1", "123456789012")
KEY = "arn:aws:kms:ap-southeast-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef"
BOUNDARY = "arn:aws:iam::123456789012:policy/developers"
EVERYTHING = {
    "package": "image",
    "alarm_email": "vision@example.com",
    "budget": 50,
    "domain": "photos.example.com",
    "certificate": "arn:aws:acm:ap-southeast-1:123456789012:certificate/0a1b",
    "hosted_zone": "Z0123456789ABC",
    "subnets": "subnet-0a1b2c3d",
    "security_groups": "sg-0a1b2c3d",
    "log_kms_key": KEY,
    "image_kms_key": KEY,
    "permissions_boundary": BOUNDARY,
    "role_path": "/teams/vision/",
    "tags": {"team": "vision"},
}
DEPLOYMENTS = {
    "default": Options(),
    "image": Options(package="image"),
    "function URL": Options(front="url", auth="none"),
    "everything": Options(**EVERYTHING),
}
# Calls that need other actions than those of their names, and any number of them.
ACTIONS = {name: (action,) for name, action in permissions_at_aws.ACTIONS.items()} | {
    "s3:CreateBucket": ("s3:CreateBucket", "s3:PutBucketOwnershipControls"),
    "s3:DeleteObjects": ("s3:DeleteObjectVersion",),  # only with the ids of versions
    "s3:GetObject": ("s3:GetObject", "s3:GetObjectVersion"),
    "s3:HeadObject": ("s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket"),  # 404 instead of 403
    "sts:GetCallerIdentity": (),  # anyone may
}


def allowed_patterns(policy):
    return [pattern for statement in policy["Statement"] for pattern in statement["Action"]]


def allows(policy, action):
    return any(fnmatchcase(action, pattern) for pattern in allowed_patterns(policy))


def constants(nodes, method):
    """Return the first argument of every call of a method, such as `client("ecr")`, that is a constant."""
    return {
        node.args[0].value
        for node in nodes
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == method
        and isinstance(node.args[0], ast.Constant)
    }


def calls_in_source():
    """Return the IAM action of every call of AWS in the deploy stage."""
    modules = [[*ast.walk(ast.parse(file.read_text("utf-8")))] for file in SOURCE.rglob("*.py")]
    session = boto3.Session("key", "secret", region_name="us-east-1")
    services = set().union(*(constants(nodes, "client") for nodes in modules))
    models = {service: session.client(service).meta.service_model for service in services}
    actions = set()
    for nodes in modules:
        names = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
        names |= constants(nodes, "get_paginator")
        # A module that makes no client is given one, of a service that is not known here.
        for service in constants(nodes, "client") or services:
            for operation in models[service].operation_names:
                if xform_name(operation) in names:
                    method = models[service].operation_model(operation).http["method"]
                    action = f"{service}:{method if service == 'apigateway' else operation}"
                    actions.update(ACTIONS.get(action, (action,)))
    return actions


def test_the_actions_are_those_of_aws_s_schemas():
    """If this fails: python scripts/permissions.py, and read what has changed."""
    assert json.loads(PERMISSIONS.read_text("utf-8")) == permissions.collect()


def test_the_documented_policy_is_that_of_the_default_options():
    """If this fails: python scripts/permissions.py."""
    assert permissions.PAGE.read_text("utf-8") == permissions.document()
    assert json.dumps(deploy_policy()["Statement"][0]) in permissions.document()


def test_every_call_of_ours_is_listed_and_none_too_many():
    assert calls_in_source() == {*CALLS, *IMAGE_CALLS, *ZIP_CALLS}


def test_zips_need_no_registry_and_images_no_bucket():
    services = {
        package: {action.partition(":")[0] for action in needed_actions(Options(package=package))}
        for package in ("zip", "image")
    }
    assert services["zip"] ^ services["image"] == {"s3", "ecr"}
    assert "s3" in services["zip"]


def test_a_policy_for_one_name_allows_only_its_own_objects():
    statements = deploy_policy(Options(package="zip"), "clothes", PLACE)["Statement"]
    bucket = "arn:aws:s3:::shutterless-123456789012-ap-southeast-1-an"
    resources = {
        action: each["Resource"] for each in statements for action in each["Action"] if action[:2] == "s3"
    }
    assert resources["s3:PutObject"] == resources["s3:GetObjectVersion"] == [f"{bucket}/clothes/*"]
    assert resources["s3:CreateBucket"] == resources["s3:ListBucketVersions"] == [bucket]


@pytest.mark.parametrize("options", DEPLOYMENTS.values(), ids=DEPLOYMENTS)
def test_the_policy_holds_every_action_of_the_handlers_and_our_own(options):
    policy = deploy_policy(options, NAME, PLACE)
    actions = needed_actions(options)
    assert len(actions) > 100
    assert [action for action in actions if not allows(policy, action)] == []


def test_an_action_that_is_left_out_needs_a_property_that_no_template_sets():
    handlers = json.loads(PERMISSIONS.read_text("utf-8"))["handlers"]
    needed = set().union(*map(needed_actions, DEPLOYMENTS.values()))
    for kind, actions in handlers.items():
        conditions = ONLY_WITH.get(kind, {})
        for action in set(actions) - needed - {"iam:DeleteRolePermissionsBoundary"}:
            assert action in conditions or action.partition(":")[0] in conditions
    assert not {action.partition(":")[0] for action in needed} & {"s3files", "codedeploy", "firehose"}


@pytest.mark.parametrize(
    ("option", "action"),
    [
        ({"alarm_email": "a@example.com"}, "sns:Subscribe"),
        ({"alarm_email": "a@example.com", "budget": 5}, "budgets:ModifyBudget"),
        ({"subnets": "subnet-0a1b2c3d", "security_groups": "sg-0a1b2c3d"}, "ec2:DescribeVpcs"),
        ({"package": "image", "image_kms_key": KEY}, "kms:CreateGrant"),
        ({key: EVERYTHING[key] for key in ("domain", "certificate")}, "apigateway:AddCertificateToDomain"),
        (
            {key: EVERYTHING[key] for key in ("domain", "certificate", "hosted_zone")},
            "route53:ChangeResourceRecordSets",
        ),
        ({"front": "url", "auth": "none"}, "lambda:CreateFunctionUrlConfig"),
    ],
)
def test_an_option_adds_what_it_needs(option, action):
    options = Options(**{**option, "package": "image"})
    assert action in needed_actions(options)
    assert action not in needed_actions(Options(package="image"))
    assert allows(deploy_policy(options), action)


@pytest.mark.parametrize("options", DEPLOYMENTS.values(), ids=DEPLOYMENTS)
@pytest.mark.parametrize("name", ["", "c", NAME])
def test_the_policy_has_the_size_that_iam_takes(options, name):
    assert len(re.sub(r"\s", "", json.dumps(deploy_policy(options, name, PLACE)))) <= MAX_POLICY


@pytest.mark.parametrize("options", DEPLOYMENTS.values(), ids=DEPLOYMENTS)
def test_each_action_is_limited_to_resources_of_a_kind_that_it_knows(options):
    """IAM accepts an action on a resource of another kind, and it then allows nothing."""
    narrowed = [each for each in needed_actions(options) if not permissions.is_account_wide(each)]
    for statement in deploy_policy(options, NAME, PLACE)["Statement"]:
        for action in narrowed:
            forms = permissions.arn_formats(action)
            if forms is not None and any(fnmatchcase(action, each) for each in statement["Action"]):
                patterns = [re.sub(r"\$\{\w+\}", "[^:]*", form) for form in forms]
                assert any(
                    re.match(pattern, arn.replace("*", "/x"))
                    for pattern in patterns
                    for arn in statement["Resource"]
                ), action


def test_only_what_nothing_limits_is_allowed_on_everything():
    (statement,) = (each for each in deploy_policy(name="clothes")["Statement"] if each["Resource"] == ["*"])
    assert all(permissions.is_account_wide(action) for action in statement["Action"])
    assert not any("*" in action for action in statement["Action"])


def test_resources_are_those_of_the_name_and_place():
    policy = deploy_policy(name="clothes", place=Place("cn-north-1", "123456789012", "aws-cn"))
    resources = {arn for statement in policy["Statement"] for arn in statement["Resource"]} - {"*"}
    assert "arn:aws-cn:lambda:cn-north-1:123456789012:function:shutterless-clothes" in resources
    assert "arn:aws-cn:iam::123456789012:role/shutterless-clothes*" in resources
    assert all(arn.startswith("arn:aws-cn:") for arn in resources)


def test_a_role_can_only_be_passed_to_lambda():
    (statement,) = (
        each for each in deploy_policy(name="clothes")["Statement"] if "iam:PassRole" in each["Action"]
    )
    assert statement["Action"] == ["iam:PassRole"]
    assert statement["Condition"] == {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}


def test_with_a_boundary_a_role_without_it_can_neither_be_made_nor_get_rights():
    policy = deploy_policy(Options(permissions_boundary=BOUNDARY), "clothes")
    assert not allows(policy, "iam:DeleteRolePermissionsBoundary")
    for statement in policy["Statement"]:
        if set(statement["Action"]) & set(BOUNDED):
            assert statement["Condition"] == {"StringEquals": {"iam:PermissionsBoundary": BOUNDARY}}


def test_the_place_is_that_of_the_session(aws):
    identity = {"Account": "123456789012", "Arn": "arn:aws-us-gov:sts::123456789012:assumed-role/a/b"}
    aws.answer("sts", "get_caller_identity", identity)
    assert read_place(aws) == Place("us-east-1", "123456789012", "aws-us-gov")
