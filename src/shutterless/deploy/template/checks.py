"""What CloudFormation and cfn-lint let through, and API Gateway or Lambda then do not forgive."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from shutterless.deploy.options import MAX_TIMEOUT
from shutterless.deploy.template.function import ALIAS, Resource, fingerprint
from shutterless.deploy.template.releases import ALIAS_ID, Template
from shutterless.deploy.template.rest_api import ROUTES
from shutterless.deploy.template.template import template_text
from shutterless.errors import DeployError

MAX_TEMPLATE = 51_200  # bytes that a change set takes in its request
SNAPSTART_STORAGE = 512  # MB of /tmp, the most that SnapStart takes
DIGEST = re.compile(r".+@sha256:[0-9a-f]{64}")
# The answers of API Gateway's own that clients must be able to read, from a browser too.
NEEDED_ANSWERS = ("DEFAULT_4XX", "DEFAULT_5XX", "REQUEST_TOO_LARGE", "THROTTLED", "INTEGRATION_TIMEOUT")
ALLOW_ORIGIN = "gatewayresponse.header.Access-Control-Allow-Origin"
# What a deployment freezes.
FROZEN = ("RestApi", "Resource", "Method", "GatewayResponse")

Check = Callable[[Template], Iterator[str]]


def faults(template: Template) -> list[str]:
    """Return what is wrong with a template, a line each; empty if nothing is."""
    return [fault for check in CHECKS for fault in check(template)]


def check_template(template: Template) -> Template:
    """Return `template`; raises `ShutterlessError` with the first of its faults."""
    if found := faults(template):
        raise DeployError(
            "invalid-template",
            f"The template is not fit to be deployed: {found[0]}",
            "This is a fault of shutterless: please report it.",
        )
    return template


def _of(template: Template, kind: str) -> dict[str, Resource]:
    """Return the resources of a type, by logical id."""
    return {key: value for key, value in template["Resources"].items() if value["Type"] == f"AWS::{kind}"}


def _properties(template: Template, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from ((key, resource["Properties"]) for key, resource in _of(template, kind).items())


def _mentions(content: Any, logical_id: str) -> bool:
    """Tell whether a value refers to a resource, by Ref, Fn::GetAtt or Fn::Sub."""
    if isinstance(content, dict):
        return any(_mentions(value, logical_id) for value in content.values())
    if isinstance(content, list):
        return any(_mentions(value, logical_id) for value in content)
    return content == logical_id or bool(
        isinstance(content, str) and re.search(rf"\$\{{{logical_id}[.}}]", content)
    )


def _depends_on(resource: Resource) -> set[str]:
    given = resource.get("DependsOn", [])
    return {given} if isinstance(given, str) else set(given)


def image_is_a_digest(template: Template) -> Iterator[str]:
    """A tag that is pushed anew does not redeploy, and a rollback would not go back."""
    for key, function in _properties(template, "Lambda::Function"):
        if not DIGEST.fullmatch(str(function["Code"].get("ImageUri"))):
            yield f"{key} takes its image by tag, not by digest"


def function_gives_up_in_time(template: Template) -> Iterator[str]:
    """API Gateway waits 29 s; after that the caller pays for what he does not get."""
    for key, function in _properties(template, "Lambda::Function"):
        if function["Timeout"] > MAX_TIMEOUT:
            yield f"{key} may take {function['Timeout']} s, but API Gateway waits no more than 29 s"


def snapstart_is_possible(template: Template) -> Iterator[str]:
    """SnapStart takes 512 MB of /tmp, published versions only, and no provisioned concurrency."""
    for key, function in _properties(template, "Lambda::Function"):
        if "SnapStart" not in function:
            continue
        if function.get("EphemeralStorage", {}).get("Size", 0) > SNAPSTART_STORAGE:
            yield f"{key} has more than {SNAPSTART_STORAGE} MB of /tmp, which SnapStart does not take"
        if any(
            "ProvisionedConcurrencyConfig" in alias for _, alias in _properties(template, "Lambda::Alias")
        ):
            yield f"{key} has SnapStart, and its alias provisioned concurrency: they exclude each other"
        if not _of(template, "Lambda::Version"):
            yield f"{key} has SnapStart, which needs a published version"


def canary_is_possible(template: Template) -> Iterator[str]:
    """Lambda refuses an alias with both weights and provisioned concurrency."""
    for key, alias in _properties(template, "Lambda::Alias"):
        if {"RoutingConfig", "ProvisionedConcurrencyConfig"} <= alias.keys():
            yield f"{key} has a canary and provisioned concurrency: they exclude each other"


def calls_go_through_the_alias(template: Template) -> Iterator[str]:
    """Whoever calls the function past its alias gets what was deployed last, whatever was rolled back."""
    for key, method in _properties(template, "ApiGateway::Method"):
        if f":{ALIAS}/invocations" not in str(method["Integration"].get("Uri")):
            yield f"{key} does not call the alias {ALIAS}"
        if method["Integration"]["Type"] != "AWS_PROXY":
            yield f"{key} is not a proxy integration: errors would be mapped by their text"


def api_may_call_the_function(template: Template) -> Iterator[str]:
    """Without a permission every call is a 500; without a source every API of the world may call."""
    permissions = _of(template, "Lambda::Permission")
    if not permissions:
        yield "nothing permits the API to call the function"
    for key, resource in permissions.items():
        permission, source = resource["Properties"], str(resource["Properties"].get("SourceArn", ""))
        if not _mentions(permission["FunctionName"], "Function") or f":{ALIAS}" not in str(
            permission["FunctionName"]
        ):
            yield f"{key} permits something else than the alias {ALIAS}"
        if "${Api}/" not in source:
            yield f"{key} lets others than this API call the function"
        if ALIAS_ID not in _depends_on(resource) and not _mentions(permission["FunctionName"], ALIAS_ID):
            yield f"{key} may be made before the alias it is for"


def binary_media_types_are_listed(template: Template) -> Iterator[str]:
    """With */* API Gateway takes preflights for pictures; without a type pictures arrive corrupt."""
    for key, api in _properties(template, "ApiGateway::RestApi"):
        types = api.get("BinaryMediaTypes", [])
        if "*/*" in types:
            yield f"{key} takes everything for binary (*/*), which breaks CORS preflights"
        for needed in ("image/jpeg", "image/png", "multipart/form-data", "application/octet-stream"):
            if needed not in types and "*/*" not in types:
                yield f"{key} does not take {needed} for binary"


def deployment_waits_for_what_it_freezes(template: Template) -> Iterator[str]:
    """A deployment that is made before a method does not contain it."""
    needed = {*_of(template, "ApiGateway::Method"), *_of(template, "ApiGateway::GatewayResponse")}
    deployments = _of(template, "ApiGateway::Deployment")
    if not deployments:
        yield "the API is not deployed"
    for key, deployment in deployments.items():
        if missing := sorted(needed - _depends_on(deployment)):
            yield f"{key} does not depend on {', '.join(missing)}"


def deployment_is_of_this_api(template: Template) -> Iterator[str]:
    """Deployments never change: under the logical id of an older one, the older API goes on answering."""
    kinds = tuple(f"AWS::ApiGateway::{kind}" for kind in FROZEN)
    api = {key: value for key, value in template["Resources"].items() if value["Type"] in kinds}
    for key in _of(template, "ApiGateway::Deployment"):
        if key != f"Deployment{fingerprint(api)}":
            yield f"{key} is the deployment of another API: its logical id must change with the API"


def stage_is_there_before_its_plan(template: Template) -> Iterator[str]:
    """A usage plan made before its stage fails, now and then."""
    stages = _of(template, "ApiGateway::Stage")
    for key, plan in _of(template, "ApiGateway::UsagePlan").items():
        for stage in stages:
            if stage not in _depends_on(plan) and not _mentions(plan["Properties"].get("ApiStages"), stage):
                yield f"{key} does not depend on {stage}"


def key_belongs_to_the_plan(template: Template) -> Iterator[str]:
    """A method that asks for a key that no plan has refuses everybody."""
    asks = [
        key for key, method in _properties(template, "ApiGateway::Method") if method.get("ApiKeyRequired")
    ]
    if asks and not _of(template, "ApiGateway::UsagePlanKey"):
        yield f"{asks[0]} asks for a key, but no key belongs to a usage plan"


def every_route_is_there(template: Template) -> Iterator[str]:
    """Each path has its method, and another for preflights, which carry no key and no signature."""
    methods = dict(_properties(template, "ApiGateway::Method"))
    for path, (method, stem) in ROUTES.items():
        if f"{stem}{method.capitalize()}" not in methods:
            yield f"there is no {method} {path}"
        preflight = methods.get(f"{stem}Other", {})
        if preflight.get("HttpMethod") not in ("ANY", "OPTIONS"):
            yield f"there are no preflights for {path}"
        elif preflight.get("ApiKeyRequired") or preflight.get("AuthorizationType") != "NONE":
            yield f"preflights for {path} would be refused: browsers send them without a key"


def own_answers_can_be_read_by_browsers(template: Template) -> Iterator[str]:
    """Without CORS headers a page sees a network error where API Gateway said why it refused."""
    answers = {
        answer["ResponseType"]: answer for _, answer in _properties(template, "ApiGateway::GatewayResponse")
    }
    for kind in NEEDED_ANSWERS:
        if kind not in answers:
            yield f"API Gateway's own answer {kind} is not in our form"
    for kind, answer in answers.items():
        if ALLOW_ORIGIN not in answer.get("ResponseParameters", {}):
            yield f"API Gateway's own answer {kind} has no CORS header"


def role_is_narrow(template: Template) -> Iterator[str]:
    """The function handles strangers' pictures: what it may do in the account, they may try to."""
    for key, role in _properties(template, "IAM::Role"):
        for policy in role.get("Policies", []):
            for statement in policy["PolicyDocument"]["Statement"]:
                if "*" in str(statement["Action"]) or statement["Resource"] == "*":
                    yield f"{key} may do more than it needs to"
        if role.get("ManagedPolicyArns"):
            yield f"{key} has a policy that is not its own"


def template_is_small_enough(template: Template) -> Iterator[str]:
    """A change set takes no more in its request; more would need a bucket."""
    if (size := len(template_text(template).encode())) > MAX_TEMPLATE:
        yield f"the template has {size} bytes, more than the {MAX_TEMPLATE} that CloudFormation takes"


CHECKS: tuple[Check, ...] = (
    image_is_a_digest,
    function_gives_up_in_time,
    snapstart_is_possible,
    canary_is_possible,
    calls_go_through_the_alias,
    api_may_call_the_function,
    binary_media_types_are_listed,
    deployment_waits_for_what_it_freezes,
    deployment_is_of_this_api,
    stage_is_there_before_its_plan,
    key_belongs_to_the_plan,
    every_route_is_there,
    own_answers_can_be_read_by_browsers,
    role_is_narrow,
    template_is_small_enough,
)
