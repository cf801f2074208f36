"""The one CloudFormation template of a deployment, as plain data."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import shutterless
from shutterless.deploy.options import Options
from shutterless.deploy.template.function import (
    alarm_resources,
    function_resources,
    version_id,
    version_resource,
)
from shutterless.deploy.template.releases import (
    ALIAS_ID,
    KEPT,
    KEPT_SNAPSHOTS,
    METADATA,
    Release,
    Releases,
    Template,
    alias_of,
    read_releases,
)
from shutterless.deploy.template.rest_api import api_resources, stage_resources
from shutterless.errors import cannot_write

PREFIX = "shutterless-"


def stack_name(name: str) -> str:
    """Return what the stack, the function, the API and its key of the deployment `name` are called."""
    return f"{PREFIX}{name}"


def build_template(
    name: str,
    options: Options,
    *,
    image: str,
    model: str,
    source: str,
    deployed: Template | None = None,
    weight: float = 0.0,
) -> Template:
    """Return the template of the deployment `name`.

    image: `uri@sha256:…`. model: name and version of the model in it. source: a fingerprint of what the
    image was made from. deployed: the template that is there, whose versions are kept. weight: the share
    of calls, 0 to 1, that goes to this release as a canary; all if 0 or nothing is deployed.
    """
    called = stack_name(name)
    computing = function_resources(called, options, image)
    release = Release(version_id(computing["Function"]), image, model, source)
    releases = _releases(release, options, deployed, weight)
    api = api_resources(called, options)
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"{name}: image classification by shutterless",
        "Metadata": {METADATA: _metadata(options, releases)},
        "Resources": {
            **computing,
            **{kept.version: version_resource(kept.model) for kept in releases.kept},
            ALIAS_ID: alias_of(releases, options.provisioned_concurrency),
            **api,
            **stage_resources(called, options, api),
            **alarm_resources(called, options),
        },
        "Outputs": _outputs(name, options),
    }


def read_options(template: Template) -> Options:
    """Return the options that a deployed template was made with."""
    kept = template["Metadata"][METADATA]["Options"]
    return Options().changed({key: value for key, value in kept.items() if key in asdict(Options())})


def template_text(template: Mapping[str, Any]) -> str:
    """Return a template as people read it and CloudFormation takes it."""
    return json.dumps(template, indent=2, ensure_ascii=False) + "\n"


def write_template(template: Mapping[str, Any], file: Path) -> None:
    """Write a template, whole or not at all; raises `ShutterlessError` if that cannot be done."""
    beside = file.with_name(f".{file.name}.part")
    try:
        beside.write_text(template_text(template), "utf-8")
        beside.replace(file)
    except OSError as error:
        raise cannot_write(file, error) from error
    finally:
        beside.unlink(missing_ok=True)


def _releases(release: Release, options: Options, deployed: Template | None, weight: float) -> Releases:
    if deployed is None:
        return Releases((release,), release.version)
    most = KEPT_SNAPSHOTS if options.snapstart else KEPT
    return read_releases(deployed).with_new(release, weight, most)


def _metadata(options: Options, releases: Releases) -> dict[str, Any]:
    return {
        "MadeBy": f"shutterless {shutterless.__version__}",
        "Options": options.to_json(),
        "Releases": [asdict(release) for release in releases.kept],
    }


def _outputs(name: str, options: Options) -> dict[str, Any]:
    address = "https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}"
    described: dict[str, tuple[str, Any]] = {
        "Url": ("The page, and what the API's paths stand below", {"Fn::Sub": f"{address}/{options.stage}"}),
        "FunctionName": ("The Lambda function", {"Ref": "Function"}),
        "LogGroup": ("Where the function's log is", {"Ref": "LogGroup"}),
        "ApiId": ("The REST API", {"Ref": "Api"}),
        "StageName": ("Its stage", options.stage),
        "Auth": ("Who may call /predict", options.auth),
        "Repository": ("Where the images are", repository_name(name)),
    }
    if options.auth == "api-key":
        described["ApiKeyId"] = (
            "The key: aws apigateway get-api-key --include-value --api-key",
            {"Ref": "ApiKey"},
        )
    return {key: {"Description": text, "Value": value} for key, (text, value) in described.items()}


def repository_name(name: str) -> str:
    """Return the name of the image repository of the deployment `name`."""
    return f"shutterless/{name}"
