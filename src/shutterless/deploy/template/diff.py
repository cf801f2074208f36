"""What a deployment would change: two templates compared, as CloudFormation will."""

from dataclasses import dataclass
from typing import Any, Literal

from shutterless.deploy.template.releases import Template

Action = Literal["added", "changed", "replaced", "removed"]

# Properties that make CloudFormation replace a resource instead of changing it, as far as this template
# sets them: createOnlyProperties of https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/
REPLACED_BY = {
    "AWS::ApiGateway::ApiKey": {"Name"},
    "AWS::ApiGateway::Deployment": {"RestApiId"},
    "AWS::ApiGateway::GatewayResponse": {"RestApiId", "ResponseType"},
    "AWS::ApiGateway::Method": {"RestApiId", "ResourceId", "HttpMethod"},
    "AWS::ApiGateway::Resource": {"RestApiId", "ParentId", "PathPart"},
    "AWS::ApiGateway::RestApi": set[str](),
    "AWS::ApiGateway::Stage": {"RestApiId", "StageName"},
    "AWS::ApiGateway::UsagePlan": set[str](),
    "AWS::ApiGateway::UsagePlanKey": {"KeyId", "KeyType", "UsagePlanId"},
    "AWS::CloudWatch::Alarm": {"AlarmName"},
    "AWS::IAM::Role": set[str](),
    "AWS::Lambda::Alias": {"FunctionName", "Name"},
    "AWS::Lambda::Function": {"FunctionName", "PackageType"},
    "AWS::Lambda::Permission": {"FunctionName", "Action", "Principal", "SourceArn"},
    "AWS::Lambda::Version": {"FunctionName", "Description"},
    "AWS::Logs::LogGroup": {"LogGroupName"},
}


@dataclass(frozen=True)
class Change:
    """A property before and after, None where absent; `path` is such as `MethodSettings.0.HttpMethod`."""

    path: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Difference:
    """What happens to one resource (or output): its logical id, its type, and what of it changes."""

    action: Action
    name: str
    type: str
    changes: tuple[Change, ...] = ()


def differences(before: Template | None, after: Template) -> list[Difference]:
    """Return what turns one template into the other; empty if CloudFormation would have nothing to do."""
    old, new = _parts(before), _parts(after)
    found = []
    for name in [*old, *(name for name in new if name not in old)]:
        if name not in new:
            found.append(Difference("removed", name, old[name]["Type"]))
        elif name not in old:
            found.append(Difference("added", name, new[name]["Type"]))
        elif changes := tuple(_changes(old[name].get("Properties"), new[name].get("Properties"))):
            found.append(Difference(_action(new[name]["Type"], changes), name, new[name]["Type"], changes))
    return found


def _parts(template: Template | None) -> dict[str, dict[str, Any]]:
    """Return resources and outputs alike; the metadata change nothing by themselves."""
    if template is None:
        return {}
    outputs = {
        f"Outputs.{name}": {"Type": "Output", "Properties": {"Value": output["Value"]}}
        for name, output in template["Outputs"].items()
    }
    return {**template["Resources"], **outputs}


def _action(kind: str, changes: tuple[Change, ...]) -> Action:
    names = {change.path.partition(".")[0] for change in changes}
    return "replaced" if names & REPLACED_BY.get(kind, set()) else "changed"


def _changes(before: Any, after: Any, path: str = "") -> list[Change]:
    """Return the deepest places at which two values differ."""
    if before == after:
        return []
    if isinstance(before, dict) and isinstance(after, dict) and not _is_function(before, after):
        keys = [*before, *(key for key in after if key not in before)]
        pairs = [(key, before.get(key), after.get(key)) for key in keys]
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = [(str(place), *pair) for place, pair in enumerate(zip(before, after, strict=True))]
    else:
        return [Change(path, before, after)]
    return [
        change for key, old, new in pairs for change in _changes(old, new, f"{path}.{key}" if path else key)
    ]


def _is_function(*values: dict[str, Any]) -> bool:
    """Tell whether one of the values is a call such as Ref or Fn::GetAtt, which is one thing."""
    return any(
        len(value) == 1 and ("Ref" in value or next(iter(value)).startswith("Fn::")) for value in values
    )
