"""The part of the template that computes: role, log, function, versions, alias, alarms."""

import hashlib
import json
from typing import Any

from shutterless.deploy.options import Options

Resource = dict[str, Any]

ALIAS = "live"
ARCHITECTURES = {"linux/amd64": "x86_64", "linux/arm64": "arm64"}
# Properties of a function that no published version freezes.
UNVERSIONED = ("ReservedConcurrentExecutions",)


def fingerprint(content: Any) -> str:
    """Return 12 hex digits that change with the content, for logical ids that must change with it."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]


def function_resources(name: str, options: Options, image: str) -> dict[str, Resource]:
    """Return role, log group and function; `image` is `uri@sha256:…`, `name` the function's."""
    return {
        "LogGroup": {
            "Type": "AWS::Logs::LogGroup",
            "DeletionPolicy": "Delete",
            "UpdateReplacePolicy": "Delete",
            "Properties": {"LogGroupName": f"/aws/lambda/{name}", "RetentionInDays": options.log_days},
        },
        "Role": {"Type": "AWS::IAM::Role", "Properties": _role()},
        "Function": {"Type": "AWS::Lambda::Function", "Properties": _function(name, options, image)},
    }


def version_id(function: Resource) -> str:
    """Return the logical id of the version that freezes a function: it changes with image and settings."""
    frozen = {key: value for key, value in function["Properties"].items() if key not in UNVERSIONED}
    return f"Version{fingerprint(frozen)}"


def version_resource(model: str) -> Resource:
    """Return the version that freezes the function; `model` says which model is in it."""
    return {
        "Type": "AWS::Lambda::Version",
        "Properties": {"FunctionName": {"Ref": "Function"}, "Description": model},
    }


def alias_resource(live: str, canary: str, weight: float, provisioned: int) -> Resource:
    """Return the alias that the API calls.

    live, canary: logical ids of versions; `canary` gets the share `weight` of the calls, none if empty.
    """
    properties: dict[str, Any] = {
        "Name": ALIAS,
        "FunctionName": {"Ref": "Function"},
        "FunctionVersion": version_number(live),
    }
    if provisioned:
        properties["ProvisionedConcurrencyConfig"] = {"ProvisionedConcurrentExecutions": provisioned}
    if canary or not provisioned:  # Lambda takes not both
        # None must be said: weights that are merely left out stay as they were.
        share = {"FunctionVersion": version_number(canary), "FunctionWeight": weight}
        properties["RoutingConfig"] = {"AdditionalVersionWeights": [share] if canary else []}
    return {"Type": "AWS::Lambda::Alias", "Properties": properties}


def version_number(version: str) -> dict[str, list[str]]:
    """Return the number, given by Lambda, of the version with this logical id."""
    return {"Fn::GetAtt": [version, "Version"]}


def alarm_resources(name: str, options: Options) -> dict[str, Resource]:
    """Return the alarms on what goes through the alias: errors, throttles, and slow calls."""
    p95 = {
        "MetricName": "Duration",
        "ExtendedStatistic": "p95",
        "Threshold": options.alarm_p95_ms,
        "EvaluationPeriods": 3,
        "AlarmDescription": f"5 % of the calls took longer than {options.alarm_p95_ms} ms for three minutes",
    }
    errors = {
        "MetricName": "Errors",
        "Statistic": "Sum",
        "Threshold": options.alarm_errors,
        "EvaluationPeriods": 1,
        "AlarmDescription": f"{options.alarm_errors} or more calls of the function failed in a minute",
    }
    throttles = {
        "MetricName": "Throttles",
        "Statistic": "Sum",
        "Threshold": 1,
        "EvaluationPeriods": 1,
        "AlarmDescription": "Lambda turned calls away: too many at once",
    }
    measured = {"ErrorsAlarm": errors, "ThrottlesAlarm": throttles, "SlowAlarm": p95}
    names = alarm_names(name)
    return {
        key: _alarm(called, options, what)
        for called, (key, what) in zip(names, measured.items(), strict=True)
    }


def alarm_names(name: str) -> tuple[str, ...]:
    """Return what the alarms of the function `name` are called."""
    return tuple(f"{name}-{what}" for what in ("errors", "throttles", "slow"))


def _role() -> dict[str, Any]:
    return {
        "AssumeRolePolicyDocument": _policy(
            {"Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ),
        "Policies": [
            {
                "PolicyName": "write-its-own-log",
                "PolicyDocument": _policy(
                    {
                        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                        "Resource": {"Fn::GetAtt": ["LogGroup", "Arn"]},
                    }
                ),
            }
        ],
    }


def _policy(statement: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]}


def _function(name: str, options: Options, image: str) -> dict[str, Any]:
    environment: dict[str, str] = {"SHUTTERLESS_URLS": options.urls}
    if options.url_hosts:
        environment["SHUTTERLESS_URL_HOSTS"] = options.url_hosts
    properties: dict[str, Any] = {
        "FunctionName": name,
        "PackageType": "Image",
        "Code": {"ImageUri": image},
        "Role": {"Fn::GetAtt": ["Role", "Arn"]},
        "MemorySize": options.memory,
        "Timeout": options.timeout,
        "Architectures": [ARCHITECTURES[options.platform]],
        "Environment": {"Variables": environment},
        # Named, so that Lambda does not make a group of its own, which no stack would delete.
        "LoggingConfig": {"LogGroup": {"Ref": "LogGroup"}},
    }
    if options.reserved_concurrency:
        properties["ReservedConcurrentExecutions"] = options.reserved_concurrency
    if options.snapstart:
        properties["SnapStart"] = {"ApplyOn": "PublishedVersions"}
    return properties


def _alarm(name: str, options: Options, measured: dict[str, Any]) -> Resource:
    topics = {"AlarmActions": [options.alarm_topic]} if options.alarm_topic else {}
    properties = {
        "AlarmName": name,
        "Namespace": "AWS/Lambda",
        "Dimensions": [
            {"Name": "FunctionName", "Value": {"Ref": "Function"}},
            {"Name": "Resource", "Value": {"Fn::Sub": f"${{Function}}:{ALIAS}"}},
        ],
        "Period": 60,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "notBreaching",
        **measured,
        **topics,
    }
    return {"Type": "AWS::CloudWatch::Alarm", "Properties": properties}
