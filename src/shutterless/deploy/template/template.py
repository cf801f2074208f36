"""The CloudFormation template of a deployment, as plain data."""

import copy
import json
from dataclasses import fields
from pathlib import Path
from typing import cast

import shutterless
from shutterless.deploy.option_values import TAG
from shutterless.deploy.options import OptionChanges, Options
from shutterless.deploy.template.alarms import (
    CANARY_ALARM_IDS,
    alarm_resources,
    canary_alarm_resources,
)
from shutterless.deploy.template.code import Code
from shutterless.deploy.template.domain import domain_outputs, domain_resources
from shutterless.deploy.template.function import (
    VERSION,
    alias_resource,
    function_resources,
    role_resource,
    version_id,
)
from shutterless.deploy.template.function_url import url_resources
from shutterless.deploy.template.notifications import notification_resources
from shutterless.deploy.template.releases import (
    ALIAS_ID,
    Release,
    Releases,
    read_releases,
)
from shutterless.deploy.template.rest_api import api_resources, stage_resources
from shutterless.deploy.template.types import METADATA, Output, Resource, Template
from shutterless.files import atomic_file
from shutterless.runtime.json_types import Json

PREFIX = "shutterless-"


def stack_name(name: str) -> str:
    """Return the name of the stack, the function, the API and its key of the deployment `name`."""
    return f"{PREFIX}{name}"


def repository_name(name: str) -> str:
    """Return the name of the image repository of the deployment `name`."""
    return f"shutterless/{name}"


def build_template(
    name: str,
    options: Options,
    *,
    code: Code,
    model: str,
    fingerprint: str,
    deployed: Template | None = None,
    weight: float = 0.0,
) -> Template:
    """Return the template of the deployment `name`.

    Args:
        name: The deployment's name.
        options: How it is deployed.
        code: Its image or zip.
        model: Name and version of the model in it.
        fingerprint: Of everything the code was made from.
        deployed: The template that is deployed, whose releases are kept.
        weight: The share of the calls, 0 to 1, that this release gets as a canary. All calls if it is 0
            or nothing is deployed.
    """
    stack = stack_name(name)
    function = function_resources(stack, options, code)
    release = Release(version_id(function["Function"]), code, model, fingerprint, options.versioned())
    releases = Releases((release,), release.version)
    versions: dict[str, Resource] = {}
    if deployed is not None:
        releases = read_releases(deployed).add(release, weight)
        versions = _versions(deployed)
    # Lambda may have to put a version that is kept into its VPC again.
    joins_network = any(each.options.get("subnets") for each in releases.history)
    template: Template = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"{name}: image classification by shutterless",
        "Metadata": {
            METADATA: {
                "MadeBy": f"shutterless {shutterless.__version__}",
                "Options": options.to_json(),
                "Releases": [],
            }
        },
        "Resources": {
            "Role": role_resource(stack, options, joins_network=joins_network),
            **function,
            **versions,
            **front_resources(stack, options),
            **domain_resources(options),
            **alarm_resources(stack, options),
            **notification_resources(name, stack, options),
        },
        "Outputs": _outputs(name, options),
    }
    return with_releases(template, releases)


def with_releases(
    template: Template, releases: Releases, *, provisioned: int | None = None, watched: str = ""
) -> Template:
    """Return a copy of a template that has these releases, and the options of the latest of them.

    Args:
        template: A template of a deployment.
        releases: The releases, and how calls are routed to them.
        provisioned: The number of instances to keep warm; by default that of the options.
        watched: The logical id of a version to make a canary's alarms for before it is one.

    Raises:
        ShutterlessError: The options of the latest release exclude those of the deployment.
    """
    result = copy.deepcopy(template)
    record, resources = result["Metadata"][METADATA], result["Resources"]
    record["Releases"] = [release.to_json() for release in releases.history]
    changes = {} if provisioned is None else {"provisioned_concurrency": provisioned}
    record["Options"] = {**record["Options"], **releases.latest.options, **changes}
    record["Pending"], record["RolledBack"] = releases.pending, releases.rolled_back
    versions = _versions(result)
    for each in (*versions, *CANARY_ALARM_IDS):
        resources.pop(each, None)
    for release in releases.history:
        # Not made anew: another description would make CloudFormation replace the version.
        resources[release.version] = versions.get(release.version, VERSION)
    options = read_options(result)
    resources[ALIAS_ID] = alias_resource(
        releases.live, releases.canary, releases.weight, options.provisioned_concurrency
    )
    if canary := releases.canary or watched:
        function = cast(str, resources["Function"]["Properties"]["FunctionName"])
        resources.update(canary_alarm_resources(function, canary, options))
    return result


def with_version_published(deployed: Template, target: Template) -> Template:
    """Return the template between two others: the new version is there, and no call goes to it yet.

    Args:
        deployed: The template that is deployed.
        target: The template to deploy, with another version live or as a canary.
    """
    result = copy.deepcopy(target)
    result["Resources"].update(_versions(deployed))
    after = read_releases(target)
    return with_releases(
        result,
        read_releases(deployed).publish(after),
        provisioned=provisioned_between(deployed, target),
        watched=after.canary,
    )


def provisioned_between(deployed: Template, target: Template) -> int:
    """Return how many instances to keep warm while calls move from one version to another.

    Lambda refuses another number at that time, and any number if the new version has SnapStart. So it is
    set to 0 before, but raised or lowered afterwards.
    """
    number = read_options(deployed).provisioned_concurrency
    return number if read_options(target).provisioned_concurrency else 0


def _versions(template: Template) -> dict[str, Resource]:
    """Return the versions in a template, by logical id."""
    resources = template["Resources"].items()
    return {name: resource for name, resource in resources if resource["Type"] == "AWS::Lambda::Version"}


def front_resources(stack: str, options: Options) -> dict[str, Resource]:
    """Return what receives the requests: a REST API with its stage, or the function's URL."""
    if options.front == "url":
        return url_resources(options)
    api = api_resources(stack, options)
    return {**api, **stage_resources(stack, options, api)}


def read_options(template: Template) -> Options:
    """Return the options that a deployed template was made with; earlier versions only made images."""
    values = {"package": "image", **template["Metadata"][METADATA]["Options"]}
    names = {field.name for field in fields(Options)}  # not those of a newer version
    return Options().with_changes(
        cast(OptionChanges, {name: value for name, value in values.items() if name in names})
    )


def all_tags(name: str, options: Options) -> dict[str, str]:
    """Return the tags of a stack, which CloudFormation gives to everything in it, and of its repository."""
    return {TAG: name, **options.tags}


def template_text(template: Template, indent: int | None = None) -> str:
    """Return a template as JSON, in ASCII because GetTemplate returns `?` for every other character.

    Args:
        template: The template.
        indent: The spaces to indent it by; None for one compact line.
    """
    return json.dumps(template, indent=indent, separators=(",", ":" if indent is None else ": "))


def write_template(template: Template, file: Path) -> None:
    """Write a template to a file, as indented JSON.

    Raises:
        ShutterlessError: The file cannot be written.
    """
    with atomic_file(file) as draft:
        draft.write_text(template_text(template, indent=2) + "\n", "ascii")


def _outputs(name: str, options: Options) -> dict[str, Output]:
    values: dict[str, tuple[str, Json]] = {
        "Url": ("The page, and the root of the API's paths", _url(options)),
        "FunctionName": ("The Lambda function", {"Ref": "Function"}),
        "LogGroup": ("The function's log group", {"Ref": "LogGroup"}),
        "Front": ("What receives the requests", options.front),
        "Auth": ("Who may call /predict", options.auth),
        "Repository": ("The repository of the images", repository_name(name)),
        **domain_outputs(options),
    }
    if options.front == "rest":
        values["ApiId"] = ("The REST API", {"Ref": "Api"})
        values["StageName"] = ("The API's stage", options.stage)
    if options.auth == "api-key":
        show_key = "The key: aws apigateway get-api-key --include-value --api-key"
        values["ApiKeyId"] = (show_key, {"Ref": "ApiKey"})
    return {key: {"Description": text, "Value": value} for key, (text, value) in values.items()}


def _url(options: Options) -> Json:
    """Return the API's address without a slash at its end."""
    if options.front == "rest":
        host = "${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}"
        return {"Fn::Sub": f"https://{host}/{options.stage}"}
    parts: Json = {"Fn::Split": ["/", {"Fn::GetAtt": ["FunctionUrl", "FunctionUrl"]}]}  # https, nothing, host
    return {"Fn::Sub": ["https://${Host}", {"Host": {"Fn::Select": [2, parts]}}]}
