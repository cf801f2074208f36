"""Compare two templates, to tell what CloudFormation would change."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

from shutterless.deploy.template.types import METADATA, Resource, Template
from shutterless.runtime.json_types import Json, JsonObject

Action = Literal["added", "changed", "replaced", "removed"]

# Properties that make CloudFormation replace a resource instead of updating it, as far as our template sets
# them: createOnlyProperties of https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/
REPLACED_BY = {
    "AWS::ApiGateway::ApiKey": {"Name"},
    "AWS::ApiGateway::BasePathMapping": {"DomainName"},
    "AWS::ApiGateway::Deployment": {"RestApiId"},
    "AWS::ApiGateway::DomainName": {"DomainName"},
    "AWS::ApiGateway::GatewayResponse": {"RestApiId", "ResponseType"},
    "AWS::ApiGateway::Method": {"RestApiId", "ResourceId", "HttpMethod"},
    "AWS::ApiGateway::Resource": {"RestApiId", "ParentId", "PathPart"},
    "AWS::ApiGateway::RestApi": set[str](),
    "AWS::ApiGateway::Stage": {"RestApiId", "StageName"},
    "AWS::ApiGateway::UsagePlan": set[str](),
    "AWS::ApiGateway::UsagePlanKey": {"KeyId", "KeyType", "UsagePlanId"},
    "AWS::Budgets::Budget": {"Budget.BudgetName", "NotificationsWithSubscribers"},
    "AWS::CloudWatch::Alarm": {"AlarmName"},
    "AWS::IAM::Role": {"Path"},
    "AWS::Lambda::Alias": {"FunctionName", "Name"},
    "AWS::Lambda::Function": {"FunctionName", "PackageType"},
    "AWS::Lambda::Permission": {
        "FunctionName",
        "Action",
        "Principal",
        "SourceArn",
        "FunctionUrlAuthType",
        "InvokedViaFunctionUrl",
    },
    "AWS::Lambda::Url": {"TargetFunctionArn", "Qualifier"},
    "AWS::Lambda::Version": {"FunctionName"},
    "AWS::Logs::LogGroup": {"LogGroupName"},
    "AWS::Route53::RecordSet": {"HostedZoneId"},
    "AWS::SNS::Subscription": {"Endpoint", "Protocol", "TopicArn"},
    "AWS::SNS::Topic": {"TopicName"},
}


@dataclass(frozen=True)
class PropertyChange:
    """The change of one property.

    Attributes:
        path: Where it is, such as `MethodSettings.0.HttpMethod`.
        before: Its value, None where absent.
        after: Its new value, None where absent.
    """

    path: str
    before: Json
    after: Json


@dataclass(frozen=True)
class ResourceChange:
    """What happens to one resource or output.

    Attributes:
        action: What happens.
        name: Its logical id; an output's starts with `Outputs.`.
        type: Its type, such as `AWS::Lambda::Function`.
        properties: The properties that change.
    """

    action: Action
    name: str
    type: str
    properties: tuple[PropertyChange, ...] = ()


def compare_templates(before: Template | None, after: Template) -> list[ResourceChange]:
    """Return what turns one template into another; empty if CloudFormation would have nothing to do.

    Args:
        before: The deployed template, None if nothing is deployed.
        after: The template to deploy.
    """
    old, new = _resources_and_outputs(before), _resources_and_outputs(after)
    changes = []
    for name in [*old, *(name for name in new if name not in old)]:
        if name not in new:
            changes.append(ResourceChange("removed", name, old[name]["Type"]))
        elif name not in old:
            changes.append(ResourceChange("added", name, new[name]["Type"]))
        elif properties := tuple(_compare(old[name]["Properties"], new[name]["Properties"])):
            kind = new[name]["Type"]
            fixed = tuple(f"{name}." for name in REPLACED_BY.get(kind, ()))
            is_replaced = any(f"{each.path}.".startswith(fixed) for each in properties)
            action: Action = "replaced" if is_replaced else "changed"
            changes.append(ResourceChange(action, name, kind, properties))
    return changes


def _resources_and_outputs(template: Template | None) -> dict[str, Resource]:
    """Return the resources, and outputs and tags as if they were resources. Other metadata change nothing."""
    if template is None:
        return {}
    tags = cast(JsonObject, template["Metadata"][METADATA]["Options"].get("tags", {}))
    outputs: dict[str, Resource] = {
        f"Outputs.{name}": {"Type": "Output", "Properties": {"Value": output["Value"]}}
        for name, output in template["Outputs"].items()
    }
    stack: dict[str, Resource] = {"Tags": {"Type": "Tags", "Properties": tags}} if tags else {}
    return {**template["Resources"], **outputs, **stack}


def _compare(before: Json, after: Json, path: str = "") -> list[PropertyChange]:
    """Return the deepest places at which two values differ."""
    if before == after:
        return []
    if isinstance(before, Mapping) and isinstance(after, Mapping) and not _is_call(before, after):
        keys = [*before, *(key for key in after if key not in before)]
        pairs = [(key, before.get(key), after.get(key)) for key in keys]
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = [(str(index), *pair) for index, pair in enumerate(zip(before, after, strict=True))]
    else:
        return [PropertyChange(path, before, after)]
    return [
        change for key, old, new in pairs for change in _compare(old, new, f"{path}.{key}" if path else key)
    ]


def _is_call(*values: JsonObject) -> bool:
    """Tell whether one of the values is a call such as Ref or Fn::GetAtt, which is compared as a whole."""
    return any(
        len(value) == 1 and ("Ref" in value or next(iter(value)).startswith("Fn::")) for value in values
    )
